//! All tables of plugins of this server.

use std::{
    collections::HashMap,
    fmt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use mint_domain::{Slug, migration::AppliedMigration};
use tokio::time::Instant;
use tokio_util::task::{AbortOnDropHandle, TaskTracker};

use super::{
    Bounds, MigrationTransaction, Owner, Record, Result, Row, Rows, Value,
    migration::AnyMigration,
    postgres::{PostgresCursor, PostgresSchema, PostgresTransaction, Server},
    sqlite::{SqliteCursor, SqliteFile, SqliteTransaction},
};
use crate::Db;

/// Connections that nobody has used for so long are closed.
const IDLE: Duration = Duration::from_secs(60);

/// The tables of every installation, opened when they are first asked for.
pub struct PluginTables {
    pub(super) place: Place,
    open: Arc<Mutex<HashMap<Owner, Tables>>>,
    tasks: TaskTracker,
    _closing: AbortOnDropHandle<()>,
}

pub(super) enum Place {
    Directory(PathBuf),
    Server(Arc<Server>),
}

#[derive(Clone)]
pub(super) enum Tables {
    Sqlite(Arc<SqliteFile>),
    Postgres(Arc<PostgresSchema>),
}

impl PluginTables {
    /// Beside the platform's own tables: files in `directory` for SQLite, schemas of the same database for PostgreSQL.
    pub fn beside(db: &Db, directory: &Path) -> Self {
        let place = match db {
            Db::Sqlite { .. } => Place::Directory(directory.to_owned()),
            Db::Postgres(db) => Place::Server(Arc::new(Server::new(db.direct()))),
        };
        let (open, tasks) = (Arc::<Mutex<HashMap<Owner, Tables>>>::default(), TaskTracker::new());
        let looked = Arc::clone(&open);
        let closing = AbortOnDropHandle::new(tasks.spawn(async move {
            loop {
                tokio::time::sleep(IDLE / 4).await;
                let all: Vec<Tables> = looked.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect();
                let since = Instant::now().checked_sub(IDLE);
                all.iter().for_each(|tables| tables.rest(since));
            }
        }));
        Self { place, open, tasks, _closing: closing }
    }

    pub(super) fn of(&self, owner: &Owner) -> Tables {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let tables = open.entry(owner.clone()).or_insert_with(|| match &self.place {
            Place::Directory(directory) => Tables::Sqlite(Arc::new(SqliteFile::new(owner.file(directory)))),
            Place::Server(server) => {
                Tables::Postgres(Arc::new(PostgresSchema::new(Arc::clone(server), owner.clone(), self.tasks.clone())))
            }
        });
        tables.clone()
    }

    /// Makes what an installation needs before its first statement.
    ///
    /// # Errors
    /// [`super::Error::Unprepared`] when the operator has to do something first.
    pub async fn prepare(&self, owner: &Owner, bounds: Bounds) -> Result<()> {
        match self.of(owner) {
            // It was made for whoever has it.
            Tables::Sqlite(file) if file.is_lent() => Ok(()),
            Tables::Sqlite(file) => file.prepare(bounds).await,
            Tables::Postgres(schema) => schema.prepare(&bounds).await,
        }
    }

    /// Runs one statement, alone: its rows, and how many it changed.
    ///
    /// # Errors
    /// See [`super::Error`].
    pub async fn run(&self, owner: &Owner, sql: String, parameters: Vec<Value>, bounds: Bounds) -> Result<(Rows, u64)> {
        match self.of(owner) {
            Tables::Sqlite(file) => file.run(sql, parameters, bounds).await,
            Tables::Postgres(schema) => schema.run(&sql, &parameters, &bounds).await,
        }
    }

    /// Begins a transaction.
    ///
    /// # Errors
    /// As [`PluginTables::run`].
    pub async fn begin(&self, owner: &Owner, bounds: Bounds) -> Result<Transaction> {
        Ok(Transaction(match self.of(owner) {
            Tables::Sqlite(file) => AnyTransaction::Sqlite(file.begin(bounds).await?),
            Tables::Postgres(schema) => AnyTransaction::Postgres(Box::new(schema.begin(&bounds).await?)),
        }))
    }

    /// Begins to read what a query finds.
    ///
    /// # Errors
    /// As [`PluginTables::run`].
    pub async fn open(&self, owner: &Owner, sql: String, parameters: Vec<Value>, bounds: Bounds) -> Result<Cursor> {
        Ok(Cursor(match self.of(owner) {
            Tables::Sqlite(file) => AnyCursor::Sqlite(file.open(sql, parameters, bounds).await?),
            Tables::Postgres(schema) => AnyCursor::Postgres(Box::new(schema.open(&sql, &parameters, &bounds).await?)),
        }))
    }

    /// What migrations were tried on the tables of an installation, in their order.
    ///
    /// # Errors
    /// As [`PluginTables::run`].
    pub async fn applied(&self, owner: &Owner, bounds: Bounds) -> Result<Vec<AppliedMigration>> {
        match self.of(owner) {
            Tables::Sqlite(file) => file.applied(bounds).await,
            Tables::Postgres(schema) => schema.applied().await,
        }
    }

    /// Begins a migration, when no other one of the same tables is under way on any server.
    ///
    /// # Errors
    /// As [`PluginTables::run`].
    pub async fn migrate(&self, owner: &Owner, bounds: Bounds) -> Result<MigrationTransaction> {
        Ok(MigrationTransaction(match self.of(owner) {
            Tables::Sqlite(file) => AnyMigration::Sqlite(Box::new(file.migrate(bounds).await?)),
            Tables::Postgres(schema) => AnyMigration::Postgres(Box::new(schema.migrate(&bounds).await?)),
        }))
    }

    /// Writes down a migration that failed, and left nothing else behind.
    ///
    /// # Errors
    /// As [`PluginTables::run`].
    pub async fn record(&self, owner: &Owner, record: Record, bounds: Bounds) -> Result<()> {
        match self.of(owner) {
            Tables::Sqlite(file) => file.record(record, bounds).await,
            Tables::Postgres(schema) => schema.record(&record).await,
        }
    }

    /// Closes the connections of an installation that nobody uses: with other limits, others are opened.
    pub fn rest(&self, owner: &Owner) {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner).get(owner).cloned();
        if let Some(tables) = open {
            tables.rest(Some(Instant::now()));
        }
    }

    /// Deletes the tables of an installation, if there are any, when nobody uses them any more.
    ///
    /// # Errors
    /// The database does not let go of them.
    pub async fn delete(&self, owner: &Owner) -> Result<()> {
        let deleted = match self.of(owner) {
            Tables::Sqlite(file) => file.delete().await,
            Tables::Postgres(schema) => schema.delete().await,
        };
        self.forget(owner);
        deleted
    }

    /// What was closed for good is opened anew when it is wanted again.
    pub(super) fn forget_tenant(&self, tenant: &Slug) {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).retain(|owner, _| owner.tenant != *tenant);
    }

    pub(super) fn forget(&self, owner: &Owner) {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).remove(owner);
    }
}

impl Tables {
    fn rest(&self, since: Option<Instant>) {
        let Some(since) = since else { return };
        match self {
            Self::Sqlite(file) => file.rest(since),
            Self::Postgres(schema) => schema.rest(since),
        }
    }
}

impl fmt::Debug for PluginTables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PluginTables")
    }
}

enum AnyTransaction {
    Sqlite(SqliteTransaction),
    Postgres(Box<PostgresTransaction>),
}

/// Statements that take effect together. Dropped without [`Transaction::commit`], they never do.
pub struct Transaction(AnyTransaction);

impl Transaction {
    /// Runs one statement: its rows, and how many it changed. After an error, nothing else can be done.
    ///
    /// # Errors
    /// See [`super::Error`].
    pub async fn run(&mut self, sql: String, parameters: Vec<Value>, bounds: Bounds) -> Result<(Rows, u64)> {
        match &mut self.0 {
            AnyTransaction::Sqlite(transaction) => transaction.run(sql, parameters, bounds).await,
            AnyTransaction::Postgres(transaction) => transaction.run(&sql, &parameters, &bounds).await,
        }
    }

    /// Makes the changes last.
    ///
    /// # Errors
    /// As [`Transaction::run`]; then nothing was changed.
    pub async fn commit(self, bounds: Bounds) -> Result<()> {
        match self.0 {
            AnyTransaction::Sqlite(transaction) => transaction.commit(bounds).await,
            AnyTransaction::Postgres(transaction) => transaction.commit(&bounds).await,
        }
    }
}

impl fmt::Debug for Transaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Transaction")
    }
}

enum AnyCursor {
    Sqlite(SqliteCursor),
    Postgres(Box<PostgresCursor>),
}

/// A query that is read bit by bit.
pub struct Cursor(AnyCursor);

impl Cursor {
    /// Names of the columns.
    pub fn columns(&self) -> &[String] {
        match &self.0 {
            AnyCursor::Sqlite(cursor) => &cursor.columns,
            AnyCursor::Postgres(cursor) => &cursor.columns,
        }
    }

    /// The next rows, at most `rows`; none at the end.
    ///
    /// # Errors
    /// See [`super::Error`].
    pub async fn next(&mut self, rows: u64, bounds: Bounds) -> Result<Vec<Row>> {
        match &mut self.0 {
            AnyCursor::Sqlite(cursor) => cursor.next(rows, bounds).await,
            AnyCursor::Postgres(cursor) => cursor.next(rows, &bounds).await,
        }
    }
}

impl fmt::Debug for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cursor")
    }
}
