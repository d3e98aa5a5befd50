//! Results that plugins saved, to be read.

use axum::{Json, extract::State as AxumState};
use mint_context::results::{self, Artifact, DEFAULT_KEY, Summary};
use mint_domain::{ExperimentId, Refusal, Slug};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::{
    auth::Authenticated,
    error::ApiError,
    extract::{Path, Query},
    router::State,
};

/// Which artifacts to list.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Shown {
    /// Also those that were put away.
    #[serde(default)]
    include_archived: bool,
}

fn slug(text: &str) -> Result<Slug, Refusal> {
    text.parse().map_err(|_| Refusal::not_found("plugin", text))
}

/// The analysis result of every plugin on an experiment.
#[utoipa::path(get, path = "/api/experiments/{id}/results", tag = "results", params(("id" = i64, Path)),
    responses((status = 200, body = Vec<Summary>), (status = 401), (status = 403), (status = 404)))]
pub(crate) async fn list(
    AxumState(state): AxumState<State>,
    Authenticated(caller): Authenticated,
    Path(id): Path<i64>,
) -> Result<Json<Vec<Summary>>, ApiError> {
    let mut found = results::list(&caller.call(state.platform.services()), ExperimentId(id), true, false).await?;
    found.retain(|summary| summary.artifact_key == DEFAULT_KEY);
    Ok(Json(found))
}

/// The analysis result of one plugin on an experiment.
#[utoipa::path(get, path = "/api/experiments/{id}/results/{plugin}", tag = "results", params(("id" = i64, Path), ("plugin" = String, Path)),
    responses((status = 200, body = Artifact), (status = 401), (status = 403), (status = 404)))]
pub(crate) async fn get(
    AxumState(state): AxumState<State>,
    Authenticated(caller): Authenticated,
    Path((id, plugin)): Path<(i64, String)>,
) -> Result<Json<Artifact>, ApiError> {
    let (call, plugin) = (caller.call(state.platform.services()), slug(&plugin)?);
    Ok(Json(results::load(&call, ExperimentId(id), Some(&plugin), DEFAULT_KEY, None, false).await?))
}

/// Every artifact on an experiment.
#[utoipa::path(get, path = "/api/experiments/{id}/analysis-artifacts", tag = "results", params(("id" = i64, Path), Shown),
    responses((status = 200, body = Vec<Summary>), (status = 401), (status = 403), (status = 404)))]
pub(crate) async fn artifacts(
    AxumState(state): AxumState<State>,
    Authenticated(caller): Authenticated,
    Path(id): Path<i64>,
    Query(shown): Query<Shown>,
) -> Result<Json<Vec<Summary>>, ApiError> {
    let call = caller.call(state.platform.services());
    Ok(Json(results::list(&call, ExperimentId(id), true, shown.include_archived).await?))
}

/// One artifact.
#[utoipa::path(get, path = "/api/experiments/{id}/analysis-artifacts/{plugin}/{key}", tag = "results",
    params(("id" = i64, Path), ("plugin" = String, Path), ("key" = String, Path), Shown),
    responses((status = 200, body = Artifact), (status = 401), (status = 403), (status = 404)))]
pub(crate) async fn artifact(
    AxumState(state): AxumState<State>,
    Authenticated(caller): Authenticated,
    Path((id, plugin, key)): Path<(i64, String, String)>,
    Query(shown): Query<Shown>,
) -> Result<Json<Artifact>, ApiError> {
    let (call, plugin) = (caller.call(state.platform.services()), slug(&plugin)?);
    Ok(Json(results::load(&call, ExperimentId(id), Some(&plugin), &key, None, shown.include_archived).await?))
}
