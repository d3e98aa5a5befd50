//! Who changed what.

use mint_domain::TenantId;
use serde_json::Value;
use sqlx::types::Json;
use time::OffsetDateTime;

use crate::{Result, Tx};

/// A change, and who made it.
#[derive(Clone, Debug)]
pub struct Entry<'a> {
    /// Who.
    pub actor: &'a str,
    /// What, such as `plugin.install`.
    pub action: &'a str,
    /// On what, such as `plugin:hello`.
    pub entity: &'a str,
    /// In which request.
    pub request_id: &'a str,
    /// Before and after.
    pub details: &'a Value,
}

/// Records a change, in the transaction that makes it.
///
/// # Errors
/// The database's.
pub async fn record(tx: &mut Tx, tenant: TenantId, entry: &Entry<'_>, now: OffsetDateTime) -> Result<()> {
    execute!(
        tx,
        "insert into audit (tenant_id, at, actor, action, entity, request_id, details) values ($1, $2, $3, $4, $5, $6, $7)",
        tenant.0,
        now,
        entry.actor,
        entry.action,
        entry.entity,
        entry.request_id,
        Json(entry.details),
    )
    .map(|_| ())
}
