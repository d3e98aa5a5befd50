//! Tenants.

use mint_domain::{Slug, TenantId};
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
