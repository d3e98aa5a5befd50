//! Snapshots of installations: what there is, and where their archives stand.

use std::collections::BTreeSet;

use mint_domain::{Digest, InstallationId, OperationId, ReleaseId, SnapshotId, TenantId};
use sqlx::types::Json;
use time::OffsetDateTime;

use crate::{Result, Tx};

/// A snapshot.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Snapshot {
    /// Identifier.
    #[sqlx(try_from = "i64")]
    pub id: SnapshotId,
    /// The release that the data are of.
    #[sqlx(try_from = "i64")]
    pub release_id: ReleaseId,
    /// Its version.
    pub version: String,
    /// The change before which it was taken, or which took it.
    pub operation_id: Option<i64>,
    /// Why it was taken: `asked`, `upgrade`, `rollback`, `restore`; `uploaded` for one that came as a file.
    pub reason: String,
    /// Who asked for what it was taken for.
    pub taken_by: String,
    /// Name of the archive.
    pub file: String,
    /// SHA-256 of the archive.
    #[sqlx(try_from = "String")]
    pub sha256: Digest,
    /// Bytes of the archive.
    pub size: i64,
    /// When it was taken.
    pub created_at: OffsetDateTime,
}

/// What to record.
#[derive(Clone, Debug)]
pub struct NewSnapshot<'a> {
    /// Whose data.
    pub installation: InstallationId,
    /// The release that the data are of.
    pub release: ReleaseId,
    /// The change before which it was taken.
    pub operation: Option<OperationId>,
    /// Why it was taken.
    pub reason: &'a str,
    /// Who asked.
    pub taken_by: &'a str,
    /// Name of the archive.
    pub file: &'a str,
    /// SHA-256 of the archive.
    pub sha256: Digest,
    /// Bytes of the archive.
    pub size: i64,
    /// Names of the keys that its sealed settings need.
    pub secret_keys: &'a BTreeSet<String>,
}

/// Records a snapshot whose archive stands.
///
/// # Errors
/// The database's.
pub async fn insert(tx: &mut Tx, tenant: TenantId, new: &NewSnapshot<'_>, now: OffsetDateTime) -> Result<SnapshotId> {
    let (id,) = rows!(
        tx, one (i64,),
        "insert into snapshots (tenant_id, installation_id, release_id, reason, taken_by, file, sha256, size, created_at, operation_id,
            secret_keys)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) returning id",
        tenant.0, new.installation.0, new.release.0, new.reason, new.taken_by, new.file, new.sha256.to_string(), new.size, now,
        new.operation.map(|id| id.0), Json(new.secret_keys),
    )?;
    Ok(SnapshotId(id))
}

/// The snapshots of an installation, the latest first.
///
/// # Errors
/// The database's.
pub async fn list(tx: &mut Tx, tenant: TenantId, installation: InstallationId) -> Result<Vec<Snapshot>> {
    rows!(
        tx, all Snapshot,
        "select s.id, s.release_id, s.operation_id, r.version, s.reason, s.taken_by, s.file, s.sha256, s.size, s.created_at
         from snapshots s join releases r on r.id = s.release_id
         where s.tenant_id = $1 and s.installation_id = $2 order by s.id desc",
        tenant.0, installation.0,
    )
}

/// One snapshot of an installation.
///
/// # Errors
/// The database's.
pub async fn get(tx: &mut Tx, tenant: TenantId, installation: InstallationId, id: SnapshotId) -> Result<Option<Snapshot>> {
    rows!(
        tx, optional Snapshot,
        "select s.id, s.release_id, s.operation_id, r.version, s.reason, s.taken_by, s.file, s.sha256, s.size, s.created_at
         from snapshots s join releases r on r.id = s.release_id
         where s.tenant_id = $1 and s.installation_id = $2 and s.id = $3",
        tenant.0, installation.0, id.0,
    )
}

/// The snapshot that was taken before a change.
///
/// # Errors
/// The database's.
pub async fn before(tx: &mut Tx, tenant: TenantId, operation: OperationId) -> Result<Option<Snapshot>> {
    rows!(
        tx, optional Snapshot,
        "select s.id, s.release_id, s.operation_id, r.version, s.reason, s.taken_by, s.file, s.sha256, s.size, s.created_at
         from snapshots s join releases r on r.id = s.release_id
         where s.tenant_id = $1 and s.operation_id = $2 order by s.id desc limit 1",
        tenant.0, operation.0,
    )
}

/// Forgets a snapshot; its archive is swept. False when it was gone.
///
/// # Errors
/// The database's.
pub async fn delete(tx: &mut Tx, tenant: TenantId, installation: InstallationId, id: SnapshotId) -> Result<bool> {
    execute!(
        tx,
        "delete from snapshots where tenant_id = $1 and installation_id = $2 and id = $3",
        tenant.0,
        installation.0,
        id.0,
    )
    .map(|rows| rows > 0)
}

/// The names of the keys that sealed settings need, of each snapshot of every tenant that has some.
///
/// # Errors
/// The database's.
pub async fn secret_keys(tx: &mut Tx) -> Result<Vec<BTreeSet<String>>> {
    type Keys = (Json<BTreeSet<String>>,);
    let rows = rows!(tx, all Keys, "select secret_keys from snapshots")?;
    Ok(rows.into_iter().map(|(Json(keys),)| keys).filter(|keys| !keys.is_empty()).collect())
}

/// Names of all archives.
///
/// # Errors
/// The database's.
pub async fn files(tx: &mut Tx) -> Result<Vec<String>> {
    let rows = rows!(tx, all(String,), "select file from snapshots")?;
    Ok(rows.into_iter().map(|(file,)| file).collect())
}

/// The archive of a snapshot, as it should be.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Archive {
    /// Identifier of the snapshot.
    pub id: i64,
    /// Name of the archive.
    pub file: String,
    /// SHA-256 of the archive.
    #[sqlx(try_from = "String")]
    pub sha256: Digest,
}

/// The archives of all snapshots of all tenants.
///
/// # Errors
/// The database's.
pub async fn archives(tx: &mut Tx) -> Result<Vec<Archive>> {
    rows!(tx, all Archive, "select id, file, sha256 from snapshots order by id")
}

/// Forgets a snapshot whose archive is gone.
///
/// # Errors
/// The database's.
pub async fn forget(tx: &mut Tx, archive: &Archive) -> Result<()> {
    execute!(tx, "delete from snapshots where id = $1 and file = $2", archive.id, archive.file.as_str()).map(drop)
}
