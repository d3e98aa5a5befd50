//! What plugins that were removed left behind.

use axum::{Json, extract::State as AxumState, response::Response};
use mint_domain::{ArchiveName, Refusal};
use mint_platform::{archives::ArchivedPlugin, launch::Foreseen};
use serde::Deserialize;
use utoipa::IntoParams;

use super::operations::{self, Operation, Run};
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
#[utoipa::path(delete, path = "/api/archives/{archive}", tag = "plugins", params(("archive" = String, Path), Confirmed, Run),
    responses((status = 200, body = Foreseen), (status = 202, body = Operation), (status = 400), (status = 401), (status = 403), (status = 404), (status = 409)))]
pub(crate) async fn purge(
    AxumState(state): AxumState<State>,
    Authenticated(caller): Authenticated,
    Path(archive): Path<String>,
    Query(run): Query<Run>,
    Query(confirmed): Query<Confirmed>,
) -> Result<Response, ApiError> {
    let name: ArchiveName = archive.parse().map_err(|_| Refusal::not_found("archive", &archive))?;
    let begun = state.platform.purge_archive(caller.clone(), &name, &confirmed.confirm, run.dry_run).await?;
    operations::begun(&state, &caller, begun).await
}
