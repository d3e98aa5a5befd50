//! Sessions: what a credential stands for.

use mint_domain::{TenantId, UserId};
use time::OffsetDateTime;

use crate::{Result, Tx};

/// Whom a live session belongs to.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Session {
    /// Tenant.
    #[sqlx(try_from = "i64")]
    pub tenant_id: TenantId,
    /// Slug of the tenant.
    #[sqlx(try_from = "String")]
    pub tenant_slug: mint_domain::Slug,
    /// Person.
    #[sqlx(try_from = "i64")]
    pub user_id: UserId,
    /// Name to sign in with.
    pub username: String,
    /// Slug of the system role.
    pub role: String,
    /// When it ends.
    pub expires_at: OffsetDateTime,
}

/// Begins a session.
///
/// # Errors
/// The database's.
pub async fn insert(
    tx: &mut Tx,
    token_sha256: &str,
    tenant: TenantId,
    user: UserId,
    now: OffsetDateTime,
    expires_at: OffsetDateTime,
) -> Result<()> {
    execute!(
        tx,
        "insert into sessions (token_sha256, tenant_id, user_id, created_at, expires_at) values ($1, $2, $3, $4, $5)",
        token_sha256,
        tenant.0,
        user.0,
        now,
        expires_at,
    )
    .map(|_| ())
}

/// The session of a token, if it has not ended and its user may still sign in.
///
/// # Errors
/// The database's.
pub async fn find(tx: &mut Tx, token_sha256: &str, now: OffsetDateTime) -> Result<Option<Session>> {
    rows!(
        tx, optional Session,
        "select s.tenant_id, t.slug as tenant_slug, s.user_id, u.username, u.role, s.expires_at
         from sessions s join users u on u.id = s.user_id join tenants t on t.id = s.tenant_id
         where s.token_sha256 = $1 and s.expires_at > $2 and u.is_active",
        token_sha256, now,
    )
}

/// Ends a session. False when there was none.
///
/// # Errors
/// The database's.
pub async fn delete(tx: &mut Tx, token_sha256: &str) -> Result<bool> {
    execute!(tx, "delete from sessions where token_sha256 = $1", token_sha256).map(|rows| rows > 0)
}

/// Forgets sessions that ended before `now`.
///
/// # Errors
/// The database's.
pub async fn delete_expired(tx: &mut Tx, now: OffsetDateTime) -> Result<u64> {
    execute!(tx, "delete from sessions where expires_at <= $1", now)
}

/// Ends a person's sessions, but for `kept`.
///
/// # Errors
/// The database's.
pub async fn delete_of_user(tx: &mut Tx, tenant: TenantId, user: UserId, kept: Option<&str>) -> Result<u64> {
    execute!(
        tx,
        "delete from sessions where tenant_id = $1 and user_id = $2 and token_sha256 <> $3",
        tenant.0,
        user.0,
        kept.unwrap_or_default(),
    )
}
