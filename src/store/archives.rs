//! What plugins that were removed left behind, under names of its own.

use mint_domain::{ArchiveName, TenantId};
use serde_json::Value;
use sqlx::types::Json;
use time::OffsetDateTime;

use crate::{Result, Tx};

/// An archive.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Archive {
    /// Its tenant.
    #[sqlx(try_from = "i64")]
    pub tenant_id: TenantId,
    /// Its name, under which tables and files stand too.
    #[sqlx(try_from = "String")]
    pub name: ArchiveName,
    /// Version of the release that answered last.
    pub version: String,
    /// Stored settings: a JSON object.
    #[sqlx(json)]
    pub settings: Value,
    /// Whether there are tables.
    pub has_tables: bool,
    /// Whether there are files.
    pub has_files: bool,
    /// Who removed the plugin.
    pub archived_by: String,
    /// When.
    pub archived_at: OffsetDateTime,
}

/// Records an archive.
///
/// # Errors
/// The database's.
pub async fn insert(tx: &mut Tx, archive: &Archive) -> Result<()> {
    execute!(
        tx,
        "insert into archives (tenant_id, name, plugin, version, settings, has_tables, has_files, archived_by, archived_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9) on conflict (tenant_id, name) do nothing",
        archive.tenant_id.0,
        archive.name.to_string(),
        archive.name.plugin().as_str(),
        &archive.version,
        Json(&archive.settings),
        archive.has_tables,
        archive.has_files,
        &archive.archived_by,
        archive.archived_at,
    )
    .map(|_| ())
}

/// A tenant's archives, the latest first.
///
/// # Errors
/// The database's.
pub async fn list(tx: &mut Tx, tenant: TenantId) -> Result<Vec<Archive>> {
    rows!(
        tx, all Archive,
        "select tenant_id, name, version, settings, has_tables, has_files, archived_by, archived_at from archives
         where tenant_id = $1 order by archived_at desc, name",
        tenant.0,
    )
}

/// Every tenant's archives.
///
/// # Errors
/// The database's.
pub async fn list_all(tx: &mut Tx) -> Result<Vec<Archive>> {
    rows!(
        tx, all Archive,
        "select tenant_id, name, version, settings, has_tables, has_files, archived_by, archived_at from archives order by name",
    )
}

/// An archive by name.
///
/// # Errors
/// The database's.
pub async fn find(tx: &mut Tx, tenant: TenantId, name: &ArchiveName) -> Result<Option<Archive>> {
    rows!(
        tx, optional Archive,
        "select tenant_id, name, version, settings, has_tables, has_files, archived_by, archived_at from archives
         where tenant_id = $1 and name = $2",
        tenant.0, name.to_string(),
    )
}

/// Writes settings in the place of those that an archive has. False when these are no longer `expected`.
///
/// # Errors
/// The database's.
pub async fn swap_settings(tx: &mut Tx, archive: &Archive, settings: &Value) -> Result<bool> {
    execute!(
        tx,
        "update archives set settings = $4 where tenant_id = $1 and name = $2 and settings = $3",
        archive.tenant_id.0,
        archive.name.to_string(),
        Json(&archive.settings),
        Json(settings),
    )
    .map(|rows| rows > 0)
}

/// Forgets an archive. False when it was gone.
///
/// # Errors
/// The database's.
pub async fn delete(tx: &mut Tx, tenant: TenantId, name: &ArchiveName) -> Result<bool> {
    execute!(tx, "delete from archives where tenant_id = $1 and name = $2", tenant.0, name.to_string()).map(|rows| rows > 0)
}
