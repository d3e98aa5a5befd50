//! Projects.

use mint_domain::{Capability, Permission, ProjectId, Refusal, experiment::ProjectStatus};
use mint_store::{Page, audit, projects};
use serde::{Deserialize, Serialize};
use serde_json::json;
use time::OffsetDateTime;

use crate::{Call, Result};

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
    let _permit = call.permit(Permission::ProjectsView, &Capability::ProjectsRead)?;
    let mut tx = call.services.db.read().await?;
    projects::get(&mut tx, call.tenant, id).await?.map(Into::into).ok_or_else(|| Refusal::not_found("project", id).into())
}

/// Projects, oldest first, and how many there are in all.
///
/// # Errors
/// `PERMISSION_DENIED`.
pub async fn list(call: &Call, page: Page) -> Result<(Vec<Project>, u64)> {
    let _permit = call.permit(Permission::ProjectsView, &Capability::ProjectsRead)?;
    let mut tx = call.services.db.read().await?;
    let (rows, total) = projects::list(&mut tx, call.tenant, page).await?;
    Ok((rows.into_iter().map(Into::into).collect(), total))
}

/// Makes a project. People only: no plugin interface has it.
///
/// # Errors
/// `VALIDATION_ERROR`, `CONFLICT`, `PERMISSION_DENIED`.
pub async fn create(call: &Call, draft: Draft) -> Result<Project> {
    let _permit = call.permit_person(Permission::ProjectsCreate)?;
    let name = draft.name.trim();
    if name.is_empty() || name.chars().count() > 200 {
        return Err(Refusal::invalid("A project's name has 1 to 200 characters.").with(json!({ "field": "name" })).into());
    }
    let now = call.services.clock.now();
    let mut tx = call.services.db.begin().await?;
    let created_by = call.actor.user().map(|user| user.id.0);
    let row = projects::insert(&mut tx, call.tenant, name, draft.description.as_deref(), created_by, now).await?;
    audit::record(
        &mut tx,
        call.tenant,
        &audit::Entry {
            actor: &call.actor.label(),
            action: "project.create",
            entity: &format!("project:{}", row.id),
            request_id: call.request_id.as_str(),
            details: &json!({ "name": row.name }),
        },
        now,
    )
    .await?;
    tx.commit().await?;
    Ok(row.into())
}
