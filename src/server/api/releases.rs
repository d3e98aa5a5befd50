//! Releases of a plugin: another one in the place of the active one, and back.

use axum::{
    Json as Answer,
    extract::{Request, State as AxumState},
    response::Response,
};
use mint_platform::{
    install::{KeptRelease, RollBack},
    launch::Foreseen,
};

use super::{
    bundle_form::{self, UploadForm},
    operations::{self, Operation, Run},
};
use crate::{
    auth::Authenticated,
    error::ApiError,
    extract::{Json, Path, Query},
    router::State,
};

/// Begins to put another release in the place of the active one, which answers until the new one does. The decision's grants
/// come on top of what is granted.
#[utoipa::path(post, path = "/api/plugins/{name}/upgrade", tag = "plugins", params(("name" = String, Path), Run),
    request_body(content = UploadForm, content_type = "multipart/form-data"),
    responses((status = 200, body = Foreseen), (status = 202, body = Operation), (status = 400), (status = 401), (status = 403), (status = 404), (status = 409), (status = 413)))]
pub(crate) async fn upgrade(
    AxumState(state): AxumState<State>,
    Authenticated(caller): Authenticated,
    Path(name): Path<String>,
    Query(run): Query<Run>,
    request: Request,
) -> Result<Response, ApiError> {
    // Before a bundle is taken for nothing.
    state.platform.expect_installed(&caller, &name).await?;
    let (decision, upload) = bundle_form::receive(&state, &caller, request).await?;
    let begun = state.platform.upgrade(caller.clone(), &name, upload, decision, run.dry_run).await?;
    operations::begun(&state, &caller, begun).await
}

/// Begins to put an earlier release back in its place.
#[utoipa::path(post, path = "/api/plugins/{name}/rollback", tag = "plugins", params(("name" = String, Path), Run), request_body = RollBack,
    responses((status = 200, body = Foreseen), (status = 202, body = Operation), (status = 400), (status = 401), (status = 403), (status = 404), (status = 409)))]
pub(crate) async fn roll_back(
    AxumState(state): AxumState<State>,
    Authenticated(caller): Authenticated,
    Path(name): Path<String>,
    Query(run): Query<Run>,
    Json(to): Json<RollBack>,
) -> Result<Response, ApiError> {
    let begun = state.platform.roll_back(caller.clone(), &name, to, run.dry_run).await?;
    operations::begun(&state, &caller, begun).await
}

/// Releases that answered, the active one first; what is listed after it is kept to go back to.
#[utoipa::path(get, path = "/api/plugins/{name}/releases", tag = "plugins", params(("name" = String, Path)),
    responses((status = 200, body = Vec<KeptRelease>), (status = 401), (status = 403), (status = 404)))]
pub(crate) async fn list(
    AxumState(state): AxumState<State>,
    Authenticated(caller): Authenticated,
    Path(name): Path<String>,
) -> Result<Answer<Vec<KeptRelease>>, ApiError> {
    Ok(Answer(state.platform.kept_releases(&caller, &name).await?))
}
