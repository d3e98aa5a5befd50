//! Keeping a plugin from answering, and letting it answer again.

use axum::{Json, extract::State as AxumState};
use http::StatusCode;

use super::operations::{self, Operation};
use crate::{auth::Authenticated, error::ApiError, extract::Path, router::State};

/// Begins to disable a plugin: it finishes what it has begun, and answers nobody until it is enabled. What it holds stays.
#[utoipa::path(post, path = "/api/plugins/{name}/disable", tag = "plugins", params(("name" = String, Path)),
    responses((status = 202, body = Operation), (status = 401), (status = 403), (status = 404), (status = 409)))]
pub(crate) async fn disable(
    AxumState(state): AxumState<State>,
    Authenticated(caller): Authenticated,
    Path(name): Path<String>,
) -> Result<(StatusCode, Json<Operation>), ApiError> {
    let id = state.platform.disable(caller.clone(), &name).await?;
    Ok((StatusCode::ACCEPTED, Json(operations::show(&state, &caller, id).await?)))
}

/// Begins to start a plugin that was disabled.
#[utoipa::path(post, path = "/api/plugins/{name}/enable", tag = "plugins", params(("name" = String, Path)),
    responses((status = 202, body = Operation), (status = 401), (status = 403), (status = 404), (status = 409)))]
pub(crate) async fn enable(
    AxumState(state): AxumState<State>,
    Authenticated(caller): Authenticated,
    Path(name): Path<String>,
) -> Result<(StatusCode, Json<Operation>), ApiError> {
    let id = state.platform.enable(caller.clone(), &name).await?;
    Ok((StatusCode::ACCEPTED, Json(operations::show(&state, &caller, id).await?)))
}
