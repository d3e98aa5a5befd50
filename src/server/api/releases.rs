//! Releases of a plugin: another one in the place of the active one, and back.

use axum::{Json as Answer, extract::Request, extract::State as AxumState};
use http::StatusCode;
use mint_platform::install::{KeptRelease, RollBack};

use super::{
    bundle_form::{self, UploadForm},
    operations::{self, Operation},
};
use crate::{
    auth::Authenticated,
    error::ApiError,
    extract::{Json, Path},
    router::State,
};

/// Begins to put another release in the place of the active one, which answers until the new one does. The decision's grants
/// come on top of what is granted.
#[utoipa::path(post, path = "/api/plugins/{name}/upgrade", tag = "plugins", params(("name" = String, Path)),
    request_body(content = UploadForm, content_type = "multipart/form-data"),
    responses((status = 202, body = Operation), (status = 400), (status = 401), (status = 403), (status = 404), (status = 409), (status = 413)))]
pub(crate) async fn upgrade(
    AxumState(state): AxumState<State>,
    Authenticated(caller): Authenticated,
    Path(name): Path<String>,
    request: Request,
) -> Result<(StatusCode, Answer<Operation>), ApiError> {
    // Before a bundle is taken for nothing.
    state.platform.expect_installed(&caller, &name).await?;
    let (decision, upload) = bundle_form::receive(&state, &caller, request).await?;
    let id = state.platform.upgrade(caller.clone(), &name, upload, decision).await?;
    Ok((StatusCode::ACCEPTED, Answer(operations::show(&state, &caller, id).await?)))
}

/// Begins to put an earlier release back in its place.
#[utoipa::path(post, path = "/api/plugins/{name}/rollback", tag = "plugins", params(("name" = String, Path)), request_body = RollBack,
    responses((status = 202, body = Operation), (status = 400), (status = 401), (status = 403), (status = 404), (status = 409)))]
pub(crate) async fn roll_back(
    AxumState(state): AxumState<State>,
    Authenticated(caller): Authenticated,
    Path(name): Path<String>,
    Json(to): Json<RollBack>,
) -> Result<(StatusCode, Answer<Operation>), ApiError> {
    let id = state.platform.roll_back(caller.clone(), &name, to).await?;
    Ok((StatusCode::ACCEPTED, Answer(operations::show(&state, &caller, id).await?)))
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
