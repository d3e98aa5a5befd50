//! The servers that work together.

use axum::{Json, extract::State as AxumState};
use mint_platform::status::ServerStatus;

use crate::{auth::Authenticated, error::ApiError, router::State};

/// The servers that are there, and what answers at each of them.
#[utoipa::path(get, path = "/api/replicas", tag = "health", responses((status = 200, body = Vec<ServerStatus>), (status = 401), (status = 403)))]
pub(crate) async fn list(
    AxumState(state): AxumState<State>,
    Authenticated(caller): Authenticated,
) -> Result<Json<Vec<ServerStatus>>, ApiError> {
    Ok(Json(state.platform.servers(&caller).await?))
}
