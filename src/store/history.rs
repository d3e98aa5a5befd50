//! Which releases answered for an installation, the active one last.

use mint_domain::{InstallationId, ReleaseId};
use time::OffsetDateTime;

use crate::{Result, Tx};

/// A release, and when it answered.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Reign {
    /// The release.
    #[sqlx(try_from = "i64")]
    pub release_id: ReleaseId,
    /// Its version.
    pub version: String,
    /// Since when.
    pub began_at: OffsetDateTime,
    /// Until when; none for the active one.
    pub ended_at: Option<OffsetDateTime>,
}

/// Writes that a release answers from now on.
///
/// # Errors
/// The database's.
pub async fn begin(tx: &mut Tx, installation: InstallationId, release: ReleaseId, now: OffsetDateTime) -> Result<()> {
    execute!(
        tx,
        "update installation_releases set ended_at = $2 where installation_id = $1 and ended_at is null",
        installation.0,
        now,
    )?;
    execute!(
        tx,
        "insert into installation_releases (installation_id, release_id, began_at) values ($1, $2, $3)",
        installation.0,
        release.0,
        now,
    )
    .map(drop)
}

/// The releases of an installation, the active one first.
///
/// # Errors
/// The database's.
pub async fn list(tx: &mut Tx, installation: InstallationId) -> Result<Vec<Reign>> {
    rows!(
        tx, all Reign,
        "select h.release_id, r.version, h.began_at, h.ended_at from installation_releases h join releases r on r.id = h.release_id
         where h.installation_id = $1 order by h.id desc",
        installation.0,
    )
}

/// Forgets the last time that a release answered for an installation; earlier ones stay.
///
/// # Errors
/// The database's.
pub async fn forget_last(tx: &mut Tx, installation: InstallationId, release: ReleaseId) -> Result<()> {
    execute!(
        tx,
        "delete from installation_releases where id = (select max(id) from installation_releases
            where installation_id = $1 and release_id = $2 and ended_at is not null)",
        installation.0,
        release.0,
    )
    .map(drop)
}

/// Forgets that a release ever answered for an installation.
///
/// # Errors
/// The database's.
pub async fn forget(tx: &mut Tx, installation: InstallationId, release: ReleaseId) -> Result<()> {
    execute!(
        tx,
        "delete from installation_releases where installation_id = $1 and release_id = $2 and ended_at is not null",
        installation.0,
        release.0,
    )
    .map(drop)
}
