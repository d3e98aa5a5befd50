//! Release 4: the mass in whole micrograms, beside the old one, which is still written for release 3.

use mint_sdk::Result;
use mint_sdk::migrations::{Column, Migration, Ops};

pub(crate) const MIGRATION: Migration = Migration::new(4, "micrograms", upgrade).downgrade(downgrade);

fn upgrade(ops: &Ops<'_>) -> Result<()> {
    ops.add_column("samples", &Column::bigint("mass_ug"))?;
    ops.execute("update samples set mass_ug = cast(round(mass_mg * 1000) as bigint) where mass_ug is null", &[]).map(drop)
}

fn downgrade(ops: &Ops<'_>) -> Result<()> {
    ops.drop_column("samples", "mass_ug").map(drop)
}
