//! Changes of the tables of one installation, each in a transaction of its own that also writes down that it was done.
//!
//! [`change`] says what can be changed and does it on either database; [`ddl`] writes the statements; [`rebuild`] makes a table anew
//! where SQLite cannot change one; [`savepoint`] is how to go back within one; [`ledger`] is the table in which it is written down, and [`transaction`] the way to both.

mod change;
mod column;
mod ddl;
pub(super) mod ledger;
mod rebuild;
mod savepoint;
#[cfg(test)]
mod tests;
mod transaction;

pub use change::Change;
pub use column::{Column, ColumnType, DefaultValue, Dialect, OnDelete, Reference};
pub use ledger::Record;
pub use savepoint::Savepoint;
pub(super) use savepoint::Savepoints;
pub(super) use transaction::AnyMigration;
pub use transaction::MigrationTransaction;
