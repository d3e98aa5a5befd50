//! By what the first administrator of an installation is made. No tenant's: there is none yet.

use time::OffsetDateTime;

use crate::{Result, Tx};

/// Keeps a token, and forgets those that have ended.
///
/// # Errors
/// The database's.
pub async fn insert(tx: &mut Tx, sha256: &str, expires_at: OffsetDateTime, now: OffsetDateTime) -> Result<()> {
    execute!(tx, "delete from setup_tokens where expires_at <= $1", now)?;
    execute!(tx, "insert into setup_tokens (token_sha256, expires_at) values ($1, $2)", sha256, expires_at).map(drop)
}

/// Whether a token is good.
///
/// # Errors
/// The database's.
pub async fn is_good(tx: &mut Tx, sha256: &str, now: OffsetDateTime) -> Result<bool> {
    let found =
        rows!(tx, one(i64,), "select count(*) from setup_tokens where token_sha256 = $1 and expires_at > $2", sha256, now,)?;
    Ok(found.0 > 0)
}

/// Takes all tokens away, whoever has them, and says whether this one was a good one. Of several that do so at once, one
/// finds it.
///
/// # Errors
/// The database's.
pub async fn take(tx: &mut Tx, sha256: &str, now: OffsetDateTime) -> Result<bool> {
    let taken = rows!(tx, all(String, OffsetDateTime), "delete from setup_tokens returning token_sha256, expires_at")?;
    Ok(taken.iter().any(|(found, expires_at)| found == sha256 && *expires_at > now))
}
