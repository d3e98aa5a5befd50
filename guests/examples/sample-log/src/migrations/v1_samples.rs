//! Release 1: samples with a name and a mass.

use mint_sdk::Result;
use mint_sdk::migrations::{Column, Migration, Ops};

pub(crate) const MIGRATION: Migration = Migration::new(1, "samples", upgrade).downgrade(downgrade);

fn upgrade(ops: &Ops<'_>) -> Result<()> {
    let columns = [
        Column::id("id"),
        Column::text("name").not_null().unique(),
        Column::real("mass_mg").not_null().default(0.0),
        Column::timestamp("taken_at").not_null().default_now(),
    ];
    ops.create_table("samples", &columns).map(drop)
}

fn downgrade(ops: &Ops<'_>) -> Result<()> {
    ops.drop_table("samples").map(drop)
}
