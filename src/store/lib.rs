//! Everything that is SQL. Rows, and functions over [`&mut Tx`](Tx), one file per family of tables.
//!
//! **Invariant:** no other crate contains SQL. One text serves SQLite and PostgreSQL; what differs lives in `db.rs`.

#[macro_use]
mod query;
#[macro_use]
mod search;

pub mod archives;
pub mod artifacts;
pub mod audit;
pub mod calendar;
pub mod ceremonies;
pub mod db;
pub mod designs;
pub mod device_codes;
mod error;
pub mod experiments;
pub mod export;
pub mod external_identities;
pub mod files_home;
pub mod frontends;
pub mod history;
pub mod installations;
pub mod instruments;
pub mod jobs;
mod migrate;
pub mod notifications;
pub mod objects;
pub mod operations;
pub mod page;
pub mod parts;
pub mod passkeys;
pub mod plugin_roles;
pub mod projects;
pub mod releases;
pub mod replicas;
pub mod roles;
pub mod service_tokens;
pub mod sessions;
pub mod setup;
pub mod snapshots;
pub mod tables;
pub mod tenants;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
#[cfg(test)]
mod tests;
pub mod tokens;
pub mod users;

pub use db::{Db, Place, Tx};
pub use error::{Error, Result};
pub use migrate::Schema;
pub use page::Page;
