//! Release 2: who weighed it. Release 1 goes on, and leaves it empty.

use mint_sdk::Result;
use mint_sdk::migrations::{Column, Migration, Ops};

pub(crate) const MIGRATION: Migration = Migration::new(2, "operator", upgrade).downgrade(downgrade);

fn upgrade(ops: &Ops<'_>) -> Result<()> {
    ops.add_column("samples", &Column::text("operator"))?;
    ops.backfill("samples", "operator", "unknown").map(drop)
}

fn downgrade(ops: &Ops<'_>) -> Result<()> {
    ops.drop_column("samples", "operator").map(drop)
}
