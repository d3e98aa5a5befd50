//! The servers on this database, and what each of them answers with.

use mint_domain::{Digest, InstallationId};
use serde::{Deserialize, Serialize};
use sqlx::types::Json;
use time::OffsetDateTime;

use crate::{Result, Tx};

/// A server.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Replica {
    /// Names it, as in leases.
    pub id: String,
    /// Version of the platform.
    pub version: String,
    /// Where it listens.
    pub address: String,
    /// Since when.
    pub started_at: OffsetDateTime,
    /// When it last said that it is there.
    pub seen_at: OffsetDateTime,
    /// What it answers with.
    #[sqlx(json)]
    pub serves: Vec<Served>,
}

/// A start of an installation, on one server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Served {
    /// The installation.
    pub installation: InstallationId,
    /// Digest of the release that answers; none while it is being started there.
    pub release: Option<Digest>,
    /// Which start it is.
    pub generation: i64,
}

impl Replica {
    /// Whether an installation answers there, or is being started.
    pub fn holds(&self, installation: InstallationId) -> bool {
        self.serves.iter().any(|served| served.installation == installation)
    }
}

/// Says that a server is there; with what it answers with, where that changed. False when it has to be told again.
///
/// # Errors
/// The database's.
pub async fn seen(tx: &mut Tx, id: &str, serves: Option<&[Served]>, now: OffsetDateTime) -> Result<bool> {
    let rows = match serves {
        Some(serves) => execute!(tx, "update replicas set seen_at = $2, serves = $3 where id = $1", id, now, Json(serves))?,
        None => execute!(tx, "update replicas set seen_at = $2 where id = $1", id, now)?,
    };
    Ok(rows > 0)
}

/// Introduces a server, in the place of what was known of it.
///
/// # Errors
/// The database's.
pub async fn insert(tx: &mut Tx, replica: &Replica) -> Result<()> {
    execute!(
        tx,
        "insert into replicas (id, version, address, started_at, seen_at, serves) values ($1, $2, $3, $4, $5, $6)
         on conflict (id) do update set version = excluded.version, address = excluded.address, started_at = excluded.started_at,
            seen_at = excluded.seen_at, serves = excluded.serves",
        &replica.id,
        &replica.version,
        &replica.address,
        replica.started_at,
        replica.seen_at,
        Json(&replica.serves),
    )
    .map(drop)
}

/// Servers that were there since `then`, by their start.
///
/// # Errors
/// The database's.
pub async fn since(tx: &mut Tx, then: OffsetDateTime) -> Result<Vec<Replica>> {
    rows!(
        tx, all Replica,
        "select id, version, address, started_at, seen_at, serves from replicas where seen_at >= $1 order by started_at, id",
        then,
    )
}

/// Forgets a server that ends.
///
/// # Errors
/// The database's.
pub async fn delete(tx: &mut Tx, id: &str) -> Result<()> {
    execute!(tx, "delete from replicas where id = $1", id).map(drop)
}

/// Forgets servers that nobody has seen since `then`.
///
/// # Errors
/// The database's.
pub async fn forget(tx: &mut Tx, then: OffsetDateTime) -> Result<u64> {
    execute!(tx, "delete from replicas where seen_at < $1", then)
}
