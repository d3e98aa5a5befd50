//! Keeping a plugin from answering, and letting it answer again.

use axum::{extract::State as AxumState, response::Response};
use mint_platform::launch::Foreseen;

use super::operations::{self, Operation, Run};
use crate::{
    auth::Authenticated,
    error::ApiError,
    extract::{Path, Query},
    router::State,
};

/// Begins to disable a plugin: it finishes what it has begun, and answers nobody until it is enabled. What it holds stays.
#[utoipa::path(post, path = "/api/plugins/{name}/disable", tag = "plugins", params(("name" = String, Path), Run),
    responses((status = 200, body = Foreseen), (status = 202, body = Operation), (status = 401), (status = 403), (status = 404), (status = 409)))]
pub(crate) async fn disable(
    AxumState(state): AxumState<State>,
    Authenticated(caller): Authenticated,
    Path(name): Path<String>,
    Query(run): Query<Run>,
) -> Result<Response, ApiError> {
    let begun = state.platform.disable(caller.clone(), &name, run.dry_run).await?;
    operations::begun(&state, &caller, begun).await
}

/// Begins to start a plugin that was disabled.
#[utoipa::path(post, path = "/api/plugins/{name}/enable", tag = "plugins", params(("name" = String, Path), Run),
    responses((status = 200, body = Foreseen), (status = 202, body = Operation), (status = 401), (status = 403), (status = 404), (status = 409)))]
pub(crate) async fn enable(
    AxumState(state): AxumState<State>,
    Authenticated(caller): Authenticated,
    Path(name): Path<String>,
    Query(run): Query<Run>,
) -> Result<Response, ApiError> {
    let begun = state.platform.enable(caller.clone(), &name, run.dry_run).await?;
    operations::begun(&state, &caller, begun).await
}
