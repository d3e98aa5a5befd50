//! Access tokens: what people give to programs in the place of their password.

use mint_domain::{Permission, Slug, TenantId, UserId};
use sqlx::types::Json;
use time::OffsetDateTime;

use crate::{Page, Result, Tx};

/// A token, without what it is.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Token {
    /// Identifier.
    pub id: i64,
    /// Whose it is.
    #[sqlx(try_from = "i64")]
    pub user_id: UserId,
    /// What its owner calls it.
    pub name: String,
    /// Its first characters.
    pub beginning: String,
    /// Whether it changes nothing.
    pub is_read_only: bool,
    /// What it allows at most; none for all that its owner may.
    pub permissions: Option<Json<Vec<Permission>>>,
    /// When it was made.
    pub created_at: OffsetDateTime,
    /// When it ends.
    pub expires_at: OffsetDateTime,
    /// When it was last used, within a minute.
    pub last_used_at: Option<OffsetDateTime>,
}

/// A new token.
#[derive(Clone, Copy, Debug)]
pub struct NewToken<'a> {
    /// What its owner calls it.
    pub name: &'a str,
    /// Its first characters.
    pub beginning: &'a str,
    /// Its hash.
    pub sha256: &'a str,
    /// Whether it changes nothing.
    pub is_read_only: bool,
    /// What it allows at most.
    pub permissions: Option<&'a [Permission]>,
    /// When it ends.
    pub expires_at: OffsetDateTime,
}

/// Whom a live token stands for.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Bearer {
    /// The token.
    pub id: i64,
    /// Tenant.
    #[sqlx(try_from = "i64")]
    pub tenant_id: TenantId,
    /// Slug of the tenant.
    #[sqlx(try_from = "String")]
    pub tenant_slug: Slug,
    /// Person.
    #[sqlx(try_from = "i64")]
    pub user_id: UserId,
    /// Name to sign in with.
    pub username: String,
    /// Slug of the role.
    pub role: String,
    /// Why nobody may use the tenant now.
    pub suspended: Option<String>,
    /// Whether it changes nothing.
    pub is_read_only: bool,
    /// What it allows at most; none for all that its owner may.
    pub permissions: Option<Json<Vec<Permission>>>,
    /// When it was last used, within a minute.
    pub last_used_at: Option<OffsetDateTime>,
}

/// Keeps a token.
///
/// # Errors
/// The database's.
pub async fn insert(tx: &mut Tx, tenant: TenantId, user: UserId, new: NewToken<'_>, now: OffsetDateTime) -> Result<Token> {
    rows!(
        tx, one Token,
        "insert into access_tokens
            (tenant_id, user_id, name, beginning, token_sha256, is_read_only, permissions, created_at, expires_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
         returning id, user_id, name, beginning, is_read_only, permissions, created_at, expires_at, last_used_at",
        tenant.0, user.0, new.name, new.beginning, new.sha256, new.is_read_only, new.permissions.map(Json), now, new.expires_at,
    )
}

/// A person's tokens, the newest first.
///
/// # Errors
/// The database's.
pub async fn list(tx: &mut Tx, tenant: TenantId, user: UserId, page: Page) -> Result<Vec<Token>> {
    rows!(
        tx, all Token,
        "select id, user_id, name, beginning, is_read_only, permissions, created_at, expires_at, last_used_at from access_tokens
         where tenant_id = $1 and user_id = $2 order by id desc limit $3 offset $4",
        tenant.0, user.0, page.limit, page.skip,
    )
}

/// A token of the tenant.
///
/// # Errors
/// The database's.
pub async fn get(tx: &mut Tx, tenant: TenantId, id: i64) -> Result<Option<Token>> {
    rows!(
        tx, optional Token,
        "select id, user_id, name, beginning, is_read_only, permissions, created_at, expires_at, last_used_at from access_tokens
         where tenant_id = $1 and id = $2",
        tenant.0, id,
    )
}

/// How many tokens a person has.
///
/// # Errors
/// The database's.
pub async fn count(tx: &mut Tx, tenant: TenantId, user: UserId) -> Result<i64> {
    rows!(tx, one(i64,), "select count(*) from access_tokens where tenant_id = $1 and user_id = $2", tenant.0, user.0)
        .map(|(count,)| count)
}

/// Whom a token stands for, if it has not ended and they may still sign in.
///
/// # Errors
/// The database's.
pub async fn find(tx: &mut Tx, sha256: &str, now: OffsetDateTime) -> Result<Option<Bearer>> {
    rows!(
        tx, optional Bearer,
        "select a.id, a.tenant_id, t.slug as tenant_slug, a.user_id, u.username, u.role, t.suspended, a.is_read_only,
            a.permissions, a.last_used_at
         from access_tokens a join users u on u.id = a.user_id join tenants t on t.id = a.tenant_id
         where a.token_sha256 = $1 and a.expires_at > $2 and u.is_active",
        sha256, now,
    )
}

/// Notes that a token was used.
///
/// # Errors
/// The database's.
pub async fn touch(tx: &mut Tx, tenant: TenantId, id: i64, now: OffsetDateTime) -> Result<()> {
    execute!(tx, "update access_tokens set last_used_at = $3 where tenant_id = $1 and id = $2", tenant.0, id, now).map(|_| ())
}

/// Ends a token. False when there was none.
///
/// # Errors
/// The database's.
pub async fn delete(tx: &mut Tx, tenant: TenantId, id: i64) -> Result<bool> {
    execute!(tx, "delete from access_tokens where tenant_id = $1 and id = $2", tenant.0, id).map(|rows| rows > 0)
}
