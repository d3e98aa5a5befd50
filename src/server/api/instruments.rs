//! The laboratory's instruments, as plugins made them.

use axum::{Json, extract::State as AxumState};
use mint_context::instruments::{self, Instrument};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::{auth::Authenticated, error::ApiError, extract::Query, router::State};

/// Which instruments.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Which {
    /// Only those in use.
    #[serde(default)]
    active_only: bool,
}

/// Instruments by name.
#[utoipa::path(get, path = "/api/instruments", tag = "instruments", params(Which),
    responses((status = 200, body = Vec<Instrument>), (status = 401), (status = 403)))]
pub(crate) async fn list(
    AxumState(state): AxumState<State>,
    Authenticated(caller): Authenticated,
    Query(which): Query<Which>,
) -> Result<Json<Vec<Instrument>>, ApiError> {
    Ok(Json(instruments::list(&caller.call(state.platform.services()), which.active_only).await?))
}
