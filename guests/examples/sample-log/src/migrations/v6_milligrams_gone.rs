//! Release 5: only micrograms. It waits until nothing reads or writes milligrams any more.

use mint_sdk::Result;
use mint_sdk::migrations::{Column, Migration, Ops};

pub(crate) const MIGRATION: Migration = Migration::new(6, "milligrams gone", upgrade).destructive().downgrade(downgrade);

fn upgrade(ops: &Ops<'_>) -> Result<()> {
    ops.alter_column("samples", "mass_ug", None, Some(false))?;
    ops.drop_column("samples", "mass_mg").map(drop)
}

fn downgrade(ops: &Ops<'_>) -> Result<()> {
    ops.add_column("samples", &Column::real("mass_mg").not_null().default(0.0))?;
    ops.execute("update samples set mass_mg = mass_ug / 1000.0", &[])?;
    ops.alter_column("samples", "mass_ug", None, Some(true)).map(drop)
}
