//! What was begun with a browser and is to be ended by it.

use mint_domain::{TenantId, UserId};
use time::OffsetDateTime;

use crate::{Result, Tx};

/// What is begun.
#[derive(Clone, Copy, Debug)]
pub struct NewCeremony<'a> {
    /// Hash of the word that names it.
    pub token_sha256: &'a str,
    /// What it is.
    pub kind: &'a str,
    /// Of whom it is; none where that is to be found out.
    pub user: Option<(TenantId, UserId)>,
    /// What is to be known when it ends.
    pub state: &'a str,
    /// How long it may take.
    pub expires_at: OffsetDateTime,
}

/// What is ended.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Ceremony {
    /// Of whom it is.
    pub tenant_id: Option<i64>,
    /// The same.
    pub user_id: Option<i64>,
    /// What is to be known now.
    pub state: String,
    /// How long it might take.
    pub expires_at: OffsetDateTime,
}

/// Keeps what is begun, and forgets what has taken too long, and the oldest where there would be more than `most`.
///
/// # Errors
/// The database's.
pub async fn insert(tx: &mut Tx, new: NewCeremony<'_>, most: i64, now: OffsetDateTime) -> Result<()> {
    execute!(tx, "delete from ceremonies where expires_at <= $1", now)?;
    execute!(
        tx,
        "delete from ceremonies where token_sha256 in
            (select token_sha256 from ceremonies order by expires_at desc limit 1000 offset $1)",
        most - 1,
    )?;
    execute!(
        tx,
        "insert into ceremonies (token_sha256, kind, tenant_id, user_id, state, expires_at) values ($1, $2, $3, $4, $5, $6)",
        new.token_sha256,
        new.kind,
        new.user.map(|(tenant, _)| tenant.0),
        new.user.map(|(_, user)| user.0),
        new.state,
        new.expires_at,
    )
    .map(drop)
}

/// Ends one of a kind: it is good once.
///
/// # Errors
/// The database's.
pub async fn take(tx: &mut Tx, token_sha256: &str, kind: &str) -> Result<Option<Ceremony>> {
    rows!(
        tx, optional Ceremony,
        "delete from ceremonies where token_sha256 = $1 and kind = $2 returning tenant_id, user_id, state, expires_at",
        token_sha256, kind,
    )
}
