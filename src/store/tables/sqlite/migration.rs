//! A migration of one file. Taking the writer's place of the file is its lock.

use mint_domain::migration::AppliedMigration;

use super::{
    connection::Connection,
    files::{SqliteFile, blocking},
    statement,
};
use crate::tables::{
    Bounds, Error, Record, Result, Rows, Savepoint, Value,
    migration::{Savepoints, ledger},
    pool::Lease,
};

/// What a connection needs on which tables are made anew: their rows go and come back, and those that refer to them stay.
const BEGIN: &str = "pragma foreign_keys = off; begin immediate";

/// A migration. Its connection is its own, and is closed with it.
#[derive(Debug)]
pub(crate) struct SqliteMigration {
    /// What was tried before.
    pub(crate) applied: Vec<AppliedMigration>,
    lease: Option<Lease<Connection>>,
    savepoints: Savepoints,
}

impl SqliteFile {
    /// Makes the table in which migrations are written down.
    pub(crate) async fn prepare(&self, bounds: Bounds) -> Result<()> {
        let sql = format!("create table if not exists {} ({})", ledger::TABLE, ledger::COLUMNS);
        let lease = self.fresh(&bounds).await?;
        let (_, made) = blocking(lease, bounds, move |connection| connection.platform(&sql, &bounds)).await?;
        made
    }

    /// What was tried. Nothing, where there is no file.
    pub(crate) async fn applied(&self, bounds: Bounds) -> Result<Vec<AppliedMigration>> {
        if !self.exists() {
            return Ok(Vec::new());
        }
        let lease = self.fresh(&bounds).await?;
        let (_, found) = blocking(lease, bounds, move |connection| read(connection, &bounds)).await?;
        found
    }

    /// Begins a migration.
    pub(crate) async fn migrate(&self, bounds: Bounds) -> Result<SqliteMigration> {
        let lease = self.fresh(&bounds).await?;
        let begin = move |connection: &Connection| {
            connection.platform(BEGIN, &bounds)?;
            read(connection, &bounds)
        };
        let (lease, applied) = blocking(lease, bounds, begin).await?;
        Ok(SqliteMigration { applied: applied?, lease: Some(lease), savepoints: Savepoints::default() })
    }

    /// Writes down what was tried, and failed.
    pub(crate) async fn record(&self, record: Record, bounds: Bounds) -> Result<()> {
        let lease = self.fresh(&bounds).await?;
        let (_, done) = blocking(lease, bounds, move |connection| write(connection, &record, &bounds)).await?;
        done
    }
}

impl SqliteMigration {
    async fn work(
        &mut self,
        bounds: Bounds,
        work: impl FnOnce(&Connection) -> Result<(Rows, u64)> + Send + 'static,
    ) -> Result<(Rows, u64)> {
        self.savepoints.check()?;
        let (lease, done) = blocking(take(&mut self.lease)?, bounds, work).await?;
        // What fills the disk, or takes too long, may have ended the whole transaction.
        let goes_on = || lease.get().is_ok_and(|connection| !connection.is_autocommit());
        if done.is_ok() || (goes_on() && self.savepoints.failed()) {
            self.lease = Some(lease);
        }
        done
    }

    pub(crate) async fn savepoint(&mut self, wanted: Savepoint, bounds: Bounds) -> Result<()> {
        let statement = self.savepoints.statement(&wanted)?;
        let work = move |connection: &Connection| connection.platform(&statement, &bounds);
        let (lease, done) = blocking(take(&mut self.lease)?, bounds, work).await?;
        done?;
        self.savepoints.done(wanted);
        self.lease = Some(lease);
        Ok(())
    }

    pub(crate) async fn run(&mut self, sql: String, parameters: Vec<Value>, bounds: Bounds) -> Result<(Rows, u64)> {
        self.work(bounds, move |connection| statement::run(connection, &sql, &parameters, &bounds)).await
    }

    /// Runs a statement that makes a table anew, while nothing follows its name.
    pub(crate) async fn rebuild(&mut self, sql: String, bounds: Bounds) -> Result<()> {
        let work = move |connection: &Connection| {
            connection.platform("pragma legacy_alter_table = on", &bounds)?;
            let done = statement::run(connection, &sql, &[], &bounds);
            connection.platform("pragma legacy_alter_table = off", &bounds)?;
            done
        };
        self.work(bounds, work).await.map(|_| ())
    }

    pub(crate) async fn finish(mut self, record: Record, bounds: Bounds) -> Result<()> {
        self.savepoints.check()?;
        let finish = move |connection: &Connection| {
            let dangling = "select \"table\", \"parent\" from pragma_foreign_key_check limit 1";
            let (dangling, _) = connection.as_platform(|this| statement::run_unlooked(this, dangling, &[], &bounds))?;
            if let Some([Value::Text(table), Value::Text(parent)]) = dangling.rows.first().map(Vec::as_slice) {
                return Err(Error::Constraint(format!("A row of `{table}` refers to one of `{parent}` that is not there.")));
            }
            write(connection, &record, &bounds)?;
            connection.platform("commit", &bounds)
        };
        let (_, done) = blocking(take(&mut self.lease)?, bounds, finish).await?;
        done
    }
}

fn take(lease: &mut Option<Lease<Connection>>) -> Result<Lease<Connection>> {
    lease.take().ok_or_else(|| Error::Statement("The migration ended with a statement that failed.".to_owned()))
}

fn read(connection: &Connection, bounds: &Bounds) -> Result<Vec<AppliedMigration>> {
    connection.as_platform(|this| {
        let there = "select 1 from sqlite_master where type = 'table' and name = $1";
        let (there, _) = statement::run_unlooked(this, there, &[Value::Text(ledger::TABLE.to_owned())], bounds)?;
        if there.rows.is_empty() {
            return Ok(Vec::new());
        }
        let sql = format!("select {} from {} order by version", ledger::SELECTED, ledger::TABLE);
        let (found, _) = statement::run_unlooked(this, &sql, &[], bounds)?;
        found.rows.into_iter().map(ledger::read).collect()
    })
}

fn write(connection: &Connection, record: &Record, bounds: &Bounds) -> Result<()> {
    connection.as_platform(|this| {
        let run = |sql: &str, values: &[Value]| statement::run_unlooked(this, sql, values, bounds).map(|_| ());
        let upsert = |tried: &AppliedMigration| run(&ledger::upsert(ledger::TABLE), &ledger::row(tried));
        match record {
            Record::Tried(tried) => upsert(tried),
            Record::Adopted(adopted) => adopted.iter().try_for_each(upsert),
            Record::Reverted(version) => {
                run(&format!("delete from {} where version = $1", ledger::TABLE), &[Value::Integer((*version).into())])
            }
        }
    })
}
