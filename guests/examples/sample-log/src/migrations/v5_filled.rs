//! Release 5: micrograms also where release 3 wrote after release 4 had been there. Release 4, which answers meanwhile, writes them
//! always.

use mint_sdk::Result;
use mint_sdk::migrations::{Migration, Ops};

pub(crate) const MIGRATION: Migration = Migration::new(5, "filled", upgrade).downgrade(downgrade);

fn upgrade(ops: &Ops<'_>) -> Result<()> {
    ops.execute("update samples set mass_ug = cast(round(mass_mg * 1000) as bigint) where mass_ug is null", &[]).map(drop)
}

fn downgrade(_ops: &Ops<'_>) -> Result<()> {
    Ok(())
}
