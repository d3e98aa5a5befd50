//! Roles that a tenant makes of permissions, beside the three of the system, which never change.

use std::collections::BTreeSet;

use mint_context::Result;
use mint_domain::{Kind, Permission, PluginAccess, ProjectReach, Refusal, Rights, Slug, permission::SystemRole};
use mint_store::{
    Page, Tx,
    roles::{self, Fields},
    users,
};
use serde::Serialize;
use serde_json::{Value, json};

use super::rules::{Noted, expect_cover, expect_line, note, permit_any};
use crate::{Caller, Platform};

/// Custom roles of one tenant.
const ROLES_MAX: i64 = 100;
/// Plugins that one role lists.
const PLUGINS_MAX: usize = 1_000;
/// Characters of a role's name, and of its description.
const NAME_CHARACTERS_MAX: usize = 100;
const DESCRIPTION_CHARACTERS_MAX: usize = 1_000;

/// A role, of the system or the tenant's own.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct Role {
    /// What a user's `role` says.
    #[schema(value_type = String)]
    pub slug: Slug,
    /// Name shown to people.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// Whether it is one of the three that cannot be changed.
    pub is_system: bool,
    /// What it allows.
    #[schema(value_type = Vec<String>)]
    pub permissions: Vec<Permission>,
    /// `all`, or `list`: only `plugins` are seen and used.
    pub plugin_access: &'static str,
    /// Slugs of plugins, for `list`.
    #[schema(value_type = Vec<String>)]
    pub plugins: BTreeSet<Slug>,
    /// `all`, or `assigned`: it counts only in projects and experiments in which one has a part.
    pub project_scope: &'static str,
    /// How many people have it.
    pub users: i64,
}

/// A new role.
#[derive(Debug)]
pub struct NewRole {
    /// What a user's `role` is to say.
    pub slug: Slug,
    /// Name shown to people.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// What it allows.
    pub permissions: Vec<Permission>,
    /// The plugins it is for; none for all.
    pub plugins: Option<BTreeSet<Slug>>,
    /// Where it counts: in every project, or where one has a part.
    pub project_reach: ProjectReach,
}

/// What to change of a role: what is absent stays.
#[derive(Debug, Default)]
pub struct RoleChange {
    /// Name shown to people.
    pub name: Option<String>,
    /// What it is for.
    pub description: Option<String>,
    /// What it allows.
    pub permissions: Option<Vec<Permission>>,
    /// The plugins it is for; an inner none for all.
    pub plugins: Option<Option<BTreeSet<Slug>>>,
    /// Where it counts.
    pub project_reach: Option<ProjectReach>,
}

impl Platform {
    /// The three roles of the system, then the tenant's own by slug.
    ///
    /// # Errors
    /// `PERMISSION_DENIED`.
    pub async fn list_roles(&self, caller: &Caller) -> Result<Vec<Role>> {
        let _permit = caller.call(self.services()).permit_person(Permission::UsersView)?;
        let mut tx = self.services().db.read().await?;
        let mut shown = Vec::new();
        for system in [SystemRole::Admin, SystemRole::Member, SystemRole::Viewer] {
            let users = users::count_with_role(&mut tx, caller.tenant, system.as_str()).await?;
            shown.extend(of_system(system, users));
        }
        for custom in roles::list(&mut tx, caller.tenant, Page::new(0, Page::LIMIT_MAX)).await? {
            let users = users::count_with_role(&mut tx, caller.tenant, custom.slug.as_str()).await?;
            shown.push(of_tenant(custom, users));
        }
        Ok(shown)
    }

    /// Makes a role of permissions that the caller has.
    ///
    /// # Errors
    /// `VALIDATION_ERROR`, `CONFLICT` when the slug is taken, `PERMISSION_DENIED`.
    pub async fn create_role(&self, caller: &Caller, mut new: NewRole) -> Result<Role> {
        permit_any(caller, &[Permission::UsersManage])?;
        if SystemRole::parse(new.slug.as_str()).is_some() {
            return Err(Refusal::conflict("role", "slug", "This is the name of a role of the system.").into());
        }
        new.permissions = in_order(&new.permissions);
        let fields = Fields {
            name: &new.name,
            description: &new.description,
            permissions: &new.permissions,
            plugins: new.plugins.as_ref(),
            is_assigned: new.project_reach == ProjectReach::Assigned,
        };
        check(&fields)?;
        expect_cover(caller, &rights(&fields))?;
        let now = self.services().clock.now();
        let mut tx = self.services().db.begin().await?;
        users::lock(&mut tx, caller.tenant).await?;
        if roles::count(&mut tx, caller.tenant).await? >= ROLES_MAX {
            return Err(Refusal::quota("roles_max", format!("A laboratory has at most {ROLES_MAX} roles of its own.")).into());
        }
        let row = roles::insert(&mut tx, caller.tenant, &new.slug, fields, now).await?;
        let details = json!({ "after": shown(&fields) });
        note(&mut tx, caller, Noted { action: "role.create", entity: entity(&row.slug), details }, now).await?;
        tx.commit().await?;
        Ok(of_tenant(row, 0))
    }

    /// Changes a role of the tenant's own, and with it what everybody may who has it.
    ///
    /// # Errors
    /// `NOT_FOUND`, `VALIDATION_ERROR`, `CONFLICT` for a role of the system, `PERMISSION_DENIED`.
    pub async fn change_role(&self, caller: &Caller, slug: &str, change: RoleChange) -> Result<Role> {
        permit_any(caller, &[Permission::UsersManage])?;
        let now = self.services().clock.now();
        let mut tx = self.services().db.begin().await?;
        users::lock(&mut tx, caller.tenant).await?;
        let before = own(&mut tx, caller, slug).await?;
        let (name, description) = (change.name.as_ref().unwrap_or(&before.name), change.description.as_ref());
        let permissions = change.permissions.as_ref().map_or_else(|| before.permissions.0.clone(), |list| in_order(list));
        let plugins = match &change.plugins {
            Some(plugins) => plugins.as_ref(),
            None => before.plugins.as_deref(),
        };
        let description = description.unwrap_or(&before.description);
        let is_assigned = change.project_reach.map_or(before.is_assigned, |reach| reach == ProjectReach::Assigned);
        let fields = Fields { name, description, permissions: &permissions, plugins, is_assigned };
        check(&fields)?;
        expect_cover(caller, &rights(&fields))?;
        let row = roles::update(&mut tx, caller.tenant, slug, fields, now).await?.ok_or_else(|| no_role(slug))?;
        let users = users::count_with_role(&mut tx, caller.tenant, slug).await?;
        let details = json!({ "before": shown(&of_row(&before)), "after": shown(&fields), "users": users });
        note(&mut tx, caller, Noted { action: "role.update", entity: entity(&row.slug), details }, now).await?;
        tx.commit().await?;
        self.identities().invalidate_all();
        Ok(of_tenant(row, users))
    }

    /// Removes a role that nobody has.
    ///
    /// # Errors
    /// `NOT_FOUND`, `CONFLICT` for a role of the system or one that somebody has, `PERMISSION_DENIED`.
    pub async fn delete_role(&self, caller: &Caller, slug: &str) -> Result<()> {
        permit_any(caller, &[Permission::UsersManage])?;
        let now = self.services().clock.now();
        let mut tx = self.services().db.begin().await?;
        users::lock(&mut tx, caller.tenant).await?;
        let before = own(&mut tx, caller, slug).await?;
        let users = users::count_with_role(&mut tx, caller.tenant, slug).await?;
        if users > 0 {
            let message = format!("{users} people have this role. Give them another one first.");
            return Err(Refusal::conflict("role", "users", message).into());
        }
        roles::delete(&mut tx, caller.tenant, slug).await?;
        let details = json!({ "before": shown(&of_row(&before)) });
        note(&mut tx, caller, Noted { action: "role.delete", entity: entity(&before.slug), details }, now).await?;
        Ok(tx.commit().await?)
    }
}

/// A role of the tenant's own whose rights the caller has too.
async fn own(tx: &mut Tx, caller: &Caller, slug: &str) -> Result<roles::Role> {
    if SystemRole::parse(slug).is_some() {
        return Err(
            Refusal::new(Kind::Conflict, "CONFLICT", "The roles of the system cannot be changed. Make another one.").into()
        );
    }
    let row = roles::find(tx, caller.tenant, slug).await?.ok_or_else(|| no_role(slug))?;
    expect_cover(caller, &rights(&of_row(&row)))?;
    Ok(row)
}

fn check(fields: &Fields<'_>) -> Result<(), Refusal> {
    expect_line("name", fields.name, NAME_CHARACTERS_MAX)?;
    if fields.description.chars().count() > DESCRIPTION_CHARACTERS_MAX {
        return Err(Refusal::invalid(format!("`description` has at most {DESCRIPTION_CHARACTERS_MAX} characters.")));
    }
    if let Some(idle) = fields.permissions.iter().find(|permission| !permission.is_enforced()) {
        let message = format!("There is nothing yet that the permission `{idle}` allows, so that no role is made of it.");
        return Err(Refusal::invalid(message).with(json!({ "field": "permissions" })));
    }
    if fields.plugins.is_some_and(|plugins| plugins.len() > PLUGINS_MAX) {
        return Err(Refusal::invalid(format!("A role lists at most {PLUGINS_MAX} plugins.")));
    }
    Ok(())
}

fn in_order(permissions: &[Permission]) -> Vec<Permission> {
    Permission::ALL.iter().copied().filter(|permission| permissions.contains(permission)).collect()
}

fn rights(fields: &Fields<'_>) -> Rights {
    let plugin_access = fields.plugins.map_or(PluginAccess::All, |plugins| PluginAccess::Listed(plugins.clone()));
    let project_reach = ProjectReach::of_scope(fields.is_assigned);
    Rights { permissions: fields.permissions.to_vec(), plugin_access, project_reach }
}

fn of_row(row: &roles::Role) -> Fields<'_> {
    Fields {
        name: &row.name,
        description: &row.description,
        permissions: &row.permissions.0,
        plugins: row.plugins.as_deref(),
        is_assigned: row.is_assigned,
    }
}

fn of_tenant(row: roles::Role, users: i64) -> Role {
    Role {
        slug: row.slug,
        name: row.name,
        description: row.description,
        is_system: false,
        permissions: row.permissions.0,
        plugin_access: if row.plugins.is_some() { "list" } else { "all" },
        plugins: row.plugins.map(|plugins| plugins.0).unwrap_or_default(),
        project_scope: ProjectReach::of_scope(row.is_assigned).scope(),
        users,
    }
}

fn of_system(role: SystemRole, users: i64) -> Option<Role> {
    let (name, description) = match role {
        SystemRole::Admin => ("Administrator", "Everything."),
        SystemRole::Member => ("Member", "Everything but managing people, plugins and instruments, and the jobs of others."),
        SystemRole::Viewer => ("Viewer", "Looks, and uses plugins."),
    };
    Some(Role {
        slug: role.as_str().parse().ok()?,
        name: name.to_owned(),
        description: description.to_owned(),
        is_system: true,
        permissions: role.permissions(),
        plugin_access: "all",
        plugins: BTreeSet::new(),
        project_scope: ProjectReach::All.scope(),
        users,
    })
}

fn shown(fields: &Fields<'_>) -> Value {
    json!({
        "name": fields.name,
        "description": fields.description,
        "permissions": fields.permissions,
        "plugins": fields.plugins,
        "project_scope": ProjectReach::of_scope(fields.is_assigned).scope(),
    })
}

fn entity(slug: &Slug) -> String {
    format!("role:{slug}")
}

fn no_role(slug: &str) -> Refusal {
    Refusal::not_found("role", slug)
}
