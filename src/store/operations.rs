//! Operations and their journals.

use mint_domain::{OperationId, TenantId};
use serde_json::Value;
use sqlx::types::Json;
use time::OffsetDateTime;

use crate::{Error, Result, Tx};

/// A long change that a person can watch.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Operation {
    /// Identifier.
    #[sqlx(try_from = "i64")]
    pub id: OperationId,
    /// Its tenant.
    #[sqlx(try_from = "i64")]
    pub tenant_id: TenantId,
    /// Slug of the plugin.
    pub plugin: String,
    /// `install`, `uninstall`, `reload` …
    pub kind: String,
    /// `running`, `done`, `undone`, `failed`.
    pub status: String,
    /// Who asked for it.
    pub actor: String,
    /// The request that began it.
    pub request_id: String,
    /// What was asked for.
    #[sqlx(json)]
    pub input: Value,
    /// What came of it, once it ended.
    #[sqlx(json(nullable))]
    pub outcome: Option<Value>,
    /// When it began.
    pub started_at: OffsetDateTime,
    /// When it ended.
    pub ended_at: Option<OffsetDateTime>,
}

/// One line of a journal.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Step {
    /// Its place, from 0.
    pub position: i64,
    /// Its name.
    pub name: String,
    /// `running`, `done`, `failed`, `undone`.
    pub status: String,
    /// What a person should know.
    pub note: String,
    /// When it began.
    pub began_at: OffsetDateTime,
    /// When it ended.
    pub ended_at: Option<OffsetDateTime>,
}

/// What to begin.
#[derive(Clone, Debug)]
pub struct NewOperation<'a> {
    /// Slug of the plugin.
    pub plugin: &'a str,
    /// What sort of change.
    pub kind: &'a str,
    /// Who asked.
    pub actor: &'a str,
    /// In which request.
    pub request_id: &'a str,
    /// What for.
    pub input: &'a Value,
    /// Which process owns it.
    pub lease_owner: &'a str,
    /// Until when, unless renewed.
    pub lease_until: OffsetDateTime,
}

/// A hold on an operation. Whoever takes it over raises the epoch, and what is written under an earlier one is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The operation.
    pub operation: OperationId,
    /// Which hold of it this is.
    pub epoch: i64,
}

/// Begins an operation. None when another one of this plugin is still running.
///
/// # Errors
/// The database's.
pub async fn begin(tx: &mut Tx, tenant: TenantId, new: &NewOperation<'_>, now: OffsetDateTime) -> Result<Option<Lease>> {
    let row =
        rows!(
        tx, optional (i64, i64),
        "insert into operations (tenant_id, plugin, kind, status, actor, request_id, input, lease_owner, lease_until, started_at)
         values ($1, $2, $3, 'running', $4, $5, $6, $7, $8, $9)
         on conflict (tenant_id, plugin) where status = 'running' do nothing
         returning id, lease_epoch",
        tenant.0, new.plugin, new.kind, new.actor, new.request_id, Json(new.input), new.lease_owner, new.lease_until, now,
    )?;
    Ok(row.map(|(id, epoch)| Lease { operation: OperationId(id), epoch }))
}

/// Passes if a hold is the last one of its operation, which it stays until the transaction ends.
///
/// # Errors
/// [`Error::LeaseLost`]; the database's.
pub async fn guard(tx: &mut Tx, lease: Lease) -> Result<()> {
    // An update that changes nothing locks the row on either database.
    held(execute!(
        tx,
        "update operations set lease_epoch = lease_epoch where id = $1 and lease_epoch = $2 and status = 'running'",
        lease.operation.0,
        lease.epoch,
    )?)
}

fn held(rows: u64) -> Result<()> {
    if rows > 0 { Ok(()) } else { Err(Error::LeaseLost) }
}

/// Prolongs a hold.
///
/// # Errors
/// [`Error::LeaseLost`]; the database's.
pub async fn renew(tx: &mut Tx, lease: Lease, until: OffsetDateTime) -> Result<()> {
    held(execute!(
        tx,
        "update operations set lease_until = $3 where id = $1 and lease_epoch = $2 and status = 'running'",
        lease.operation.0,
        lease.epoch,
        until,
    )?)
}

/// Takes over a running operation whose lease has ended. None when another was quicker.
///
/// # Errors
/// The database's.
pub async fn take_over(
    tx: &mut Tx,
    id: OperationId,
    owner: &str,
    until: OffsetDateTime,
    now: OffsetDateTime,
) -> Result<Option<Lease>> {
    let row = rows!(
        tx,
        optional(i64,),
        "update operations set lease_owner = $2, lease_until = $3, lease_epoch = lease_epoch + 1
         where id = $1 and status = 'running' and (lease_until <= $4 or lease_owner = $2) returning lease_epoch",
        id.0,
        owner,
        until,
        now,
    )?;
    Ok(row.map(|(epoch,)| Lease { operation: id, epoch }))
}

/// Ends an operation.
///
/// # Errors
/// [`Error::LeaseLost`]; the database's.
pub async fn end(tx: &mut Tx, lease: Lease, status: &str, outcome: &Value, now: OffsetDateTime) -> Result<()> {
    held(execute!(
        tx,
        "update operations set status = $3, outcome = $4, ended_at = $5, lease_owner = null, lease_until = null
         where id = $1 and lease_epoch = $2 and status = 'running'",
        lease.operation.0,
        lease.epoch,
        status,
        Json(outcome),
        now,
    )?)
}

/// Writes that a step is about to run.
///
/// # Errors
/// [`Error::LeaseLost`]; the database's.
pub async fn begin_step(tx: &mut Tx, lease: Lease, position: i64, name: &str, now: OffsetDateTime) -> Result<()> {
    guard(tx, lease).await?;
    execute!(
        tx,
        "insert into operation_steps (operation_id, position, name, status, note, began_at) values ($1, $2, $3, 'running', '', $4)
         on conflict (operation_id, position) do update set status = 'running', began_at = excluded.began_at, ended_at = null",
        lease.operation.0, position, name, now,
    )
    .map(|_| ())
}

/// Writes how a step ended.
///
/// # Errors
/// [`Error::LeaseLost`]; the database's.
pub async fn end_step(tx: &mut Tx, lease: Lease, position: i64, status: &str, note: &str, now: OffsetDateTime) -> Result<()> {
    guard(tx, lease).await?;
    execute!(
        tx,
        "update operation_steps set status = $3, note = $4, ended_at = $5 where operation_id = $1 and position = $2",
        lease.operation.0,
        position,
        status,
        note,
        now,
    )
    .map(|_| ())
}

/// An operation.
///
/// # Errors
/// The database's.
pub async fn get(tx: &mut Tx, tenant: TenantId, id: OperationId) -> Result<Option<Operation>> {
    rows!(
        tx, optional Operation,
        "select id, tenant_id, plugin, kind, status, actor, request_id, input, outcome, started_at, ended_at
         from operations where tenant_id = $1 and id = $2",
        tenant.0, id.0,
    )
}

/// The operation on a plugin that runs, if one does.
///
/// # Errors
/// The database's.
pub async fn running(tx: &mut Tx, tenant: TenantId, plugin: &str) -> Result<Option<Operation>> {
    rows!(
        tx, optional Operation,
        "select id, tenant_id, plugin, kind, status, actor, request_id, input, outcome, started_at, ended_at
         from operations where tenant_id = $1 and plugin = $2 and status = 'running' order by id desc limit 1",
        tenant.0, plugin,
    )
}

/// Asks whoever runs an operation to stop it. False when it has ended.
///
/// # Errors
/// The database's.
pub async fn ask_to_cancel(tx: &mut Tx, tenant: TenantId, id: OperationId) -> Result<bool> {
    execute!(
        tx,
        "update operations set cancel_asked = true where tenant_id = $1 and id = $2 and status = 'running'",
        tenant.0,
        id.0,
    )
    .map(|rows| rows > 0)
}

/// The operations of a process that somebody asked another one to stop.
///
/// # Errors
/// The database's.
pub async fn asked_to_cancel(tx: &mut Tx, owner: &str) -> Result<Vec<OperationId>> {
    let ids = rows!(
        tx,
        all(i64,),
        "select id from operations where status = 'running' and cancel_asked = true and lease_owner = $1",
        owner,
    )?;
    Ok(ids.into_iter().map(|(id,)| OperationId(id)).collect())
}

/// Every tenant's operations that run.
///
/// # Errors
/// The database's.
pub async fn under_way(tx: &mut Tx) -> Result<Vec<Operation>> {
    rows!(
        tx, all Operation,
        "select id, tenant_id, plugin, kind, status, actor, request_id, input, outcome, started_at, ended_at
         from operations where status = 'running' order by id",
    )
}

/// The journal of an operation.
///
/// # Errors
/// The database's.
pub async fn steps(tx: &mut Tx, id: OperationId) -> Result<Vec<Step>> {
    rows!(
        tx, all Step,
        "select position, name, status, note, began_at, ended_at from operation_steps where operation_id = $1 order by position",
        id.0,
    )
}

/// Operations that were running when their owner's lease ended, or that `owner` itself left behind in an earlier life.
///
/// # Errors
/// The database's.
pub async fn abandoned(tx: &mut Tx, owner: &str, now: OffsetDateTime) -> Result<Vec<Operation>> {
    rows!(
        tx, all Operation,
        "select id, tenant_id, plugin, kind, status, actor, request_id, input, outcome, started_at, ended_at
         from operations where status = 'running' and (lease_until <= $1 or lease_owner = $2) order by id",
        now, owner,
    )
}
