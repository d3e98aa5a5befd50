//! Roles that a tenant has made of permissions.

use std::collections::BTreeSet;

use mint_domain::{Permission, Slug, TenantId};
use sqlx::types::Json;
use time::OffsetDateTime;

use crate::{Page, Result, Tx};

/// A custom role.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Role {
    /// Unique in its tenant; never that of a system role.
    #[sqlx(try_from = "String")]
    pub slug: Slug,
    /// Name shown to people.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// What it allows.
    pub permissions: Json<Vec<Permission>>,
    /// The plugins it is for; none for all.
    pub plugins: Option<Json<BTreeSet<Slug>>>,
    /// Whether it counts only in projects and experiments in which one has a part.
    pub is_assigned: bool,
    /// When it was made.
    pub created_at: OffsetDateTime,
    /// When it was last changed.
    pub updated_at: OffsetDateTime,
}

/// What a role says.
#[derive(Clone, Copy, Debug)]
pub struct Fields<'a> {
    /// Name shown to people.
    pub name: &'a str,
    /// What it is for.
    pub description: &'a str,
    /// What it allows.
    pub permissions: &'a [Permission],
    /// The plugins it is for; none for all.
    pub plugins: Option<&'a BTreeSet<Slug>>,
    /// Whether it counts only in projects and experiments in which one has a part.
    pub is_assigned: bool,
}

/// Makes a role.
///
/// # Errors
/// [`crate::Error::Duplicate`] when the slug is taken.
pub async fn insert(tx: &mut Tx, tenant: TenantId, slug: &Slug, fields: Fields<'_>, now: OffsetDateTime) -> Result<Role> {
    rows!(
        tx, one Role,
        "insert into custom_roles (tenant_id, slug, name, description, permissions, plugins, is_assigned,
            created_at, updated_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $8)
         returning slug, name, description, permissions, plugins, is_assigned, created_at, updated_at",
        tenant.0, slug.as_str(), fields.name, fields.description, Json(fields.permissions), fields.plugins.map(Json),
        fields.is_assigned, now,
    )
    .map_err(|e| e.naming("role"))
}

/// Changes a role; none when there is no such.
///
/// # Errors
/// The database's.
pub async fn update(tx: &mut Tx, tenant: TenantId, slug: &str, fields: Fields<'_>, now: OffsetDateTime) -> Result<Option<Role>> {
    rows!(
        tx, optional Role,
        "update custom_roles set name = $3, description = $4, permissions = $5, plugins = $6, is_assigned = $7,
            updated_at = $8
         where tenant_id = $1 and slug = $2
         returning slug, name, description, permissions, plugins, is_assigned, created_at, updated_at",
        tenant.0, slug, fields.name, fields.description, Json(fields.permissions), fields.plugins.map(Json),
        fields.is_assigned, now,
    )
}

/// The role of a slug.
///
/// # Errors
/// The database's.
pub async fn find(tx: &mut Tx, tenant: TenantId, slug: &str) -> Result<Option<Role>> {
    rows!(
        tx, optional Role,
        "select slug, name, description, permissions, plugins, is_assigned, created_at, updated_at from custom_roles
         where tenant_id = $1 and slug = $2",
        tenant.0, slug,
    )
}

/// Custom roles by slug.
///
/// # Errors
/// The database's.
pub async fn list(tx: &mut Tx, tenant: TenantId, page: Page) -> Result<Vec<Role>> {
    rows!(
        tx, all Role,
        "select slug, name, description, permissions, plugins, is_assigned, created_at, updated_at from custom_roles
         where tenant_id = $1 order by slug limit $2 offset $3",
        tenant.0, page.limit, page.skip,
    )
}

/// How many custom roles a tenant has.
///
/// # Errors
/// The database's.
pub async fn count(tx: &mut Tx, tenant: TenantId) -> Result<i64> {
    rows!(tx, one(i64,), "select count(*) from custom_roles where tenant_id = $1", tenant.0).map(|(count,)| count)
}

/// Removes a role. False when there was none.
///
/// # Errors
/// The database's.
pub async fn delete(tx: &mut Tx, tenant: TenantId, slug: &str) -> Result<bool> {
    execute!(tx, "delete from custom_roles where tenant_id = $1 and slug = $2", tenant.0, slug).map(|rows| rows > 0)
}
