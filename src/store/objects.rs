//! Rows of experiment files. The bytes stand in the object storage.

use mint_domain::{ExperimentId, ObjectKey, TenantId};
use serde_json::Value;
use sqlx::types::Json;
use time::OffsetDateTime;

use crate::{Result, Tx};

/// The owner of what people upload. No plugin can have this slug, because its prefix belongs to the platform.
pub const PLATFORM_OWNER: &str = "platform";

/// What is known of a file.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Object {
    /// Its experiment.
    #[sqlx(try_from = "i64")]
    pub experiment_id: ExperimentId,
    /// Slug of the plugin that put it, or [`PLATFORM_OWNER`].
    pub plugin: String,
    /// Its name within (experiment, plugin).
    #[sqlx(try_from = "String")]
    pub key: ObjectKey,
    /// Its name where it came from, where that is not the last part of the key.
    pub filename: Option<String>,
    /// Media type.
    pub content_type: Option<String>,
    /// A JSON object of texts.
    #[sqlx(json)]
    pub metadata: Value,
    /// Bytes.
    pub size: i64,
    /// SHA-256 in hexadecimal.
    pub sha256: String,
    /// Name in the object storage.
    pub blob: String,
    /// When it was put.
    pub created_at: OffsetDateTime,
}

/// What to record of a file whose bytes are stored.
#[derive(Clone, Debug)]
pub struct NewObject<'a> {
    /// Slug of the plugin, or [`PLATFORM_OWNER`].
    pub plugin: &'a str,
    /// Its name within (experiment, plugin).
    pub key: &'a ObjectKey,
    /// Its name where it came from, where that is not the last part of the key.
    pub filename: Option<&'a str>,
    /// Media type.
    pub content_type: Option<&'a str>,
    /// A JSON object of texts.
    pub metadata: &'a Value,
    /// Bytes.
    pub size: i64,
    /// SHA-256 in hexadecimal.
    pub sha256: &'a str,
    /// Name in the object storage.
    pub blob: &'a str,
    /// Who put it.
    pub created_by: Option<i64>,
}

/// Where the bytes of a file are, and what they should be.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Located {
    /// Identifier of the row.
    pub id: i64,
    /// Its experiment.
    pub experiment_id: i64,
    /// Slug of the plugin, or [`PLATFORM_OWNER`].
    pub plugin: String,
    /// Its name within (experiment, plugin).
    pub key: String,
    /// Bytes.
    pub size: i64,
    /// SHA-256 in hexadecimal.
    pub sha256: String,
    /// Name in the object storage.
    pub blob: String,
}

/// Where the bytes of all files of all tenants are.
///
/// # Errors
/// The database's.
pub async fn located(tx: &mut Tx) -> Result<Vec<Located>> {
    rows!(tx, all Located, "select id, experiment_id, plugin, key, size, sha256, blob from objects order by id")
}

/// Forgets a file whose bytes are gone, if it is still the same.
///
/// # Errors
/// The database's.
pub async fn forget(tx: &mut Tx, id: i64, blob: &str) -> Result<()> {
    execute!(tx, "delete from objects where id = $1 and blob = $2", id, blob).map(drop)
}

/// Records a file in the place of one of the same key, whose blob is marked for deletion.
///
/// # Errors
/// [`crate::Error::DanglingReference`] when the experiment is gone.
pub async fn replace(
    tx: &mut Tx,
    tenant: TenantId,
    experiment: ExperimentId,
    new: &NewObject<'_>,
    now: OffsetDateTime,
) -> Result<Object> {
    delete(tx, tenant, experiment, new.plugin, new.key.as_str(), now).await?;
    rows!(
        tx, one Object,
        "insert into objects (tenant_id, experiment_id, plugin, key, filename, content_type, metadata, size, sha256, blob, created_by,
                              created_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
         returning experiment_id, plugin, key, filename, content_type, metadata, size, sha256, blob, created_at",
        tenant.0, experiment.0, new.plugin, new.key.as_str(), new.filename, new.content_type, Json(new.metadata), new.size,
        new.sha256, new.blob, new.created_by, now,
    )
}

/// A file.
///
/// # Errors
/// The database's.
pub async fn get(tx: &mut Tx, tenant: TenantId, experiment: ExperimentId, plugin: &str, key: &str) -> Result<Option<Object>> {
    rows!(
        tx, optional Object,
        "select experiment_id, plugin, key, filename, content_type, metadata, size, sha256, blob, created_at
         from objects where tenant_id = $1 and experiment_id = $2 and plugin = $3 and key = $4",
        tenant.0, experiment.0, plugin, key,
    )
}

/// Files of an experiment by key.
///
/// # Errors
/// The database's.
pub async fn list(tx: &mut Tx, tenant: TenantId, experiment: ExperimentId) -> Result<Vec<Object>> {
    rows!(
        tx, all Object,
        "select experiment_id, plugin, key, filename, content_type, metadata, size, sha256, blob, created_at
         from objects where tenant_id = $1 and experiment_id = $2 order by key, plugin",
        tenant.0, experiment.0,
    )
}

/// Deletes a file's row and marks its blob for deletion. False when there was none.
///
/// # Errors
/// The database's.
pub async fn delete(
    tx: &mut Tx,
    tenant: TenantId,
    experiment: ExperimentId,
    plugin: &str,
    key: &str,
    now: OffsetDateTime,
) -> Result<bool> {
    execute!(
        tx,
        "insert into blobs_to_delete (blob, since)
         select blob, $5 from objects where tenant_id = $1 and experiment_id = $2 and plugin = $3 and key = $4",
        tenant.0,
        experiment.0,
        plugin,
        key,
        now,
    )?;
    execute!(
        tx,
        "delete from objects where tenant_id = $1 and experiment_id = $2 and plugin = $3 and key = $4",
        tenant.0,
        experiment.0,
        plugin,
        key,
    )
    .map(|rows| rows > 0)
}

/// Marks every blob of an experiment for deletion; its rows go with the experiment.
///
/// # Errors
/// The database's.
pub async fn mark_all(tx: &mut Tx, tenant: TenantId, experiment: ExperimentId, now: OffsetDateTime) -> Result<u64> {
    execute!(
        tx,
        "insert into blobs_to_delete (blob, since) select blob, $3 from objects where tenant_id = $1 and experiment_id = $2",
        tenant.0,
        experiment.0,
        now,
    )
}

/// Blobs marked for deletion, at most `limit`.
///
/// # Errors
/// The database's.
pub async fn marked(tx: &mut Tx, limit: i64) -> Result<Vec<String>> {
    let blobs = rows!(tx, all(String,), "select blob from blobs_to_delete order by since limit $1", limit)?;
    Ok(blobs.into_iter().map(|(blob,)| blob).collect())
}

/// Forgets the mark of a blob that is gone.
///
/// # Errors
/// The database's.
pub async fn unmark(tx: &mut Tx, blob: &str) -> Result<()> {
    execute!(tx, "delete from blobs_to_delete where blob = $1", blob).map(|_| ())
}

/// Bytes of all files that a plugin put in a tenant.
///
/// # Errors
/// The database's.
pub async fn bytes_of(tx: &mut Tx, tenant: TenantId, plugin: &str) -> Result<u64> {
    let (bytes,) = rows!(
        tx,
        one(i64,),
        "select cast(coalesce(sum(size), 0) as bigint) from objects where tenant_id = $1 and plugin = $2",
        tenant.0,
        plugin,
    )?;
    Ok(bytes.unsigned_abs())
}
