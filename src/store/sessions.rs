//! Sessions: what a credential stands for.

use mint_domain::{TenantId, UserId};
use time::OffsetDateTime;

use crate::{Page, Result, Tx};

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
    /// Slug of the role.
    pub role: String,
    /// Whether the person may make, suspend and delete tenants.
    pub is_platform_admin: bool,
    /// Why nobody may use the tenant now.
    pub suspended: Option<String>,
    /// When it ends.
    pub expires_at: OffsetDateTime,
    /// When it was last used, within a minute.
    pub last_seen_at: OffsetDateTime,
    /// Whether it changes nothing.
    pub is_read_only: bool,
}

/// A live session, without its token.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Live {
    /// The first 16 digits of the token's hash.
    pub id: String,
    /// When it began.
    pub created_at: OffsetDateTime,
    /// When it was last used, within a minute.
    pub last_seen_at: OffsetDateTime,
    /// When it ends at the latest.
    pub expires_at: OffsetDateTime,
    /// The program that began it.
    pub user_agent: Option<String>,
    /// The address from which it began.
    pub address: Option<String>,
    /// Whether it changes nothing.
    pub is_read_only: bool,
}

/// A session that begins.
#[derive(Clone, Copy, Debug)]
pub struct NewSession<'a> {
    /// Hash of its token.
    pub token_sha256: &'a str,
    /// Person.
    pub user: UserId,
    /// When it ends at the latest.
    pub expires_at: OffsetDateTime,
    /// Whether it changes nothing.
    pub is_read_only: bool,
    /// The program that begins it.
    pub user_agent: Option<&'a str>,
    /// The address from which it begins.
    pub address: Option<&'a str>,
}

/// Begins a session.
///
/// # Errors
/// The database's.
pub async fn insert(tx: &mut Tx, tenant: TenantId, new: NewSession<'_>, now: OffsetDateTime) -> Result<()> {
    execute!(
        tx,
        "insert into sessions (token_sha256, tenant_id, user_id, created_at, expires_at, last_seen_at, user_agent, address, is_read_only)
         values ($1, $2, $3, $4, $5, $4, $6, $7, $8)",
        new.token_sha256,
        tenant.0,
        new.user.0,
        now,
        new.expires_at,
        new.user_agent,
        new.address,
        new.is_read_only,
    )
    .map(|_| ())
}

/// The session of a token, if it has not ended, was used since `idle_since`, and its user may still sign in.
///
/// # Errors
/// The database's.
pub async fn find(tx: &mut Tx, token_sha256: &str, now: OffsetDateTime, idle_since: OffsetDateTime) -> Result<Option<Session>> {
    rows!(
        tx, optional Session,
        "select s.tenant_id, t.slug as tenant_slug, s.user_id, u.username, u.role, u.is_platform_admin, t.suspended,
            s.expires_at, coalesce(s.last_seen_at, s.created_at) as last_seen_at, s.is_read_only
         from sessions s join users u on u.id = s.user_id join tenants t on t.id = s.tenant_id
         where s.token_sha256 = $1 and s.expires_at > $2 and coalesce(s.last_seen_at, s.created_at) > $3 and u.is_active",
        token_sha256, now, idle_since,
    )
}

/// A person's sessions that have not ended at the first time, and were used since the second; the newest first.
///
/// # Errors
/// The database's.
pub async fn list(
    tx: &mut Tx,
    tenant: TenantId,
    user: UserId,
    (now, idle_since): (OffsetDateTime, OffsetDateTime),
    page: Page,
) -> Result<Vec<Live>> {
    rows!(
        tx, all Live,
        "select substr(token_sha256, 1, 16) as id, created_at, coalesce(last_seen_at, created_at) as last_seen_at, expires_at,
            user_agent, address, is_read_only
         from sessions
         where tenant_id = $1 and user_id = $2 and expires_at > $3 and coalesce(last_seen_at, created_at) > $4
         order by created_at desc, token_sha256 limit $5 offset $6",
        tenant.0, user.0, now, idle_since, page.limit, page.skip,
    )
}

/// Notes that a session was used.
///
/// # Errors
/// The database's.
pub async fn touch(tx: &mut Tx, tenant: TenantId, token_sha256: &str, now: OffsetDateTime) -> Result<()> {
    execute!(tx, "update sessions set last_seen_at = $3 where tenant_id = $1 and token_sha256 = $2", tenant.0, token_sha256, now)
        .map(|_| ())
}

/// Ends a person's session by its first digits.
///
/// # Errors
/// The database's.
pub async fn delete_by_id(tx: &mut Tx, tenant: TenantId, user: UserId, id: &str) -> Result<u64> {
    execute!(
        tx,
        "delete from sessions where tenant_id = $1 and user_id = $2 and substr(token_sha256, 1, 16) = $3",
        tenant.0,
        user.0,
        id
    )
}

/// Ends a session. False when there was none.
///
/// # Errors
/// The database's.
pub async fn delete(tx: &mut Tx, token_sha256: &str) -> Result<bool> {
    execute!(tx, "delete from sessions where token_sha256 = $1", token_sha256).map(|rows| rows > 0)
}

/// Forgets sessions that ended before `now`, or were not used since `idle_since`.
///
/// # Errors
/// The database's.
pub async fn delete_expired(tx: &mut Tx, now: OffsetDateTime, idle_since: OffsetDateTime) -> Result<u64> {
    execute!(tx, "delete from sessions where expires_at <= $1 or coalesce(last_seen_at, created_at) <= $2", now, idle_since)
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
