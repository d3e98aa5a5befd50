//! Release 3: on which balance, in a table of their own.

use mint_sdk::Result;
use mint_sdk::migrations::{Column, Migration, Ops};

pub(crate) const MIGRATION: Migration = Migration::new(3, "balances", upgrade).downgrade(downgrade);

fn upgrade(ops: &Ops<'_>) -> Result<()> {
    ops.create_table("balances", &[Column::id("id"), Column::text("name").not_null().unique()])?;
    ops.add_column("samples", &Column::bigint("balance_id").may_refer_to("balances", "id"))?;
    ops.create_index("samples_by_balance", "samples", &["balance_id"]).map(drop)
}

fn downgrade(ops: &Ops<'_>) -> Result<()> {
    ops.drop_column("samples", "balance_id")?;
    ops.drop_table("balances").map(drop)
}
