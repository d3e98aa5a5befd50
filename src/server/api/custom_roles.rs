//! Roles: those of the system, and the laboratory's own.

use std::collections::BTreeSet;

use axum::{Json, extract::State as AxumState};
use http::StatusCode;
use mint_domain::{Permission, ProjectReach, Slug};
use mint_platform::people::{NewRole, Role, RoleChange};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::given;
use crate::{
    auth::Authenticated,
    error::ApiError,
    extract::{Json as JsonBody, Path},
    router::State,
};

/// A new role.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RoleDraft {
    /// What a user's `role` is to say: lower-case letters, digits and hyphens.
    #[schema(value_type = String)]
    slug: Slug,
    /// Name shown to people.
    name: String,
    /// What it is for.
    #[serde(default)]
    description: String,
    /// What it allows.
    #[schema(value_type = Vec<String>)]
    permissions: Vec<Permission>,
    /// Slugs of the only plugins that are seen and used; by default all are.
    #[serde(default)]
    #[schema(value_type = Option<Vec<String>>)]
    plugins: Option<BTreeSet<Slug>>,
    /// `all`, or `assigned`: it counts only in projects and experiments in which one has a part.
    #[serde(default)]
    project_scope: ProjectScope,
}

/// Where a role counts.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ProjectScope {
    /// In every project.
    #[default]
    All,
    /// In projects and experiments in which one has a part.
    Assigned,
}

impl From<ProjectScope> for ProjectReach {
    fn from(scope: ProjectScope) -> Self {
        match scope {
            ProjectScope::All => Self::All,
            ProjectScope::Assigned => Self::Assigned,
        }
    }
}

/// What to change. What is absent stays.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RolePatch {
    /// Name shown to people.
    name: Option<String>,
    /// What it is for.
    description: Option<String>,
    /// What it allows.
    #[schema(value_type = Option<Vec<String>>)]
    permissions: Option<Vec<Permission>>,
    /// Slugs of the only plugins that are seen and used; null for all.
    #[serde(deserialize_with = "given")]
    #[schema(value_type = Option<Vec<String>>)]
    plugins: Option<Option<BTreeSet<Slug>>>,
    /// `all` or `assigned`.
    project_scope: Option<ProjectScope>,
}

/// The roles of the system, then the laboratory's own by slug.
#[utoipa::path(get, path = "/api/roles", tag = "users", responses((status = 200, body = Vec<Role>), (status = 401), (status = 403)))]
pub(crate) async fn list(
    AxumState(state): AxumState<State>,
    Authenticated(caller): Authenticated,
) -> Result<Json<Vec<Role>>, ApiError> {
    Ok(Json(state.platform.list_roles(&caller).await?))
}

/// Makes a role of permissions that the asking person has.
#[utoipa::path(post, path = "/api/roles", tag = "users", request_body = RoleDraft,
    responses((status = 201, body = Role), (status = 400), (status = 401), (status = 403), (status = 409)))]
pub(crate) async fn create(
    AxumState(state): AxumState<State>,
    Authenticated(caller): Authenticated,
    JsonBody(draft): JsonBody<RoleDraft>,
) -> Result<(StatusCode, Json<Role>), ApiError> {
    let RoleDraft { slug, name, description, permissions, plugins, project_scope } = draft;
    let new = NewRole { slug, name, description, permissions, plugins, project_reach: project_scope.into() };
    Ok((StatusCode::CREATED, Json(state.platform.create_role(&caller, new).await?)))
}

/// Changes a role, and what everybody may who has it.
#[utoipa::path(patch, path = "/api/roles/{role}", tag = "users", params(("role" = String, Path)), request_body = RolePatch,
    responses((status = 200, body = Role), (status = 400), (status = 401), (status = 403), (status = 404), (status = 409)))]
pub(crate) async fn update(
    AxumState(state): AxumState<State>,
    Authenticated(caller): Authenticated,
    Path(role): Path<String>,
    JsonBody(patch): JsonBody<RolePatch>,
) -> Result<Json<Role>, ApiError> {
    let RolePatch { name, description, permissions, plugins, project_scope } = patch;
    let change = RoleChange { name, description, permissions, plugins, project_reach: project_scope.map(Into::into) };
    Ok(Json(state.platform.change_role(&caller, &role, change).await?))
}

/// Removes a role that nobody has.
#[utoipa::path(delete, path = "/api/roles/{role}", tag = "users", params(("role" = String, Path)),
    responses((status = 204), (status = 401), (status = 403), (status = 404), (status = 409)))]
pub(crate) async fn delete(
    AxumState(state): AxumState<State>,
    Authenticated(caller): Authenticated,
    Path(role): Path<String>,
) -> Result<StatusCode, ApiError> {
    state.platform.delete_role(&caller, &role).await?;
    Ok(StatusCode::NO_CONTENT)
}
