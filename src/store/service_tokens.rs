//! Service tokens: what programs beside instruments sign in with, to one plugin.

use mint_domain::{InstrumentId, Slug, TenantId};
use sqlx::types::Json;
use time::OffsetDateTime;

use crate::{Page, Result, Tx};

/// A token, without what it is.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct ServiceToken {
    /// Identifier.
    pub id: i64,
    /// What people call it.
    pub name: String,
    /// Slug of the plugin that it reaches.
    pub plugin: String,
    /// The instruments that it stands for.
    pub instruments: Json<Vec<InstrumentId>>,
    /// Its first characters.
    pub beginning: String,
    /// When it was made.
    pub created_at: OffsetDateTime,
    /// When it ends; none for never.
    pub expires_at: Option<OffsetDateTime>,
    /// When it was last used, within a minute.
    pub last_used_at: Option<OffsetDateTime>,
}

/// A new token.
#[derive(Clone, Copy, Debug)]
pub struct NewServiceToken<'a> {
    /// What people call it.
    pub name: &'a str,
    /// Slug of the plugin that it reaches.
    pub plugin: &'a Slug,
    /// The instruments that it stands for.
    pub instruments: &'a [InstrumentId],
    /// Its first characters.
    pub beginning: &'a str,
    /// Its hash.
    pub sha256: &'a str,
    /// When it ends; none for never.
    pub expires_at: Option<OffsetDateTime>,
}

/// What a live token stands for.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Found {
    /// The token.
    pub id: i64,
    /// Tenant.
    #[sqlx(try_from = "i64")]
    pub tenant_id: TenantId,
    /// Slug of the tenant.
    #[sqlx(try_from = "String")]
    pub tenant_slug: Slug,
    /// Why nobody may use the tenant now.
    pub suspended: Option<String>,
    /// The plugin that it reaches.
    #[sqlx(try_from = "String")]
    pub plugin: Slug,
    /// The instruments that it stands for.
    pub instruments: Json<Vec<InstrumentId>>,
    /// When it was last used, within a minute.
    pub last_used_at: Option<OffsetDateTime>,
}

/// Keeps a token.
///
/// # Errors
/// The database's.
pub async fn insert(tx: &mut Tx, tenant: TenantId, new: NewServiceToken<'_>, now: OffsetDateTime) -> Result<ServiceToken> {
    rows!(
        tx, one ServiceToken,
        "insert into service_tokens (tenant_id, name, plugin, instruments, beginning, token_sha256, created_at, expires_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8)
         returning id, name, plugin, instruments, beginning, created_at, expires_at, last_used_at",
        tenant.0, new.name, new.plugin.as_str(), Json(new.instruments), new.beginning, new.sha256, now, new.expires_at,
    )
}

/// The tokens of a tenant, the newest first.
///
/// # Errors
/// The database's.
pub async fn list(tx: &mut Tx, tenant: TenantId, page: Page) -> Result<Vec<ServiceToken>> {
    rows!(
        tx, all ServiceToken,
        "select id, name, plugin, instruments, beginning, created_at, expires_at, last_used_at from service_tokens
         where tenant_id = $1 order by id desc limit $2 offset $3",
        tenant.0, page.limit, page.skip,
    )
}

/// How many tokens a tenant has.
///
/// # Errors
/// The database's.
pub async fn count(tx: &mut Tx, tenant: TenantId) -> Result<i64> {
    rows!(tx, one(i64,), "select count(*) from service_tokens where tenant_id = $1", tenant.0).map(|(count,)| count)
}

/// What a token stands for, if it has not ended.
///
/// # Errors
/// The database's.
pub async fn find(tx: &mut Tx, sha256: &str, now: OffsetDateTime) -> Result<Option<Found>> {
    rows!(
        tx, optional Found,
        "select s.id, s.tenant_id, t.slug as tenant_slug, t.suspended, s.plugin, s.instruments, s.last_used_at
         from service_tokens s join tenants t on t.id = s.tenant_id
         where s.token_sha256 = $1 and (s.expires_at is null or s.expires_at > $2)",
        sha256, now,
    )
}

/// Notes that a token was used.
///
/// # Errors
/// The database's.
pub async fn touch(tx: &mut Tx, tenant: TenantId, id: i64, now: OffsetDateTime) -> Result<()> {
    execute!(tx, "update service_tokens set last_used_at = $3 where tenant_id = $1 and id = $2", tenant.0, id, now).map(|_| ())
}

/// Ends a token, and gives what it was; none when there was none.
///
/// # Errors
/// The database's.
pub async fn delete(tx: &mut Tx, tenant: TenantId, id: i64) -> Result<Option<ServiceToken>> {
    rows!(
        tx, optional ServiceToken,
        "delete from service_tokens where tenant_id = $1 and id = $2
         returning id, name, plugin, instruments, beginning, created_at, expires_at, last_used_at",
        tenant.0, id,
    )
}
