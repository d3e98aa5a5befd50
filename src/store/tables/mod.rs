//! Tables of plugins: one SQLite file, or one PostgreSQL schema with a role of its own, for each (tenant, plugin).
//!
//! The statements are those of strangers. What keeps them apart is the file and the role; the look at the first words of a
//! statement ([`gate`]) and SQLite's authorizer ([`authorizer`]) close what those leave open.

mod archive;
mod authorizer;
mod damaged;
mod error;
mod gate;
mod keep;
mod leftovers;
mod migration;
mod own_driver;
mod owner;
mod pool;
mod portable;
mod postgres;
pub mod saved;
mod sqlite;
mod store;
#[cfg(test)]
mod tests;
mod value;

pub use archive::{archived, rename};
pub use damaged::damaged;
pub use error::{Error, Result};
pub use gate::destroys;
pub use leftovers::Leftover;
pub use migration::{
    Change, Column, ColumnType, DefaultValue, Dialect, MigrationTransaction, OnDelete, Record, Reference, Savepoint,
};
pub use own_driver::Way;
pub use owner::Owner;
pub use sqlite::LentFile;
pub use store::{Cursor, PluginTables, Transaction};
pub use value::{Bounds, Row, Rows, Value};
