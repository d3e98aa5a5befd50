//! Whether the server is there, and whether it can work.

use axum::{Json, extract::State as AxumState};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{error::ApiError, router::State};

/// That the server is there.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Health {
    /// `ok`.
    status: &'static str,
    /// Version of the platform.
    version: &'static str,
}

const OK: Health = Health { status: "ok", version: env!("CARGO_PKG_VERSION") };

/// The process is there. Asks nothing else.
#[utoipa::path(get, path = "/api/health", tag = "health", security(()), responses((status = 200, body = Health)))]
pub(crate) async fn alive() -> Json<Health> {
    Json(OK)
}

/// Requests can be served: the database answers, the other servers can count on this one, and it is not about to end.
#[utoipa::path(get, path = "/api/health/ready", tag = "health", security(()), responses((status = 200, body = Health), (status = 503)))]
pub(crate) async fn ready(AxumState(state): AxumState<State>) -> Result<Json<Health>, ApiError> {
    state.platform.ready().await?;
    Ok(Json(OK))
}

/// As `/api/health`, where orchestrators look for it.
#[utoipa::path(get, path = "/livez", tag = "health", security(()), responses((status = 200, body = Health)))]
pub(crate) async fn livez() -> Json<Health> {
    alive().await
}

/// As `/api/health/ready`, where orchestrators look for it.
#[utoipa::path(get, path = "/readyz", tag = "health", security(()), responses((status = 200, body = Health), (status = 503)))]
pub(crate) async fn readyz(state: AxumState<State>) -> Result<Json<Health>, ApiError> {
    ready(state).await
}
