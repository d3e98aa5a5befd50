//! Analysis results, by (experiment, plugin, key).

use mint_domain::{ExperimentId, TenantId, experiment::ArtifactStatus};
use serde_json::Value;
use sqlx::types::Json;
use time::OffsetDateTime;

use crate::{Result, Tx};

/// What is known of an artifact without its document.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Summary {
    /// Identifier.
    pub id: i64,
    /// Its experiment.
    #[sqlx(try_from = "i64")]
    pub experiment_id: ExperimentId,
    /// Slug of the plugin that saved it.
    pub plugin: String,
    /// Its name within (experiment, plugin).
    pub key: String,
    /// Name shown to people.
    pub display_name: String,
    /// Whether it is shown.
    #[sqlx(try_from = "String")]
    pub status: ArtifactStatus,
    /// Keys of the document's top level.
    #[sqlx(json)]
    pub result_keys: Vec<String>,
    /// Free text.
    pub note: Option<String>,
    /// When it was put away.
    pub archived_at: Option<OffsetDateTime>,
    /// Who put it away.
    pub archived_by: Option<i64>,
    /// When it was first saved.
    pub created_at: OffsetDateTime,
    /// When it was last saved.
    pub updated_at: OffsetDateTime,
}

/// An artifact with its document.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Artifact {
    /// What is known without the document.
    #[sqlx(flatten)]
    pub summary: Summary,
    /// The document.
    #[sqlx(json)]
    pub result: Value,
}

/// What to save.
#[derive(Clone, Debug)]
pub struct Input {
    /// Its name within (experiment, plugin).
    pub key: String,
    /// The document.
    pub result: Value,
    /// Name shown to people; by default the key.
    pub display_name: Option<String>,
    /// Free text.
    pub note: Option<String>,
}

/// Saves an artifact; one of the same key is replaced, an archived one restored.
///
/// # Errors
/// [`crate::Error::DanglingReference`] when the experiment is gone.
pub async fn upsert(
    tx: &mut Tx,
    tenant: TenantId,
    experiment: ExperimentId,
    plugin: &str,
    input: &Input,
    now: OffsetDateTime,
) -> Result<Artifact> {
    let keys: Vec<&String> = input.result.as_object().map(|object| object.keys().collect()).unwrap_or_default();
    rows!(
        tx, one Artifact,
        "insert into artifacts (tenant_id, experiment_id, plugin, key, display_name, status, result, result_keys, note, created_at, updated_at)
         values ($1, $2, $3, $4, coalesce($5, $4), 'active', $6, $7, $8, $9, $9)
         on conflict (experiment_id, plugin, key) do update
            set result = excluded.result, result_keys = excluded.result_keys, status = 'active', archived_at = null, archived_by = null,
                display_name = coalesce($5, artifacts.display_name), note = coalesce(excluded.note, artifacts.note),
                updated_at = excluded.updated_at
         returning id, experiment_id, plugin, key, display_name, status, result_keys, note, archived_at, archived_by, created_at, updated_at,
            result",
        tenant.0, experiment.0, plugin, &input.key, &input.display_name, Json(&input.result), Json(&keys), &input.note, now,
    )
}

/// Saves an artifact whose key is new. None when there is one of this key, archived ones included.
///
/// # Errors
/// [`crate::Error::DanglingReference`] when the experiment is gone.
pub async fn insert(
    tx: &mut Tx,
    tenant: TenantId,
    experiment: ExperimentId,
    plugin: &str,
    input: &Input,
    now: OffsetDateTime,
) -> Result<Option<Artifact>> {
    let keys: Vec<&String> = input.result.as_object().map(|object| object.keys().collect()).unwrap_or_default();
    rows!(
        tx, optional Artifact,
        "insert into artifacts (tenant_id, experiment_id, plugin, key, display_name, status, result, result_keys, note, created_at, updated_at)
         values ($1, $2, $3, $4, coalesce($5, $4), 'active', $6, $7, $8, $9, $9)
         on conflict (experiment_id, plugin, key) do nothing
         returning id, experiment_id, plugin, key, display_name, status, result_keys, note, archived_at, archived_by, created_at, updated_at,
            result",
        tenant.0, experiment.0, plugin, &input.key, &input.display_name, Json(&input.result), Json(&keys), &input.note, now,
    )
}

/// Replaces the document and the note of an active artifact that is still as `old`. None when it is not.
///
/// # Errors
/// The database's.
pub async fn swap(
    tx: &mut Tx,
    tenant: TenantId,
    old: &Summary,
    result: &Value,
    note: Option<&str>,
    now: OffsetDateTime,
) -> Result<Option<Artifact>> {
    let keys: Vec<&String> = result.as_object().map(|object| object.keys().collect()).unwrap_or_default();
    rows!(
        tx, optional Artifact,
        "update artifacts set result = $4, result_keys = $5, note = $6, updated_at = $7
         where tenant_id = $1 and id = $2 and updated_at = $3 and status = 'active'
         returning id, experiment_id, plugin, key, display_name, status, result_keys, note, archived_at, archived_by, created_at, updated_at,
            result",
        tenant.0, old.id, old.updated_at, Json(result), Json(&keys), note, now,
    )
}

/// An artifact.
///
/// # Errors
/// The database's.
pub async fn get(tx: &mut Tx, tenant: TenantId, experiment: ExperimentId, plugin: &str, key: &str) -> Result<Option<Artifact>> {
    rows!(
        tx, optional Artifact,
        "select id, experiment_id, plugin, key, display_name, status, result_keys, note, archived_at, archived_by, created_at, updated_at,
            result
         from artifacts where tenant_id = $1 and experiment_id = $2 and plugin = $3 and key = $4",
        tenant.0, experiment.0, plugin, key,
    )
}

/// Whether a document of the plugin on the experiment refers to this object as its file.
///
/// # Errors
/// The database's.
pub async fn refers_to(tx: &mut Tx, tenant: TenantId, experiment: ExperimentId, plugin: &str, object_key: &str) -> Result<bool> {
    let row = rows!(
        tx,
        optional(i64,),
        "select id from artifacts where tenant_id = $1 and experiment_id = $2 and plugin = $3 and result -> 'file' ->> 'key' = $4 limit 1",
        tenant.0,
        experiment.0,
        plugin,
        object_key,
    )?;
    Ok(row.is_some())
}

/// Summaries of an experiment's artifacts, by plugin and key.
///
/// # Errors
/// The database's.
pub async fn list(tx: &mut Tx, tenant: TenantId, experiment: ExperimentId) -> Result<Vec<Summary>> {
    rows!(
        tx, all Summary,
        "select id, experiment_id, plugin, key, display_name, status, result_keys, note, archived_at, archived_by, created_at, updated_at
         from artifacts where tenant_id = $1 and experiment_id = $2 order by plugin, key",
        tenant.0, experiment.0,
    )
}

/// Archives an artifact. None when there is none.
///
/// # Errors
/// The database's.
pub async fn archive(
    tx: &mut Tx,
    tenant: TenantId,
    experiment: ExperimentId,
    plugin: &str,
    key: &str,
    by: Option<i64>,
    now: OffsetDateTime,
) -> Result<Option<Summary>> {
    rows!(
        tx, optional Summary,
        "update artifacts set status = 'archived', archived_at = $6, archived_by = $5, updated_at = $6
         where tenant_id = $1 and experiment_id = $2 and plugin = $3 and key = $4
         returning id, experiment_id, plugin, key, display_name, status, result_keys, note, archived_at, archived_by, created_at, updated_at",
        tenant.0, experiment.0, plugin, key, by, now,
    )
}

/// Restores an artifact. None when there is none.
///
/// # Errors
/// The database's.
pub async fn restore(
    tx: &mut Tx,
    tenant: TenantId,
    experiment: ExperimentId,
    plugin: &str,
    key: &str,
    now: OffsetDateTime,
) -> Result<Option<Summary>> {
    rows!(
        tx, optional Summary,
        "update artifacts set status = 'active', archived_at = null, archived_by = null, updated_at = $5
         where tenant_id = $1 and experiment_id = $2 and plugin = $3 and key = $4
         returning id, experiment_id, plugin, key, display_name, status, result_keys, note, archived_at, archived_by, created_at, updated_at",
        tenant.0, experiment.0, plugin, key, now,
    )
}

/// Deletes an artifact. False when there was none.
///
/// # Errors
/// The database's.
pub async fn delete(tx: &mut Tx, tenant: TenantId, experiment: ExperimentId, plugin: &str, key: &str) -> Result<bool> {
    execute!(
        tx,
        "delete from artifacts where tenant_id = $1 and experiment_id = $2 and plugin = $3 and key = $4",
        tenant.0,
        experiment.0,
        plugin,
        key,
    )
    .map(|rows| rows > 0)
}
