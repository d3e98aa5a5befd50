//! One schema for each installation, and a role that owns nothing else.

mod archive;
mod catalog;
mod connection;
mod copy_text;
mod door;
mod ledger;
mod leftovers;
mod migration;
mod restore;
mod role;
mod save;
mod schema;
mod value;
mod wire;

pub(super) use archive::archived_role;
pub(super) use migration::PostgresMigration;
pub(super) use role::Server;
pub(super) use schema::{PostgresCursor, PostgresSchema, PostgresTransaction};
