//! Roles that people hold inside one plugin: free text that the plugin understands, and no rights on the platform.
//!
//! A plugin manages those of its own, for whoever it serves: what they are worth is its own affair.

use mint_domain::{Permission, Refusal, Slug, TenantId, Unsealed, UserId};
use mint_store::{Page, Tx, audit, plugin_roles, users};
use serde::Serialize;
use serde_json::{Map, Value, json};
use time::OffsetDateTime;

use crate::{
    Call, Result, Services,
    secrets::{By, Chest, shown},
};

/// Most characters of a role.
const ROLE_LENGTH_MAX: usize = 100;
/// Most fields of one person.
const FIELDS_MAX: usize = 50;
/// Most bytes of all of them.
const FIELDS_BYTES_MAX: usize = 16 << 10;

/// A role of a person inside a plugin, with the keys of the compatibility document.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct PluginRole {
    /// Identifier.
    pub id: i64,
    /// The person.
    pub user_id: i64,
    /// Slug of the plugin.
    pub plugin_id: String,
    /// Free text that the plugin understands.
    pub role: String,
    /// What the plugin keeps of the person, as people see it: references to secrets, by name. A plugin asks for it by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fields: Option<Value>,
    /// When it was first given.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// When it was last changed.
    #[serde(with = "time::serde::rfc3339")]
    pub updated_at: OffsetDateTime,
}

impl PluginRole {
    fn of(call: &Call, row: plugin_roles::PluginRole) -> Self {
        // MINT's clients take no key that they do not know.
        let fields = call.plugin.is_none().then(|| shown(None, &row.fields, |_| false));
        Self {
            fields,
            id: row.id,
            user_id: row.user_id.0,
            plugin_id: row.plugin,
            role: row.role,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

/// The role of a person inside `plugin`.
///
/// # Errors
/// `NOT_FOUND` for no role, `PERMISSION_DENIED`.
pub async fn get(call: &Call, plugin: &Slug, user: UserId) -> Result<PluginRole> {
    authorise(call, plugin, Permission::UsersView)?;
    let mut tx = call.services.db.read().await?;
    let row = plugin_roles::get(&mut tx, call.tenant, plugin.as_str(), user).await?;
    row.map(|row| PluginRole::of(call, row)).ok_or_else(|| none(user).into())
}

/// Everybody's roles inside `plugin`, by user.
///
/// # Errors
/// `PERMISSION_DENIED`.
pub async fn list(call: &Call, plugin: &Slug, page: Page) -> Result<Vec<PluginRole>> {
    authorise(call, plugin, Permission::UsersView)?;
    let mut tx = call.services.db.read().await?;
    let rows = plugin_roles::list(&mut tx, call.tenant, plugin.as_str(), page).await?;
    Ok(rows.into_iter().map(|row| PluginRole::of(call, row)).collect())
}

/// Gives a person a role inside `plugin`, in the place of the one before.
///
/// # Errors
/// `VALIDATION_ERROR`, `NOT_FOUND` for the user, `PERMISSION_DENIED`.
pub async fn set(call: &Call, plugin: &Slug, user: UserId, role: &str) -> Result<PluginRole> {
    authorise(call, plugin, Permission::UsersManage)?;
    let role = role.trim();
    if role.is_empty() || role.chars().count() > ROLE_LENGTH_MAX || role.chars().any(char::is_control) {
        let message = format!("A role has 1 to {ROLE_LENGTH_MAX} characters.");
        return Err(Refusal::invalid(message).with(json!({ "field": "role" })).into());
    }
    let mut tx = call.services.db.begin().await?;
    users::get(&mut tx, call.tenant, user).await?.ok_or_else(|| Refusal::not_found("user", user))?;
    let row = plugin_roles::upsert(&mut tx, call.tenant, plugin.as_str(), user, role, call.services.clock.now()).await?;
    note(&mut tx, call, plugin, "plugin_role.set", user, Some(role)).await?;
    tx.commit().await?;
    Ok(PluginRole::of(call, row))
}

/// What a plugin keeps of a person beside the role, with its secrets open: for the plugin itself.
///
/// # Errors
/// `NOT_FOUND` for no role, `secrets.locked`, `PERMISSION_DENIED`.
pub async fn fields(call: &Call, user: UserId) -> Result<Unsealed> {
    let plugin = call.through_plugin()?.slug();
    let mut tx = call.services.db.read().await?;
    let row = plugin_roles::get(&mut tx, call.tenant, plugin.as_str(), user).await?.ok_or_else(|| none(user))?;
    Ok(chest(&call.services, call.tenant, plugin.as_str(), user).open(&row.fields)?)
}

/// Replaces what `plugin` keeps of a person beside the role. Every value of it is a secret.
///
/// # Errors
/// `VALIDATION_ERROR`, `NOT_FOUND` for no role, `PERMISSION_DENIED`.
pub async fn set_fields(call: &Call, plugin: &Slug, user: UserId, new: &Map<String, Value>) -> Result<PluginRole> {
    authorise(call, plugin, Permission::UsersManage)?;
    let is_name =
        |name: &String| !name.is_empty() && name.chars().count() <= ROLE_LENGTH_MAX && !name.chars().any(char::is_control);
    let new = Value::Object(new.clone());
    let names: Vec<_> = new.as_object().into_iter().flat_map(Map::keys).collect();
    if names.len() > FIELDS_MAX || new.to_string().len() > FIELDS_BYTES_MAX || !names.iter().copied().all(is_name) {
        let message = format!(
            "A plugin keeps at most {FIELDS_MAX} fields of a person, with names of 1 to {ROLE_LENGTH_MAX} characters, in {FIELDS_BYTES_MAX} bytes."
        );
        return Err(Refusal::invalid(message).with(json!({ "field": "fields" })).into());
    }
    let by = if call.plugin.is_some() { By::Plugin } else { By::Person };
    let mut tx = call.services.db.begin().await?;
    let row = plugin_roles::lock(&mut tx, call.tenant, plugin.as_str(), user).await?.ok_or_else(|| none(user))?;
    let schema = json!({ "additionalProperties": { "writeOnly": true } });
    let kept = chest(&call.services, call.tenant, plugin.as_str(), user).take(Some(&schema), &row.fields, &new, by)?;
    let now = call.services.clock.now();
    let row =
        plugin_roles::set_fields(&mut tx, call.tenant, plugin.as_str(), user, &kept, now).await?.ok_or_else(|| none(user))?;
    let details = json!({ "user_id": user.0, "fields": names });
    record(&mut tx, call, plugin, "plugin_role.fields", &details).await?;
    tx.commit().await?;
    Ok(PluginRole::of(call, row))
}

/// The box for what a plugin keeps of a person.
pub fn chest<'a>(services: &'a Services, tenant: TenantId, plugin: &str, user: UserId) -> Chest<'a> {
    services.secrets.chest(tenant, format_args!("role {plugin} {user}"))
}

/// Takes a person's role inside `plugin` away. False when there was none.
///
/// # Errors
/// `PERMISSION_DENIED`.
pub async fn remove(call: &Call, plugin: &Slug, user: UserId) -> Result<bool> {
    authorise(call, plugin, Permission::UsersManage)?;
    let mut tx = call.services.db.begin().await?;
    let removed = plugin_roles::delete(&mut tx, call.tenant, plugin.as_str(), user).await?;
    if removed {
        note(&mut tx, call, plugin, "plugin_role.remove", user, None).await?;
    }
    tx.commit().await?;
    Ok(removed)
}

/// A plugin sees and changes its own roles; a person needs the permission.
fn authorise(call: &Call, plugin: &Slug, permission: Permission) -> Result<(), Refusal> {
    match &call.plugin {
        None => call.permit_person(permission).map(drop),
        Some(own) if own.slug() == plugin && permission == Permission::UsersManage => call.permit_change(true),
        Some(own) if own.slug() == plugin => Ok(()),
        Some(own) => {
            let message = format!("Plugin `{}` has to do with its own roles only.", own.slug());
            Err(Refusal::denied("plugin_roles.self", message))
        }
    }
}

async fn note(tx: &mut Tx, call: &Call, plugin: &Slug, action: &'static str, user: UserId, role: Option<&str>) -> Result<()> {
    record(tx, call, plugin, action, &json!({ "user_id": user.0, "role": role })).await
}

async fn record(tx: &mut Tx, call: &Call, plugin: &Slug, action: &'static str, details: &Value) -> Result<()> {
    let entry = audit::Entry {
        actor: &call.actor.label(),
        action,
        entity: &format!("plugin:{plugin}"),
        request_id: call.request_id.as_str(),
        details,
    };
    Ok(audit::record(tx, call.tenant, &entry, call.services.clock.now()).await?)
}

fn none(user: UserId) -> Refusal {
    Refusal::not_found("plugin role of user", user)
}
