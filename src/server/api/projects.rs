//! Projects.

use axum::{Json as Answer, extract::State as AxumState};
use http::StatusCode;
use mint_context::{
    experiments::Filter,
    projects::{self, Draft, Patch, Project},
};
use mint_domain::{ProjectId, Refusal, experiment::ProjectStatus};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    Window,
    experiments::{Experiments, change},
    given,
};
use crate::{
    auth::Authenticated,
    error::ApiError,
    extract::{Json, Path, Query},
    router::State,
};

/// Some projects, and how many there are in all.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Projects {
    projects: Vec<Project>,
    total: u64,
}

/// What to change. A field that is absent is left, an optional one that is null is emptied.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct ProjectChange {
    /// 1 to 200 characters.
    name: Option<String>,
    #[serde(deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    description: Option<Option<String>>,
    /// `active`, `archived` or `completed`.
    status: Option<String>,
}

/// Projects, oldest first.
#[utoipa::path(get, path = "/api/projects", tag = "projects", params(Window), responses((status = 200, body = Projects), (status = 401), (status = 403)))]
pub(crate) async fn list(
    AxumState(state): AxumState<State>,
    Authenticated(caller): Authenticated,
    Query(window): Query<Window>,
) -> Result<Answer<Projects>, ApiError> {
    let (projects, total) = projects::list(&caller.call(state.platform.services()), window.into()).await?;
    Ok(Answer(Projects { projects, total }))
}

/// Makes a project.
#[utoipa::path(post, path = "/api/projects", tag = "projects", request_body = Draft,
    responses((status = 201, body = Project), (status = 400), (status = 401), (status = 403), (status = 409)))]
pub(crate) async fn create(
    AxumState(state): AxumState<State>,
    Authenticated(caller): Authenticated,
    Json(draft): Json<Draft>,
) -> Result<(StatusCode, Answer<Project>), ApiError> {
    let project = projects::create(&caller.call(state.platform.services()), draft).await?;
    Ok((StatusCode::CREATED, Answer(project)))
}

/// One project.
#[utoipa::path(get, path = "/api/projects/{id}", tag = "projects", params(("id" = i64, Path)),
    responses((status = 200, body = Project), (status = 401), (status = 403), (status = 404)))]
pub(crate) async fn get(
    AxumState(state): AxumState<State>,
    Authenticated(caller): Authenticated,
    Path(id): Path<i64>,
) -> Result<Answer<Project>, ApiError> {
    Ok(Answer(projects::get(&caller.call(state.platform.services()), ProjectId(id)).await?))
}

/// Changes a project.
#[utoipa::path(patch, path = "/api/projects/{id}", tag = "projects", params(("id" = i64, Path)), request_body = ProjectChange,
    responses((status = 200, body = Project), (status = 400), (status = 401), (status = 403), (status = 404), (status = 409)))]
pub(crate) async fn update(
    AxumState(state): AxumState<State>,
    Authenticated(caller): Authenticated,
    Path(id): Path<i64>,
    Json(ProjectChange { name, description, status }): Json<ProjectChange>,
) -> Result<Answer<Project>, ApiError> {
    let parse = |text: String| ProjectStatus::try_from(text).map_err(|error| Refusal::invalid(error.to_string()));
    let patch = Patch { name, description: change(description), status: status.map(parse).transpose()? };
    Ok(Answer(projects::update(&caller.call(state.platform.services()), ProjectId(id), patch).await?))
}

/// Deletes a project in which there is nothing.
#[utoipa::path(delete, path = "/api/projects/{id}", tag = "projects", params(("id" = i64, Path)),
    responses((status = 204), (status = 401), (status = 403), (status = 404), (status = 409)))]
pub(crate) async fn delete(
    AxumState(state): AxumState<State>,
    Authenticated(caller): Authenticated,
    Path(id): Path<i64>,
) -> Result<StatusCode, ApiError> {
    projects::delete(&caller.call(state.platform.services()), ProjectId(id)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The experiments of a project that the asking person sees, oldest first.
#[utoipa::path(get, path = "/api/projects/{id}/experiments", tag = "projects", params(("id" = i64, Path), Window),
    responses((status = 200, body = Experiments), (status = 401), (status = 403), (status = 404)))]
pub(crate) async fn experiments(
    AxumState(state): AxumState<State>,
    Authenticated(caller): Authenticated,
    Path(id): Path<i64>,
    Query(window): Query<Window>,
) -> Result<Answer<Experiments>, ApiError> {
    let call = caller.call(state.platform.services());
    let project = projects::get(&call, ProjectId(id)).await?;
    let filter = Filter { project: Some(project.name), ..Filter::default() };
    let (experiments, total) = mint_context::experiments::list(&call, &filter, window.into()).await?;
    Ok(Answer(Experiments { experiments, total }))
}
