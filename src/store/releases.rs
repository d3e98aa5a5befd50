//! Releases: what can be installed, the same for every tenant.

use mint_domain::{Digest, Manifest, ReleaseId};
use sqlx::types::Json;
use time::OffsetDateTime;

use crate::{Result, Tx};

/// A release.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Release {
    /// Identifier.
    #[sqlx(try_from = "i64")]
    pub id: ReleaseId,
    /// Slug of the plugin.
    pub slug: String,
    /// Its version.
    pub version: String,
    /// Digest of the bundle.
    #[sqlx(try_from = "String")]
    pub digest: Digest,
    /// What the bundle says of itself.
    #[sqlx(json)]
    pub manifest: Manifest,
    /// When it was first seen.
    pub created_at: OffsetDateTime,
}

/// Records a release, unless it is known already.
///
/// # Errors
/// The database's.
pub async fn insert(tx: &mut Tx, manifest: &Manifest, digest: &Digest, now: OffsetDateTime) -> Result<()> {
    execute!(
        tx,
        "insert into releases (slug, version, digest, manifest, created_at) values ($1, $2, $3, $4, $5) on conflict do nothing",
        manifest.plugin.slug.as_str(),
        &manifest.plugin.version,
        digest.to_string(),
        Json(manifest),
        now,
    )
    .map(|_| ())
}

/// The release of a version.
///
/// # Errors
/// The database's.
pub async fn find(tx: &mut Tx, slug: &str, version: &str) -> Result<Option<Release>> {
    rows!(
        tx, optional Release,
        "select id, slug, version, digest, manifest, created_at from releases where slug = $1 and version = $2",
        slug, version,
    )
}

/// A release by id.
///
/// # Errors
/// The database's.
pub async fn get(tx: &mut Tx, id: ReleaseId) -> Result<Option<Release>> {
    rows!(tx, optional Release, "select id, slug, version, digest, manifest, created_at from releases where id = $1", id.0)
}

/// Digests of all releases.
///
/// # Errors
/// The database's.
pub async fn digests(tx: &mut Tx) -> Result<Vec<String>> {
    let rows = rows!(tx, all(String,), "select digest from releases")?;
    Ok(rows.into_iter().map(|(digest,)| digest).collect())
}

/// All releases.
///
/// # Errors
/// The database's.
pub async fn list(tx: &mut Tx) -> Result<Vec<Release>> {
    rows!(tx, all Release, "select id, slug, version, digest, manifest, created_at from releases order by id")
}

/// Digests of all releases, with their versions.
///
/// # Errors
/// The database's.
pub async fn versions(tx: &mut Tx) -> Result<Vec<(Digest, String)>> {
    let rows = rows!(tx, all(String, String), "select digest, version from releases")?;
    Ok(rows.into_iter().filter_map(|(digest, version)| Some((digest.parse().ok()?, version))).collect())
}

/// Forgets a release that no installation uses or keeps, and no snapshot is of. False when one does, or it is not there.
///
/// # Errors
/// The database's.
pub async fn delete_unused(tx: &mut Tx, id: ReleaseId) -> Result<bool> {
    execute!(
        tx,
        "delete from releases where id = $1 and not exists (select 1 from installations where release_id = $1)
            and not exists (select 1 from installation_releases where release_id = $1)
            and not exists (select 1 from snapshots where release_id = $1)",
        id.0,
    )
    .map(|rows| rows > 0)
}
