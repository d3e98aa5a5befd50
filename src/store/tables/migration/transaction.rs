//! A migration on either database, with the lock that makes it the only one.

use mint_domain::migration::AppliedMigration;

use super::{Dialect, Record, Savepoint};
use crate::tables::{Bounds, Result, Rows, Value, postgres::PostgresMigration, sqlite::SqliteMigration};

pub(in crate::tables) enum AnyMigration {
    Sqlite(Box<SqliteMigration>),
    Postgres(Box<PostgresMigration>),
}

/// Changes of tables that take effect together with the record of them. Dropped without [`MigrationTransaction::finish`], they
/// never do. While it stands, no other one of the same tables begins, on no server.
pub struct MigrationTransaction(pub(in crate::tables) AnyMigration);

impl MigrationTransaction {
    /// What was tried before, as it stood when this one began.
    pub fn applied(&self) -> &[AppliedMigration] {
        match &self.0 {
            AnyMigration::Sqlite(migration) => &migration.applied,
            AnyMigration::Postgres(migration) => &migration.applied,
        }
    }

    /// Which SQL it takes.
    pub fn dialect(&self) -> Dialect {
        match &self.0 {
            AnyMigration::Sqlite(_) => Dialect::Sqlite,
            AnyMigration::Postgres(_) => Dialect::Postgresql,
        }
    }

    /// Runs one statement: its rows, and how many it changed. After an error, nothing else can be done but to go back to a savepoint.
    ///
    /// # Errors
    /// See [`crate::tables::Error`].
    pub async fn run(&mut self, sql: String, parameters: Vec<Value>, bounds: Bounds) -> Result<(Rows, u64)> {
        match &mut self.0 {
            AnyMigration::Sqlite(migration) => migration.run(sql, parameters, bounds).await,
            AnyMigration::Postgres(migration) => migration.run(&sql, &parameters, &bounds).await,
        }
    }

    /// Sets a point to go back to, forgets it, or goes back.
    ///
    /// # Errors
    /// As [`MigrationTransaction::run`].
    pub async fn savepoint(&mut self, wanted: Savepoint, bounds: Bounds) -> Result<()> {
        match &mut self.0 {
            AnyMigration::Sqlite(migration) => migration.savepoint(wanted, bounds).await,
            AnyMigration::Postgres(migration) => migration.savepoint(wanted, &bounds).await,
        }
    }

    /// Runs one of the statements that make a table anew, which may use the platform's own names.
    pub(super) async fn rebuild(&mut self, sql: String, bounds: Bounds) -> Result<()> {
        match &mut self.0 {
            AnyMigration::Sqlite(migration) => migration.rebuild(sql, bounds).await,
            AnyMigration::Postgres(migration) => migration.run(&sql, &[], &bounds).await.map(|_| ()),
        }
    }

    /// Makes the changes last, and writes down that they were made.
    ///
    /// # Errors
    /// As [`MigrationTransaction::run`]; then nothing was changed.
    pub async fn finish(self, record: Record, bounds: Bounds) -> Result<()> {
        match self.0 {
            AnyMigration::Sqlite(migration) => migration.finish(record, bounds).await,
            AnyMigration::Postgres(migration) => migration.finish(record, bounds).await,
        }
    }
}

impl std::fmt::Debug for MigrationTransaction {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("MigrationTransaction")
    }
}
