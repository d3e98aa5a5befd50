//! What plugins that were removed left behind.

use axum::{Json, extract::State as AxumState};
use http::StatusCode;
use mint_domain::{ArchiveName, Refusal};
use mint_platform::archives::ArchivedPlugin;
use serde::Deserialize;
use utoipa::IntoParams;

use super::operations::{self, Operation};
use crate::{
    auth::Authenticated,
    error::ApiError,
    extract::{Path, Query},
    router::State,
};

/// That it is meant.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Confirmed {
    /// Slug of the archive's plugin: what it holds is lost.
    #[serde(default)]
    confirm: String,
}

/// Archives, the latest first. One is adopted by `adopt` in the decision of an install.
#[utoipa::path(get, path = "/api/archives", tag = "plugins",
    responses((status = 200, body = Vec<ArchivedPlugin>), (status = 401), (status = 403)))]
pub(crate) async fn list(
    AxumState(state): AxumState<State>,
    Authenticated(caller): Authenticated,
) -> Result<Json<Vec<ArchivedPlugin>>, ApiError> {
    Ok(Json(state.platform.list_archives(&caller).await?))
}

/// Begins to delete an archive.
#[utoipa::path(delete, path = "/api/archives/{archive}", tag = "plugins", params(("archive" = String, Path), Confirmed),
    responses((status = 202, body = Operation), (status = 400), (status = 401), (status = 403), (status = 404), (status = 409)))]
pub(crate) async fn purge(
    AxumState(state): AxumState<State>,
    Authenticated(caller): Authenticated,
    Path(archive): Path<String>,
    Query(confirmed): Query<Confirmed>,
) -> Result<(StatusCode, Json<Operation>), ApiError> {
    let name: ArchiveName = archive.parse().map_err(|_| Refusal::not_found("archive", &archive))?;
    let id = state.platform.purge_archive(caller.clone(), &name, &confirmed.confirm).await?;
    Ok((StatusCode::ACCEPTED, Json(operations::show(&state, &caller, id).await?)))
}
