//! A migration of one schema, under a lock of the platform's, by the role itself.

use mint_domain::migration::AppliedMigration;
use sqlx::{Postgres, Transaction};
use tokio::time::Instant;

use super::{
    connection::Connection,
    ledger::{self, NOTE},
    schema::PostgresSchema,
};
use crate::tables::{
    Bounds, Error, Record, Result, Rows, Savepoint, Value,
    gate::{self, Effect},
    migration::Savepoints,
    pool::Lease,
};

/// How long a statement waits for those who use its table, who wait behind it meanwhile.
const LOCK_TIMEOUT: &str = "10s";

/// A migration. Its connection is gone after a statement that failed and left no way back, or that nobody waited for.
pub(crate) struct PostgresMigration {
    /// What was tried before.
    pub(crate) applied: Vec<AppliedMigration>,
    lease: Option<Lease<Connection>>,
    schema: String,
    word: String,
    savepoints: Savepoints,
    // Last: the lock is held until the connection has been let go.
    lock: Transaction<'static, Postgres>,
}

impl PostgresSchema {
    /// What was tried. Nothing, where there is no schema.
    pub(crate) async fn applied(&self) -> Result<Vec<AppliedMigration>> {
        self.server().applied(self.name()).await
    }

    /// Begins a migration.
    pub(crate) async fn migrate(&self, bounds: &Bounds) -> Result<PostgresMigration> {
        let patience = bounds.statement_ends().saturating_duration_since(Instant::now());
        let mut lock = self.server().lock(self.name(), patience).await?;
        let applied = ledger::applied(&mut lock, self.name()).await?;
        let word = self.server().arm(self.name()).await?;
        let mut lease = self.lease(bounds).await?;
        let begin = format!("set lock_timeout = '{LOCK_TIMEOUT}'; set idle_in_transaction_session_timeout = 0; begin");
        lease.platform(&begin, bounds).await?;
        let (schema, savepoints) = (self.name().to_owned(), Savepoints::default());
        Ok(PostgresMigration { applied, lease: Some(lease), schema, word, savepoints, lock })
    }

    /// Writes down what was tried, and failed.
    pub(crate) async fn record(&self, record: &Record) -> Result<()> {
        self.server().record(self.name(), record).await
    }
}

impl PostgresMigration {
    fn take(&mut self) -> Result<Lease<Connection>> {
        self.lease.take().ok_or_else(|| Error::Statement("The migration ended with a statement that failed.".to_owned()))
    }

    pub(crate) async fn run(&mut self, sql: &str, parameters: &[Value], bounds: &Bounds) -> Result<(Rows, u64)> {
        let effect = gate::look(sql)?;
        self.run_unlooked(sql, parameters, effect, bounds).await
    }

    async fn run_unlooked(&mut self, sql: &str, parameters: &[Value], effect: Effect, bounds: &Bounds) -> Result<(Rows, u64)> {
        self.savepoints.check()?;
        let mut lease = self.take()?;
        let done = lease.run(sql, parameters, effect, bounds).await;
        if done.is_ok() || (lease.is_usable() && self.savepoints.failed()) {
            self.lease = Some(lease);
        }
        done
    }

    pub(crate) async fn savepoint(&mut self, wanted: Savepoint, bounds: &Bounds) -> Result<()> {
        let statement = self.savepoints.statement(&wanted)?;
        let mut lease = self.take()?;
        lease.platform(&statement, bounds).await?;
        self.savepoints.done(wanted);
        self.lease = Some(lease);
        Ok(())
    }

    async fn note(&mut self, parameters: &[Value], bounds: &Bounds) -> Result<()> {
        let note = format!("select {}.{NOTE}($1, $2::int8::int4, $3, $4, $5, $6, $7)", self.schema);
        self.run_unlooked(&note, parameters, Effect::Shrinks, bounds).await.map(|_| ())
    }

    pub(crate) async fn finish(mut self, record: Record, bounds: Bounds) -> Result<()> {
        let word = || Value::Text(self.word.clone());
        let applied = |AppliedMigration { migration, applied_at, .. }: AppliedMigration| {
            vec![
                word(),
                Value::Integer(migration.version.into()),
                Value::Text(migration.name),
                Value::Text(applied_at.format(&time::format_description::well_known::Rfc3339).unwrap_or_default()),
                Value::Text(migration.checksum),
                Value::Boolean(migration.destructive),
                Value::Boolean(false),
            ]
        };
        let notes = match record {
            Record::Tried(tried) => vec![applied(tried)],
            Record::Adopted(adopted) => adopted.into_iter().map(applied).collect(),
            Record::Reverted(version) => {
                let nothing = || Value::Text(String::new());
                let flag = Value::Boolean;
                vec![vec![word(), Value::Integer(version.into()), nothing(), nothing(), nothing(), flag(false), flag(true)]]
            }
        };
        for parameters in notes {
            self.note(&parameters, &bounds).await?;
        }
        let mut lease = self.take()?;
        lease.platform("commit", &bounds).await?;
        lease.give_back();
        // Nothing was changed on that connection: its end gives the lock back, however it ends.
        drop(self.lock);
        Ok(())
    }
}

impl std::fmt::Debug for PostgresMigration {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PostgresMigration").field("schema", &self.schema).finish_non_exhaustive()
    }
}
