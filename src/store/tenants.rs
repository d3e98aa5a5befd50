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
    /// Why nobody may use it now.
    pub suspended: Option<String>,
    /// Whether it is being deleted.
    pub is_leaving: bool,
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

/// How many people a tenant has, and how many plugins.
///
/// # Errors
/// The database's.
pub async fn counts(tx: &mut Tx, tenant: TenantId) -> Result<(i64, i64)> {
    rows!(
        tx,
        one(i64, i64),
        "select (select count(*) from users where tenant_id = $1), (select count(*) from installations where tenant_id = $1)",
        tenant.0,
    )
}

/// Says why nobody may use a tenant, or that people may, and has every server look at its plugins again.
///
/// # Errors
/// The database's.
pub async fn set_suspended(tx: &mut Tx, tenant: TenantId, reason: Option<&str>) -> Result<()> {
    execute!(tx, "update tenants set suspended = $2 where id = $1", tenant.0, reason)?;
    execute!(tx, "update installations set revision = revision + 1 where tenant_id = $1", tenant.0).map(drop)
}

/// Notes that a tenant is being deleted, so that a server that dies is succeeded by another.
///
/// # Errors
/// The database's.
pub async fn set_leaving(tx: &mut Tx, tenant: TenantId) -> Result<()> {
    execute!(tx, "update tenants set is_leaving = true where id = $1", tenant.0).map(drop)
}

/// Tenants that are being deleted.
///
/// # Errors
/// The database's.
pub async fn leaving(tx: &mut Tx) -> Result<Vec<Tenant>> {
    rows!(tx, all Tenant, "select * from tenants where is_leaving order by id")
}

/// Deletes a tenant with all its rows. What has no row of its own is marked for deletion or gone before.
///
/// # Errors
/// The database's.
pub async fn delete(tx: &mut Tx, tenant: TenantId, now: OffsetDateTime) -> Result<()> {
    execute!(tx, "insert into blobs_to_delete (blob, since) select blob, $2 from objects where tenant_id = $1", tenant.0, now)?;
    execute!(tx, "delete from tenants where id = $1", tenant.0).map(drop)
}
/// Sets the tenant's share, and has every server look at it again.
///
/// # Errors
/// The database's.
pub async fn set_share(tx: &mut Tx, tenant: TenantId, share: &ShareChanges) -> Result<()> {
    execute!(tx, "update tenants set share = $2 where id = $1", tenant.0, Json(share))?;
    execute!(tx, "update installations set revision = revision + 1 where tenant_id = $1", tenant.0).map(drop)
}
