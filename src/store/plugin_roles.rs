//! Roles that people hold inside one plugin.

use std::collections::BTreeMap;

use mint_domain::{TenantId, UserId};
use serde_json::Value;
use sqlx::types::Json;
use time::OffsetDateTime;

use crate::{Page, Result, Tx};

/// A role of a person inside a plugin.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct PluginRole {
    /// Identifier.
    pub id: i64,
    /// The person.
    #[sqlx(try_from = "i64")]
    pub user_id: UserId,
    /// Slug of the plugin.
    pub plugin: String,
    /// Free text that the plugin understands.
    pub role: String,
    /// What the plugin keeps of the person: an object of sealed values.
    #[sqlx(json)]
    pub fields: Value,
    /// When it was first given.
    pub created_at: OffsetDateTime,
    /// When it was last changed.
    pub updated_at: OffsetDateTime,
}

/// The roles of a user inside plugins, by the plugin's slug.
///
/// # Errors
/// The database's.
pub async fn of_user(tx: &mut Tx, tenant: TenantId, user: UserId) -> Result<BTreeMap<String, String>> {
    let rows = rows!(
        tx,
        all(String, String),
        "select plugin, role from plugin_roles where tenant_id = $1 and user_id = $2",
        tenant.0,
        user.0,
    )?;
    Ok(rows.into_iter().collect())
}

/// The role of a user inside one plugin.
///
/// # Errors
/// The database's.
pub async fn get(tx: &mut Tx, tenant: TenantId, plugin: &str, user: UserId) -> Result<Option<PluginRole>> {
    rows!(
        tx, optional PluginRole,
        "select id, user_id, plugin, role, fields, created_at, updated_at from plugin_roles
         where tenant_id = $1 and plugin = $2 and user_id = $3",
        tenant.0, plugin, user.0,
    )
}

/// Everybody's roles inside one plugin, by user.
///
/// # Errors
/// The database's.
pub async fn list(tx: &mut Tx, tenant: TenantId, plugin: &str, page: Page) -> Result<Vec<PluginRole>> {
    rows!(
        tx, all PluginRole,
        "select id, user_id, plugin, role, fields, created_at, updated_at from plugin_roles
         where tenant_id = $1 and plugin = $2 order by user_id limit $3 offset $4",
        tenant.0, plugin, page.limit, page.skip,
    )
}

/// Gives a role in the place of the one before.
///
/// # Errors
/// [`crate::Error::DanglingReference`] when the user is gone.
pub async fn upsert(
    tx: &mut Tx,
    tenant: TenantId,
    plugin: &str,
    user: UserId,
    role: &str,
    now: OffsetDateTime,
) -> Result<PluginRole> {
    rows!(
        tx, one PluginRole,
        "insert into plugin_roles (tenant_id, plugin, user_id, role, created_at, updated_at) values ($1, $2, $3, $4, $5, $5)
         on conflict (tenant_id, plugin, user_id) do update set role = excluded.role, updated_at = excluded.updated_at
         returning id, user_id, plugin, role, fields, created_at, updated_at",
        tenant.0, plugin, user.0, role, now,
    )
}

/// A role whose row nobody else changes until the transaction ends.
///
/// # Errors
/// The database's.
pub async fn lock(tx: &mut Tx, tenant: TenantId, plugin: &str, user: UserId) -> Result<Option<PluginRole>> {
    // An update that changes nothing locks the row on either database.
    rows!(
        tx, optional PluginRole,
        "update plugin_roles set updated_at = updated_at where tenant_id = $1 and plugin = $2 and user_id = $3
         returning id, user_id, plugin, role, fields, created_at, updated_at",
        tenant.0, plugin, user.0,
    )
}

/// Writes what the plugin keeps of a person, beside the role. None where there is no role.
///
/// # Errors
/// The database's.
pub async fn set_fields(
    tx: &mut Tx,
    tenant: TenantId,
    plugin: &str,
    user: UserId,
    fields: &Value,
    now: OffsetDateTime,
) -> Result<Option<PluginRole>> {
    rows!(
        tx, optional PluginRole,
        "update plugin_roles set fields = $4, updated_at = $5 where tenant_id = $1 and plugin = $2 and user_id = $3
         returning id, user_id, plugin, role, fields, created_at, updated_at",
        tenant.0, plugin, user.0, Json(fields), now,
    )
}

/// The roles of every tenant with which something is kept.
///
/// # Errors
/// The database's.
pub async fn with_fields(tx: &mut Tx) -> Result<Vec<(TenantId, PluginRole)>> {
    let tenants = rows!(tx, all(i64,), "select distinct tenant_id from plugin_roles order by tenant_id")?;
    let mut found = Vec::new();
    for (tenant,) in tenants {
        let rows = rows!(
            tx, all PluginRole,
            "select id, user_id, plugin, role, fields, created_at, updated_at from plugin_roles where tenant_id = $1 order by id",
            tenant,
        )?;
        let kept = |row: &PluginRole| row.fields.as_object().is_some_and(|fields| !fields.is_empty());
        found.extend(rows.into_iter().filter(kept).map(|row| (TenantId(tenant), row)));
    }
    Ok(found)
}

/// Takes a role away. False when there was none.
///
/// # Errors
/// The database's.
pub async fn delete(tx: &mut Tx, tenant: TenantId, plugin: &str, user: UserId) -> Result<bool> {
    execute!(tx, "delete from plugin_roles where tenant_id = $1 and plugin = $2 and user_id = $3", tenant.0, plugin, user.0)
        .map(|rows| rows > 0)
}
