//! Who acts, and who else belongs to the tenant.

use mint_domain::{
    Actor, Capability, Permission, PluginAccess, ProjectReach, Refusal, Rights, TenantId, UserId, permission::SystemRole,
};
use mint_store::{Page, Tx, plugin_roles, roles, users};
use serde::Serialize;
use time::OffsetDateTime;

use crate::{Call, Result, Services};

/// The person on whose behalf a plugin runs.
#[derive(Clone, Debug, Serialize)]
pub struct Person {
    /// Identifier.
    pub user_id: i64,
    /// Name to sign in with.
    pub username: String,
    /// Slug of the role.
    pub role: String,
    /// Role inside this plugin.
    pub plugin_role: Option<String>,
}

/// A member of the tenant, as the compatibility document shows it.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct User {
    /// Identifier.
    pub id: i64,
    /// Name to sign in with.
    pub username: String,
    /// Slug of the role.
    pub role: String,
    /// Whether the person may sign in.
    pub is_active: bool,
    /// When the record was made.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// When it was last changed.
    #[serde(with = "time::serde::rfc3339")]
    pub updated_at: OffsetDateTime,
    /// Address.
    pub email: Option<String>,
    /// Initials.
    pub shortname: Option<String>,
    /// Given name.
    pub first_name: Option<String>,
    /// Family name.
    pub last_name: Option<String>,
}

impl From<users::User> for User {
    fn from(row: users::User) -> Self {
        Self {
            id: row.id.0,
            username: row.username,
            role: row.role,
            is_active: row.is_active,
            created_at: row.created_at,
            updated_at: row.updated_at,
            email: row.email,
            shortname: row.shortname,
            first_name: row.first_name,
            last_name: row.last_name,
        }
    }
}

/// What a role of the tenant allows; none for a role that there is not.
///
/// # Errors
/// The database's.
pub async fn rights_of(tx: &mut Tx, tenant: TenantId, role: &str) -> Result<Option<Rights>> {
    if let Some(system) = SystemRole::parse(role) {
        return Ok(Some(system.into()));
    }
    let custom = roles::find(tx, tenant, role).await?;
    Ok(custom.map(|custom| Rights {
        permissions: custom.permissions.0,
        plugin_access: custom.plugins.map_or(PluginAccess::All, |plugins| PluginAccess::Listed(plugins.0)),
        project_reach: ProjectReach::of_scope(custom.is_assigned),
    }))
}

/// A person as the platform knows them, with what their role allows.
///
/// # Errors
/// The database's.
pub async fn with_rights(tx: &mut Tx, tenant: TenantId, id: UserId, username: String, role: String) -> Result<mint_domain::User> {
    let rights = rights_of(tx, tenant, &role).await?.unwrap_or_else(Rights::none);
    let plugin_roles = plugin_roles::of_user(tx, tenant, id).await?;
    let Rights { permissions, plugin_access, project_reach } = rights;
    Ok(mint_domain::User { id, username, role, permissions, plugin_access, project_reach, plugin_roles, bound: None })
}

/// A person as they are now; none when they are not of the tenant, or may not sign in any more.
///
/// # Errors
/// The database's.
pub async fn person(services: &Services, tenant: TenantId, id: UserId) -> Result<Option<mint_domain::User>> {
    let mut tx = services.db.read().await?;
    let Some(row) = users::get(&mut tx, tenant, id).await?.filter(|row| row.is_active) else { return Ok(None) };
    Ok(Some(with_rights(&mut tx, tenant, row.id, row.username, row.role).await?))
}

/// The acting person; none when a plugin or the platform acts on its own.
pub fn current(call: &Call) -> Option<Person> {
    let user = call.actor.user()?;
    Some(Person {
        user_id: user.id.0,
        username: user.username.clone(),
        role: user.role.clone(),
        plugin_role: plugin_role(call).map(str::to_owned),
    })
}

/// What the acting person may do; nothing when a plugin or the platform acts on its own.
pub fn permissions(call: &Call) -> &[Permission] {
    call.actor.user().map_or(&[], |user| &user.permissions)
}

/// The role of the acting person inside the plugin that the call comes through.
pub fn plugin_role(call: &Call) -> Option<&str> {
    let (user, plugin) = (call.actor.user()?, call.plugin.as_ref()?);
    user.plugin_roles.get(plugin.slug().as_str()).map(String::as_str)
}

/// Passes if the acting person holds one of these roles inside the plugin; a platform administrator always does.
///
/// # Errors
/// `PERMISSION_DENIED`, naming the roles.
pub fn require_role(call: &Call, roles: &[String]) -> Result<(), Refusal> {
    if call.actor.user().is_some_and(mint_domain::User::is_admin) {
        return Ok(());
    }
    match plugin_role(call) {
        Some(held) if roles.iter().any(|role| role == held) => Ok(()),
        _ => Err(Refusal::denied("plugin_role", format!("Requires plugin role: {}", roles.join(", ")))),
    }
}

/// A user by id.
///
/// # Errors
/// `NOT_FOUND`, `PERMISSION_DENIED`.
pub async fn get_user(call: &Call, id: UserId) -> Result<User> {
    authorise(call)?;
    let mut tx = call.services.db.read().await?;
    let row = users::get(&mut tx, call.tenant, id).await?;
    row.map(Into::into).ok_or_else(|| Refusal::not_found("user", id).into())
}

/// A user by name.
///
/// # Errors
/// `NOT_FOUND`, `PERMISSION_DENIED`.
pub async fn find_user(call: &Call, username: &str) -> Result<User> {
    authorise(call)?;
    let mut tx = call.services.db.read().await?;
    let row = users::find(&mut tx, call.tenant, username).await?;
    row.map(Into::into).ok_or_else(|| Refusal::not_found("user", username).into())
}

/// Users by id.
///
/// # Errors
/// `PERMISSION_DENIED`.
pub async fn list_users(call: &Call, page: Page) -> Result<Vec<User>> {
    authorise(call)?;
    let mut tx = call.services.db.read().await?;
    Ok(users::list(&mut tx, call.tenant, page).await?.into_iter().map(Into::into).collect())
}

/// A plugin with the grant may look people up for anybody whom it serves; a person needs the permission.
fn authorise(call: &Call) -> Result<(), Refusal> {
    match (&call.plugin, &call.actor) {
        (Some(_), Actor::Anonymous) | (None, _) => call.permit_person(Permission::UsersView).map(drop)?,
        (Some(_), _) => {}
    }
    call.permit_plugin(&Capability::UsersRead).map(drop)
}
