//! Tables of an installation's own: what its release does with them is its own affair, as long as it stays among them.

use std::{path::Path, time::Duration};

use mint_domain::{ArchiveName, Capability, Kind, Limits, Refusal, Slug, lifecycle::Failure, limit::Limit};
use mint_store::tables::{
    self, Bounds, Owner,
    saved::{Parts, SavedTables},
};
use tokio::time::Instant;

pub use mint_store::tables::{Row, Rows, Value};

use crate::{Call, Error, PluginAuthority, Result, Services};

/// How long the making of tables may take.
const PREPARE_TIMEOUT: Duration = Duration::from_secs(30);

/// Phase of a start that failed because the database did not answer.
pub const OUTAGE: &str = "outage";

/// Statements that take effect together. Dropped without [`Transaction::commit`], they never do.
#[derive(Debug)]
pub struct Transaction(tables::Transaction);

/// A query that is read bit by bit.
#[derive(Debug)]
pub struct Cursor(tables::Cursor);

/// Makes what an installation needs before its first statement, where it was granted tables. Other limits than those of
/// its last start hold from now on.
///
/// # Errors
/// What the operator has to do first.
pub async fn prepare(services: &Services, authority: &PluginAuthority) -> Result<(), Failure> {
    if !authority.grants().allow(&Capability::Database) {
        return Ok(());
    }
    let owner = owner(authority);
    services.tables.rest(&owner);
    let prepared = services.tables.prepare(&owner, bounds(&authority.limits(), Instant::now() + PREPARE_TIMEOUT)).await;
    prepared.map_err(|error| match error {
        tables::Error::Unprepared { reason, hint } => Failure::new("database", reason, hint),
        tables::Error::Outage(_) => {
            let reason = "The database of plugins does not answer.";
            Failure::new(OUTAGE, reason, "Reload the plugin when it answers again.")
        }
        other => {
            tracing::error!(plugin.slug = %authority.slug(), error = %other, "tables for a plugin could not be made");
            let reason = "The database did not make the plugin's tables.";
            Failure::new("database", reason, "The server's log tells why. Correct it and reload the plugin.")
        }
    })
}

/// Deletes the tables of a plugin that is being removed.
///
/// # Errors
/// The database does not let go of them.
pub async fn delete(services: &Services, tenant: &Slug, plugin: &str) -> Result<()> {
    let Ok(plugin) = plugin.parse() else { return Ok(()) };
    services.tables.delete(&Owner { tenant: tenant.clone(), plugin }).await.map_err(refused)
}

/// Gives the tables of a plugin that does not run the name of an archive. False when it has none.
///
/// # Errors
/// An outage.
pub async fn archive(services: &Services, tenant: &Slug, name: &ArchiveName) -> Result<bool> {
    services.tables.archive(&owner_of(tenant, name), name).await.map_err(refused)
}

/// Gives archived tables the name back that they had.
///
/// # Errors
/// An outage.
pub async fn adopt(services: &Services, tenant: &Slug, name: &ArchiveName) -> Result<bool> {
    services.tables.adopt(&owner_of(tenant, name), name).await.map_err(refused)
}

/// Deletes archived tables.
///
/// # Errors
/// An outage.
pub async fn delete_archived(services: &Services, tenant: &Slug, name: &ArchiveName) -> Result<()> {
    services.tables.delete_archived(&owner_of(tenant, name), name).await.map_err(refused)
}

/// Whether a plugin has tables.
///
/// # Errors
/// An outage.
pub async fn exist(services: &Services, tenant: &Slug, plugin: &str) -> Result<bool> {
    let Ok(plugin) = plugin.parse() else { return Ok(false) };
    services.tables.exist(&Owner { tenant: tenant.clone(), plugin }).await.map_err(refused)
}

/// Whether an archive has tables.
///
/// # Errors
/// An outage.
pub async fn exist_archived(services: &Services, tenant: &Slug, name: &ArchiveName) -> Result<bool> {
    services.tables.exist_archived(&owner_of(tenant, name), name).await.map_err(refused)
}

fn owner_of(tenant: &Slug, name: &ArchiveName) -> Owner {
    Owner { tenant: tenant.clone(), plugin: name.plugin().clone() }
}

/// Hands out what the tables of a plugin hold at one instant. `scratch` names a file that may be made for the time.
///
/// # Errors
/// `plugin.unsaveable`, `plugin.no_room`; an outage.
pub async fn save(services: &Services, tenant: &Slug, plugin: &str, scratch: &Path, parts: &Parts) -> Result<SavedTables> {
    let Ok(plugin) = plugin.parse() else { return Ok(SavedTables::None) };
    services.tables.save(&Owner { tenant: tenant.clone(), plugin }, scratch, parts).await.map_err(refused)
}

/// Puts saved tables in the place of those of a plugin that does not run; `foreign` ones came from elsewhere.
///
/// # Errors
/// As [`save`]; then what was there is there.
pub async fn restore(
    services: &Services,
    tenant: &Slug,
    plugin: &str,
    saved: &SavedTables,
    entries: &Path,
    foreign: bool,
) -> Result<()> {
    let Ok(plugin) = plugin.parse() else { return Ok(()) };
    services.tables.restore(&Owner { tenant: tenant.clone(), plugin }, saved, entries, foreign).await.map_err(refused)
}

/// Bytes that the tables of a plugin take, about.
///
/// # Errors
/// An outage.
pub async fn size(services: &Services, tenant: &Slug, plugin: &str) -> Result<u64> {
    let Ok(plugin) = plugin.parse() else { return Ok(0) };
    services.tables.size(&Owner { tenant: tenant.clone(), plugin }).await.map_err(refused)
}

/// Runs one statement and gives its rows.
///
/// # Errors
/// `VALIDATION_ERROR`, `CONFLICT`, `QUOTA_EXCEEDED`, `PERMISSION_DENIED`.
pub async fn query(call: &Call, sql: String, parameters: Vec<Value>) -> Result<Rows> {
    let (owner, bounds) = authorise(call)?;
    let measured = Measured::begin(call);
    let done = call.services.tables.run(&owner, sql, parameters, bounds).await;
    measured.end(done).map(|(rows, _)| rows)
}

/// Runs one statement and gives the number of rows that it changed.
///
/// # Errors
/// As [`query`].
pub async fn execute(call: &Call, sql: String, parameters: Vec<Value>) -> Result<u64> {
    let (owner, bounds) = authorise(call)?;
    let measured = Measured::begin(call);
    let done = call.services.tables.run(&owner, sql, parameters, bounds).await;
    measured.end(done).map(|(_, changed)| changed)
}

/// Begins a transaction.
///
/// # Errors
/// As [`query`].
pub async fn begin(call: &Call) -> Result<Transaction> {
    let (owner, bounds) = authorise(call)?;
    call.services.tables.begin(&owner, bounds).await.map(Transaction).map_err(refused)
}

/// Begins to read what a query finds.
///
/// # Errors
/// As [`query`].
pub async fn open(call: &Call, sql: String, parameters: Vec<Value>) -> Result<Cursor> {
    let (owner, bounds) = authorise(call)?;
    call.services.tables.open(&owner, sql, parameters, bounds).await.map(Cursor).map_err(refused)
}

impl Transaction {
    /// As the function [`query`], inside the transaction.
    ///
    /// # Errors
    /// As [`query`]; nothing else can be done then.
    pub async fn query(&mut self, call: &Call, sql: String, parameters: Vec<Value>) -> Result<Rows> {
        let (_, bounds) = authorise(call)?;
        let measured = Measured::begin(call);
        measured.end(self.0.run(sql, parameters, bounds).await).map(|(rows, _)| rows)
    }

    /// As the function [`execute`], inside the transaction.
    ///
    /// # Errors
    /// As [`query`]; nothing else can be done then.
    pub async fn execute(&mut self, call: &Call, sql: String, parameters: Vec<Value>) -> Result<u64> {
        let (_, bounds) = authorise(call)?;
        let measured = Measured::begin(call);
        measured.end(self.0.run(sql, parameters, bounds).await).map(|(_, changed)| changed)
    }

    /// Makes the changes last.
    ///
    /// # Errors
    /// As [`query`]; nothing was changed then.
    pub async fn commit(self, call: &Call) -> Result<()> {
        let (_, bounds) = authorise(call)?;
        self.0.commit(bounds).await.map_err(refused)
    }
}

impl Cursor {
    /// Names of the columns.
    pub fn columns(&self) -> &[String] {
        self.0.columns()
    }

    /// The next rows, at most `rows_max`; none at the end.
    ///
    /// # Errors
    /// As [`query`]; nothing else can be read then.
    pub async fn next(&mut self, call: &Call, rows_max: u32) -> Result<Vec<Row>> {
        let (_, bounds) = authorise(call)?;
        self.0.next(u64::from(rows_max).clamp(1, bounds.rows_max), bounds).await.map_err(refused)
    }
}

/// A statement that is measured.
struct Measured<'a> {
    plugin: Option<&'a PluginAuthority>,
    began: Instant,
}

impl<'a> Measured<'a> {
    fn begin(call: &'a Call) -> Self {
        Self { plugin: call.plugin.as_deref(), began: Instant::now() }
    }

    fn end(self, done: Result<(Rows, u64), tables::Error>) -> Result<(Rows, u64)> {
        if let Some(plugin) = self.plugin {
            let ms = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
            plugin.meters.observe(Limit::database_statement_ms_max, ms);
            if let Ok((rows, _)) = &done {
                plugin.meters.observe(Limit::database_rows_max, rows.rows.len() as u64);
            }
        }
        done.map_err(refused)
    }
}

fn authorise(call: &Call) -> Result<(Owner, Bounds), Refusal> {
    let _permit = call.permit_plugin(&Capability::Database)?;
    let plugin = call.through_plugin()?;
    Ok((owner(plugin), bounds(&plugin.limits(), call.deadline)))
}

pub(crate) fn owner(plugin: &PluginAuthority) -> Owner {
    Owner { tenant: plugin.tenant_slug.clone(), plugin: plugin.slug().clone() }
}

pub(crate) fn bounds(limits: &Limits, deadline: Instant) -> Bounds {
    Bounds {
        bytes_max: limits.database_bytes_max,
        statement: Duration::from_millis(limits.database_statement_ms_max),
        rows_max: limits.database_rows_max,
        memory_bytes_max: limits.host_memory_bytes_max,
        deadline,
    }
}

pub(crate) fn refused(error: tables::Error) -> Error {
    Error::Refused(match error {
        tables::Error::Statement(message) => Refusal::invalid(message),
        tables::Error::Denied(message) => Refusal::denied("database", message),
        tables::Error::Constraint(message) => Refusal::conflict("row", "constraint", message),
        tables::Error::Busy(message) => Refusal::conflict("transaction", "lock", message),
        tables::Error::Limit { limit, message } => Refusal::quota(limit, message),
        tables::Error::Unsaveable(message) => Refusal::new(Kind::Conflict, "plugin.unsaveable", message),
        tables::Error::NoRoom(message) => Refusal::new(Kind::QuotaExceeded, "plugin.no_room", message),
        fault @ (tables::Error::Unprepared { .. } | tables::Error::Outage(_)) => return Error::Tables(fault),
    })
}
