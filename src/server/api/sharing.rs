//! Who has which part in a project, and in one experiment.

use axum::{Json as Answer, extract::State as AxumState};
use http::StatusCode;
use mint_context::sharing::{self, Part};
use mint_domain::{ExperimentId, ProjectId, UserId};
use mint_store::parts::Shared;
use serde::Deserialize;
use utoipa::ToSchema;

use super::Window;
use crate::{
    auth::Authenticated,
    error::ApiError,
    extract::{Json, Path, Query},
    router::State,
};

/// A part to give.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewPart {
    /// `viewer`, `editor` or `owner`.
    role: String,
}

/// Who has which part in a project.
#[utoipa::path(get, path = "/api/projects/{id}/members", tag = "projects", params(("id" = i64, Path), Window),
    responses((status = 200, body = Vec<Part>), (status = 401), (status = 403), (status = 404)))]
pub(crate) async fn members(
    AxumState(state): AxumState<State>,
    Authenticated(caller): Authenticated,
    Path(id): Path<i64>,
    Query(window): Query<Window>,
) -> Result<Answer<Vec<Part>>, ApiError> {
    let shared = Shared::Project(ProjectId(id));
    Ok(Answer(sharing::list(&caller.call(state.platform.services()), shared, window.into()).await?))
}

/// Gives somebody a part in a project, in the place of the one that they have.
#[utoipa::path(put, path = "/api/projects/{id}/members/{user}", tag = "projects", request_body = NewPart,
    params(("id" = i64, Path), ("user" = i64, Path)),
    responses((status = 200, body = Part), (status = 400), (status = 401), (status = 403), (status = 404)))]
pub(crate) async fn set_member(
    AxumState(state): AxumState<State>,
    Authenticated(caller): Authenticated,
    Path((id, user)): Path<(i64, i64)>,
    Json(new): Json<NewPart>,
) -> Result<Answer<Part>, ApiError> {
    let shared = Shared::Project(ProjectId(id));
    Ok(Answer(sharing::set(&caller.call(state.platform.services()), shared, UserId(user), &new.role).await?))
}

/// Takes somebody's part in a project away, which anybody may do with their own.
#[utoipa::path(delete, path = "/api/projects/{id}/members/{user}", tag = "projects", params(("id" = i64, Path), ("user" = i64, Path)),
    responses((status = 204), (status = 401), (status = 403), (status = 404)))]
pub(crate) async fn remove_member(
    AxumState(state): AxumState<State>,
    Authenticated(caller): Authenticated,
    Path((id, user)): Path<(i64, i64)>,
) -> Result<StatusCode, ApiError> {
    sharing::remove(&caller.call(state.platform.services()), Shared::Project(ProjectId(id)), UserId(user)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Who has which part in an experiment of its own, whatever they are to its project.
#[utoipa::path(get, path = "/api/experiments/{id}/collaborators", tag = "experiments", params(("id" = i64, Path), Window),
    responses((status = 200, body = Vec<Part>), (status = 401), (status = 403), (status = 404)))]
pub(crate) async fn collaborators(
    AxumState(state): AxumState<State>,
    Authenticated(caller): Authenticated,
    Path(id): Path<i64>,
    Query(window): Query<Window>,
) -> Result<Answer<Vec<Part>>, ApiError> {
    let shared = Shared::Experiment(ExperimentId(id));
    Ok(Answer(sharing::list(&caller.call(state.platform.services()), shared, window.into()).await?))
}

/// Gives somebody a part in an experiment, in the place of the one that they have.
#[utoipa::path(put, path = "/api/experiments/{id}/collaborators/{user}", tag = "experiments", request_body = NewPart,
    params(("id" = i64, Path), ("user" = i64, Path)),
    responses((status = 200, body = Part), (status = 400), (status = 401), (status = 403), (status = 404)))]
pub(crate) async fn set_collaborator(
    AxumState(state): AxumState<State>,
    Authenticated(caller): Authenticated,
    Path((id, user)): Path<(i64, i64)>,
    Json(new): Json<NewPart>,
) -> Result<Answer<Part>, ApiError> {
    let shared = Shared::Experiment(ExperimentId(id));
    Ok(Answer(sharing::set(&caller.call(state.platform.services()), shared, UserId(user), &new.role).await?))
}

/// Takes somebody's part in an experiment away, which anybody may do with their own.
#[utoipa::path(delete, path = "/api/experiments/{id}/collaborators/{user}", tag = "experiments",
    params(("id" = i64, Path), ("user" = i64, Path)),
    responses((status = 204), (status = 401), (status = 403), (status = 404)))]
pub(crate) async fn remove_collaborator(
    AxumState(state): AxumState<State>,
    Authenticated(caller): Authenticated,
    Path((id, user)): Path<(i64, i64)>,
) -> Result<StatusCode, ApiError> {
    let shared = Shared::Experiment(ExperimentId(id));
    sharing::remove(&caller.call(state.platform.services()), shared, UserId(user)).await?;
    Ok(StatusCode::NO_CONTENT)
}
