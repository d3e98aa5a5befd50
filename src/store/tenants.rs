//! Tenants.

use mint_domain::{Slug, TenantId, limit::LimitChanges, share::ShareChanges};
use sqlx::types::Json;
use time::OffsetDateTime;

use crate::{Result, Tx};

/// A laboratory.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Tenant {
    /// Identifier.
    #[sqlx(try_from = "i64")]
    pub id: TenantId,
    /// Name in URLs and paths.
    #[sqlx(try_from = "String")]
    pub slug: Slug,
    /// Name shown to people.
    pub name: String,
    /// What its plugins may use up where nothing is said of one of them.
    #[sqlx(json)]
    pub limits: LimitChanges,
    /// What they may take of a server together, where the operator says another share than everybody's.
    #[sqlx(json)]
    pub share: ShareChanges,
    /// When it was made.
    pub created_at: OffsetDateTime,
}

/// Makes a tenant.
///
/// # Errors
/// [`crate::Error::Duplicate`] when the slug is taken.
pub async fn insert(tx: &mut Tx, slug: &Slug, name: &str, now: OffsetDateTime) -> Result<Tenant> {
    rows!(tx, one Tenant, "insert into tenants (slug, name, created_at) values ($1, $2, $3) returning *", slug.as_str(), name, now)
        .map_err(|e| e.naming("tenant"))
}

/// The tenant of a slug.
///
/// # Errors
/// The database's.
pub async fn find(tx: &mut Tx, slug: &str) -> Result<Option<Tenant>> {
    rows!(tx, optional Tenant, "select * from tenants where slug = $1", slug)
}

/// Every tenant.
///
/// # Errors
/// The database's.
pub async fn list(tx: &mut Tx) -> Result<Vec<Tenant>> {
    rows!(tx, all Tenant, "select * from tenants order by id")
}

/// A tenant by id.
///
/// # Errors
/// The database's.
pub async fn get(tx: &mut Tx, tenant: TenantId) -> Result<Option<Tenant>> {
    rows!(tx, optional Tenant, "select * from tenants where id = $1", tenant.0)
}

/// A tenant whose row nobody else changes until the transaction ends.
///
/// # Errors
/// The database's.
pub async fn lock(tx: &mut Tx, tenant: TenantId) -> Result<Option<Tenant>> {
    rows!(tx, optional Tenant, "update tenants set name = name where id = $1 returning *", tenant.0)
}

/// Sets what the tenant's plugins may use up, and has every server look at them again.
///
/// # Errors
/// The database's.
pub async fn set_limits(tx: &mut Tx, tenant: TenantId, limits: &LimitChanges) -> Result<()> {
    execute!(tx, "update tenants set limits = $2 where id = $1", tenant.0, Json(limits))?;
    execute!(tx, "update installations set revision = revision + 1 where tenant_id = $1", tenant.0).map(drop)
}

/// Sets the tenant's share, and has every server look at it again.
///
/// # Errors
/// The database's.
pub async fn set_share(tx: &mut Tx, tenant: TenantId, share: &ShareChanges) -> Result<()> {
    execute!(tx, "update tenants set share = $2 where id = $1", tenant.0, Json(share))?;
    execute!(tx, "update installations set revision = revision + 1 where tenant_id = $1", tenant.0).map(drop)
}
