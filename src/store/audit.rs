//! Who changed what.

use mint_domain::TenantId;
use serde_json::Value;
use sqlx::types::Json;
use time::OffsetDateTime;

use crate::{Result, Tx};

/// Records a change, in the transaction that makes it.
///
/// # Errors
/// The database's.
pub async fn record(
    tx: &mut Tx,
    tenant: TenantId,
    actor: &str,
    action: &str,
    entity: &str,
    request_id: &str,
    details: &Value,
    now: OffsetDateTime,
) -> Result<()> {
    execute!(
        tx,
        "insert into audit (tenant_id, at, actor, action, entity, request_id, details) values ($1, $2, $3, $4, $5, $6, $7)",
        tenant.0, now, actor, action, entity, request_id, Json(details),
    )
    .map(|_| ())
}
