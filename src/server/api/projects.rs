//! Projects.

use axum::{Json as Answer, extract::State as AxumState};
use http::StatusCode;
use mint_context::projects::{self, Draft, Project};
use mint_domain::ProjectId;
use serde::Serialize;
use utoipa::ToSchema;

use super::Window;
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
