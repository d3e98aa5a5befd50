//! The laboratory's instruments, and what was last reported of each.

use mint_domain::{InstrumentId, TenantId};
use serde_json::Value;
use sqlx::types::Json;
use time::OffsetDateTime;

use crate::{Page, Result, Tx};

/// An instrument.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Instrument {
    /// Identifier.
    #[sqlx(try_from = "String")]
    pub id: InstrumentId,
    /// Name shown to people.
    pub name: String,
    /// What else is known of it: a JSON object.
    #[sqlx(json)]
    pub details: Value,
    /// Whether it is in use.
    pub is_active: bool,
    /// When the record was made.
    pub created_at: OffsetDateTime,
    /// When it was last changed.
    pub updated_at: OffsetDateTime,
}

/// What a report left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Reported {
    /// Since when the instrument is in its state.
    pub status_since: OffsetDateTime,
    /// When the report came.
    pub last_seen: OffsetDateTime,
}

/// Makes an instrument.
///
/// # Errors
/// [`crate::Error::Duplicate`] when the id is taken.
pub async fn insert(
    tx: &mut Tx,
    tenant: TenantId,
    id: &InstrumentId,
    name: &str,
    details: &Value,
    is_active: bool,
    now: OffsetDateTime,
) -> Result<Instrument> {
    rows!(
        tx, one Instrument,
        "insert into instruments (tenant_id, id, name, details, is_active, created_at, updated_at) values ($1, $2, $3, $4, $5, $6, $6)
         returning id, name, details, is_active, created_at, updated_at",
        tenant.0, id.as_str(), name, Json(details), is_active, now,
    )
    .map_err(|e| e.naming("instrument"))
}

/// An instrument by id.
///
/// # Errors
/// The database's.
pub async fn get(tx: &mut Tx, tenant: TenantId, id: &InstrumentId) -> Result<Option<Instrument>> {
    rows!(
        tx, optional Instrument,
        "select id, name, details, is_active, created_at, updated_at from instruments where tenant_id = $1 and id = $2",
        tenant.0, id.as_str(),
    )
}

/// Instruments by name.
///
/// # Errors
/// The database's.
pub async fn list(tx: &mut Tx, tenant: TenantId, active_only: bool, page: Page) -> Result<Vec<Instrument>> {
    rows!(
        tx, all Instrument,
        "select id, name, details, is_active, created_at, updated_at from instruments
         where tenant_id = $1 and (is_active or not $2) order by name, id limit $3 offset $4",
        tenant.0, active_only, page.limit, page.skip,
    )
}

/// Sets every field. None when there is no such instrument.
///
/// # Errors
/// The database's.
pub async fn update(
    tx: &mut Tx,
    tenant: TenantId,
    id: &InstrumentId,
    name: &str,
    details: &Value,
    is_active: bool,
    now: OffsetDateTime,
) -> Result<Option<Instrument>> {
    rows!(
        tx, optional Instrument,
        "update instruments set name = $3, details = $4, is_active = $5, updated_at = $6 where tenant_id = $1 and id = $2
         returning id, name, details, is_active, created_at, updated_at",
        tenant.0, id.as_str(), name, Json(details), is_active, now,
    )
}

/// Stores a report in the place of the last one. `is_same_state` keeps the time since when it is in its state. None when
/// there is no such instrument.
///
/// # Errors
/// The database's.
pub async fn report(
    tx: &mut Tx,
    tenant: TenantId,
    id: &InstrumentId,
    plugin: &str,
    status: &Value,
    is_same_state: bool,
    now: OffsetDateTime,
) -> Result<Option<Reported>> {
    rows!(
        tx, optional Reported,
        "update instruments set status = $4, reported_by = $3, last_seen = $6,
            status_since = case when $5 then coalesce(status_since, $6) else $6 end
         where tenant_id = $1 and id = $2 returning status_since, last_seen",
        tenant.0, id.as_str(), plugin, Json(status), is_same_state, now,
    )
}

type Status = (Json<Value>,);

/// The last report of an instrument.
///
/// # Errors
/// The database's.
pub async fn last_report(tx: &mut Tx, tenant: TenantId, id: &InstrumentId) -> Result<Option<Value>> {
    let row = rows!(
        tx,
        optional Status,
        "select status from instruments where tenant_id = $1 and id = $2 and status is not null",
        tenant.0,
        id.as_str(),
    )?;
    Ok(row.map(|(Json(status),)| status))
}
