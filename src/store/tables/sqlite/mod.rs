//! One file for each installation.

mod connection;
mod copy;
mod files;
mod migration;
mod statement;

pub use files::LentFile;
pub(super) use files::{SqliteCursor, SqliteFile, SqliteTransaction};
pub(super) use migration::SqliteMigration;
