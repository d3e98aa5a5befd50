//! Projects.

use mint_domain::{Capability, Permission, ProjectId, Refusal, Standing, experiment::ProjectStatus};
use mint_store::{
    Page, Tx, audit,
    parts::{self, Shared},
    projects,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use time::OffsetDateTime;

use crate::{Call, Result, access, experiments::Change};

/// A project.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct Project {
    /// Identifier.
    pub id: i64,
    /// Unique in its tenant.
    pub name: String,
    /// What it is about.
    pub description: Option<String>,
    /// `active`, `archived` or `completed`.
    #[schema(value_type = String)]
    pub status: ProjectStatus,
    /// Who made it.
    pub created_by: Option<i64>,
    /// When it was made.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// When it was last changed.
    #[serde(with = "time::serde::rfc3339")]
    pub updated_at: OffsetDateTime,
}

/// A new project.
#[derive(Clone, Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Draft {
    /// Unique in its tenant, 1 to 200 characters.
    pub name: String,
    /// What it is about.
    #[serde(default)]
    pub description: Option<String>,
}

/// What to change of a project.
#[derive(Clone, Debug, Default)]
pub struct Patch {
    /// Unique in its tenant, 1 to 200 characters.
    pub name: Option<String>,
    /// What it is about.
    pub description: Change<String>,
    /// Where it stands.
    pub status: Option<ProjectStatus>,
}

impl From<projects::Project> for Project {
    fn from(row: projects::Project) -> Self {
        Self {
            id: row.id.0,
            name: row.name,
            description: row.description,
            status: row.status,
            created_by: row.created_by,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

/// One project.
///
/// # Errors
/// `NOT_FOUND`, `PERMISSION_DENIED`.
pub async fn get(call: &Call, id: ProjectId) -> Result<Project> {
    let _permit = call.permit_plugin(&Capability::ProjectsRead)?;
    let mut tx = call.services.db.read().await?;
    let _permit = access::project(&mut tx, call, id, Permission::ProjectsView).await?;
    Ok(load(&mut tx, call, id).await?.into())
}

/// Projects that the actor may see, oldest first, and how many there are in all.
///
/// # Errors
/// `PERMISSION_DENIED`.
pub async fn list(call: &Call, page: Page) -> Result<(Vec<Project>, u64)> {
    let _permit = call.permit_plugin(&Capability::ProjectsRead)?;
    let mut tx = call.services.db.read().await?;
    let seen_by = access::sees_projects(&mut tx, call).await?;
    let (rows, total) = projects::list(&mut tx, call.tenant, seen_by, page).await?;
    Ok((rows.into_iter().map(Into::into).collect(), total))
}

/// Makes a project, which who makes it owns. People only: no plugin interface has it.
///
/// # Errors
/// `VALIDATION_ERROR`, `CONFLICT`, `PERMISSION_DENIED`.
pub async fn create(call: &Call, draft: Draft) -> Result<Project> {
    let _permit = call.permit_person(Permission::ProjectsCreate)?;
    let name = checked_name(&draft.name)?;
    let now = call.services.clock.now();
    let mut tx = call.services.db.begin().await?;
    let created_by = call.actor.user().map(|user| user.id.0);
    let row = projects::insert(&mut tx, call.tenant, name, draft.description.as_deref(), created_by, now).await?;
    if let Some(user) = call.actor.user() {
        parts::set(&mut tx, call.tenant, Shared::Project(row.id), user.id, Standing::Owner, now).await?;
    }
    note(&mut tx, call, "project.create", row.id, &json!({ "name": row.name })).await?;
    tx.commit().await?;
    Ok(row.into())
}

/// Changes the fields that the patch names. People only.
///
/// # Errors
/// `NOT_FOUND`, `VALIDATION_ERROR`, `CONFLICT` for a name that is taken, `PERMISSION_DENIED`.
pub async fn update(call: &Call, id: ProjectId, patch: Patch) -> Result<Project> {
    let now = call.services.clock.now();
    let mut tx = call.services.db.begin().await?;
    let _permit = access::project(&mut tx, call, id, Permission::ProjectsEdit).await?;
    let old = load(&mut tx, call, id).await?;
    let name = match &patch.name {
        Some(name) => checked_name(name)?.to_owned(),
        None => old.name.clone(),
    };
    let description = patch.description.on(old.description.clone());
    let status = patch.status.unwrap_or(old.status);
    let fields = (name.as_str(), description.as_deref(), status);
    let row = projects::update(&mut tx, call.tenant, id, fields, now).await?.ok_or_else(|| Refusal::not_found("project", id))?;
    let shown = |row: &projects::Project| json!({ "name": row.name, "description": row.description, "status": row.status });
    note(&mut tx, call, "project.update", id, &json!({ "before": shown(&old), "after": shown(&row) })).await?;
    tx.commit().await?;
    Ok(row.into())
}

/// Deletes a project in which there is nothing. People only.
///
/// # Errors
/// `NOT_FOUND`, `CONFLICT` while experiments lie in it, `PERMISSION_DENIED`.
pub async fn delete(call: &Call, id: ProjectId) -> Result<()> {
    let mut tx = call.services.db.begin().await?;
    let _permit = access::project(&mut tx, call, id, Permission::ProjectsDelete).await?;
    let old = load(&mut tx, call, id).await?;
    if projects::experiments(&mut tx, call.tenant, id).await? > 0 {
        let message = "There are experiments in this project. Move or delete them first, or archive the project instead.";
        return Err(Refusal::conflict("project", "experiments", message).into());
    }
    projects::delete(&mut tx, call.tenant, id).await?;
    note(&mut tx, call, "project.delete", id, &json!({ "name": old.name })).await?;
    Ok(tx.commit().await?)
}

async fn load(tx: &mut Tx, call: &Call, id: ProjectId) -> Result<projects::Project> {
    projects::get(tx, call.tenant, id).await?.ok_or_else(|| Refusal::not_found("project", id).into())
}

fn checked_name(name: &str) -> Result<&str, Refusal> {
    let name = name.trim();
    if name.is_empty() || name.chars().count() > 200 {
        return Err(Refusal::invalid("A project's name has 1 to 200 characters.").with(json!({ "field": "name" })));
    }
    Ok(name)
}

async fn note(tx: &mut Tx, call: &Call, action: &str, id: ProjectId, details: &Value) -> Result<()> {
    let entry = audit::Entry {
        actor: &call.actor.label(),
        action,
        entity: &format!("project:{id}"),
        request_id: call.request_id.as_str(),
        details,
    };
    Ok(audit::record(tx, call.tenant, &entry, call.services.clock.now()).await?)
}
