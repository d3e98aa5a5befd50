//! What one migration may do to the tables of its plugin, and the note that it was done.

use std::sync::Arc;

use mint_domain::{Limits, Refusal, migration::AppliedMigration};
use mint_store::tables::{self, Bounds, MigrationTransaction, Owner};
use tokio::{sync::Mutex, time::Instant};

pub use mint_store::tables::{Change, Column, ColumnType, DefaultValue, Dialect, OnDelete, Record, Reference, Savepoint};

use crate::{
    PluginAuthority, Result, Services,
    database::{self, Rows, Value, refused},
};

/// A migration at work: what it does takes effect when it is finished. Whoever holds one can work with it until then.
#[derive(Clone, Debug)]
pub struct MigrationOps {
    transaction: Arc<Mutex<Option<MigrationTransaction>>>,
    dialect: Dialect,
    is_destructive: bool,
    limits: Arc<Limits>,
    deadline: Instant,
}

/// What was tried on the tables of an installation.
///
/// # Errors
/// The database does not answer.
pub async fn applied(services: &Services, authority: &PluginAuthority, deadline: Instant) -> Result<Vec<AppliedMigration>> {
    services.tables.applied(&database::owner(authority), bounds(&authority.limits(), deadline)).await.map_err(refused)
}

/// Begins a migration when no other one of the installation is under way, and gives what was tried before it.
///
/// # Errors
/// `CONFLICT` when another one takes too long; the database does not answer.
pub async fn begin(
    services: &Services,
    authority: &PluginAuthority,
    is_destructive: bool,
    deadline: Instant,
) -> Result<(MigrationOps, Vec<AppliedMigration>)> {
    let bounds = bounds(&authority.limits(), deadline);
    let transaction = services.tables.migrate(&database::owner(authority), bounds).await.map_err(refused)?;
    let (applied, dialect) = (transaction.applied().to_vec(), transaction.dialect());
    let limits = Arc::new(authority.limits());
    let transaction = Arc::new(Mutex::new(Some(transaction)));
    Ok((MigrationOps { transaction, dialect, is_destructive, limits, deadline }, applied))
}

/// Notes a migration that failed and left nothing behind.
///
/// # Errors
/// The database does not answer.
pub async fn note(services: &Services, authority: &PluginAuthority, record: Record, deadline: Instant) -> Result<()> {
    let owner: Owner = database::owner(authority);
    services.tables.record(&owner, record, bounds(&authority.limits(), deadline)).await.map_err(refused)
}

impl MigrationOps {
    /// Which SQL it takes.
    pub fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// Makes a change, if it is not made already. Gives whether it was.
    ///
    /// # Errors
    /// `PERMISSION_DENIED` for what only a destructive migration may do; as [`MigrationOps::query`].
    pub async fn change(&self, change: Change) -> Result<bool> {
        if change.is_destructive() {
            self.permit_destruction()?;
        }
        let mut transaction = self.transaction.lock().await;
        current(&mut transaction)?.change(&change, self.bounds()).await.map_err(refused)
    }

    /// Runs one statement and gives its rows.
    ///
    /// # Errors
    /// `VALIDATION_ERROR`, `CONFLICT`, `QUOTA_EXCEEDED`, `PERMISSION_DENIED`. Nothing else can be done after one of the database, but to go back to
    /// a savepoint.
    pub async fn query(&self, sql: String, parameters: Vec<Value>) -> Result<Rows> {
        self.run(sql, parameters).await.map(|(rows, _)| rows)
    }

    /// Runs one statement and gives the number of rows that it changed.
    ///
    /// # Errors
    /// As [`MigrationOps::query`].
    pub async fn execute(&self, sql: String, parameters: Vec<Value>) -> Result<u64> {
        self.run(sql, parameters).await.map(|(_, changed)| changed)
    }

    /// Runs one statement and gives its rows, and how many it changed.
    ///
    /// # Errors
    /// As [`MigrationOps::query`].
    pub async fn run(&self, sql: String, parameters: Vec<Value>) -> Result<(Rows, u64)> {
        if tables::destroys(&sql).map_err(refused)? {
            self.permit_destruction()?;
        }
        let mut transaction = self.transaction.lock().await;
        current(&mut transaction)?.run(sql, parameters, self.bounds()).await.map_err(refused)
    }

    /// Sets a point to go back to after a statement that failed, forgets it, or goes back.
    ///
    /// # Errors
    /// `VALIDATION_ERROR` for a point that is not there; as [`MigrationOps::query`].
    pub async fn savepoint(&self, wanted: Savepoint) -> Result<()> {
        let mut transaction = self.transaction.lock().await;
        current(&mut transaction)?.savepoint(wanted, self.bounds()).await.map_err(refused)
    }

    /// Makes all of it last, with the note of it.
    ///
    /// # Errors
    /// As [`MigrationOps::query`]; then nothing was changed.
    pub async fn finish(&self, record: Record) -> Result<()> {
        let transaction = self.transaction.lock().await.take().ok_or_else(over)?;
        transaction.finish(record, self.bounds()).await.map_err(refused)
    }

    /// Takes all of it back, also where somebody else still holds it.
    pub async fn abandon(&self) {
        drop(self.transaction.lock().await.take());
    }

    fn permit_destruction(&self) -> Result<(), Refusal> {
        if self.is_destructive {
            return Ok(());
        }
        let message = "Only a destructive migration may do this: code of before may still use what it takes away. Mark it so, or \
                       add something new beside the old.";
        Err(Refusal::denied("destructive", message))
    }

    fn bounds(&self) -> Bounds {
        bounds(&self.limits, self.deadline)
    }
}

fn current(transaction: &mut Option<MigrationTransaction>) -> Result<&mut MigrationTransaction, Refusal> {
    transaction.as_mut().ok_or_else(over)
}

fn over() -> Refusal {
    Refusal::invalid("The migration has ended.")
}

/// A statement of a migration takes as long as the migration may.
fn bounds(limits: &Limits, deadline: Instant) -> Bounds {
    let statement = deadline.saturating_duration_since(Instant::now());
    Bounds { statement, ..database::bounds(limits, deadline) }
}
