//! Design data: one document for each experiment.

use mint_domain::{ExperimentId, TenantId};
use serde_json::Value;
use sqlx::types::Json;
use time::OffsetDateTime;

use crate::{Result, Tx};

/// A design.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Design {
    /// Identifier.
    pub id: i64,
    /// Its experiment.
    #[sqlx(try_from = "i64")]
    pub experiment_id: ExperimentId,
    /// Slug of the plugin that owns it.
    pub plugin: String,
    /// The document.
    #[sqlx(json)]
    pub data: Value,
    /// Version of the document's schema.
    pub schema_version: String,
    /// When it was first saved.
    pub created_at: OffsetDateTime,
    /// When it was last saved.
    pub updated_at: OffsetDateTime,
}

/// The design of an experiment.
///
/// # Errors
/// The database's.
pub async fn get(tx: &mut Tx, tenant: TenantId, experiment: ExperimentId) -> Result<Option<Design>> {
    rows!(
        tx, optional Design,
        "select id, experiment_id, plugin, data, schema_version, created_at, updated_at
         from designs where tenant_id = $1 and experiment_id = $2",
        tenant.0, experiment.0,
    )
}

/// Saves a design as `plugin`'s. None when another plugin owns it, which one transaction's check alone could not tell.
///
/// # Errors
/// [`crate::Error::DanglingReference`] when the experiment is gone.
pub async fn upsert(
    tx: &mut Tx,
    tenant: TenantId,
    experiment: ExperimentId,
    plugin: &str,
    data: &Value,
    schema_version: &str,
    now: OffsetDateTime,
) -> Result<Option<Design>> {
    rows!(
        tx, optional Design,
        "insert into designs (tenant_id, experiment_id, plugin, data, schema_version, created_at, updated_at)
         values ($1, $2, $3, $4, $5, $6, $6)
         on conflict (experiment_id) do update
            set data = excluded.data, schema_version = excluded.schema_version, updated_at = excluded.updated_at
            where designs.plugin = excluded.plugin and designs.tenant_id = excluded.tenant_id
         returning id, experiment_id, plugin, data, schema_version, created_at, updated_at",
        tenant.0, experiment.0, plugin, Json(data), schema_version, now,
    )
}

/// Deletes the design that `plugin` owns. False when there was none.
///
/// # Errors
/// The database's.
pub async fn delete(tx: &mut Tx, tenant: TenantId, experiment: ExperimentId, plugin: &str) -> Result<bool> {
    execute!(
        tx,
        "delete from designs where tenant_id = $1 and experiment_id = $2 and plugin = $3",
        tenant.0,
        experiment.0,
        plugin,
    )
    .map(|rows| rows > 0)
}
