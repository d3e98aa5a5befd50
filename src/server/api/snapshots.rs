//! Snapshots of plugins: what they held at some instant, and the way back.

use axum::{Json as Answer, body::Body, extract::State as AxumState, response::Response};
use futures_util::TryStreamExt as _;
use http::{HeaderValue, StatusCode, header};
use mint_domain::SnapshotId;
use mint_platform::{install::Restore, snapshots::ShownSnapshot};

use super::operations::{self, Operation};
use crate::{
    auth::Authenticated,
    error::ApiError,
    extract::{Json, Path},
    router::State,
};

/// Snapshots of a plugin, the latest first.
#[utoipa::path(get, path = "/api/plugins/{name}/snapshots", tag = "plugins", params(("name" = String, Path)),
    responses((status = 200, body = Vec<ShownSnapshot>), (status = 401), (status = 403), (status = 404)))]
pub(crate) async fn list(
    AxumState(state): AxumState<State>,
    Authenticated(caller): Authenticated,
    Path(name): Path<String>,
) -> Result<Answer<Vec<ShownSnapshot>>, ApiError> {
    Ok(Answer(state.platform.list_snapshots(&caller, &name).await?))
}

/// Begins to take a snapshot of a plugin's tables, files and settings, which goes on meanwhile.
#[utoipa::path(post, path = "/api/plugins/{name}/snapshots", tag = "plugins", params(("name" = String, Path)),
    responses((status = 202, body = Operation), (status = 401), (status = 403), (status = 404), (status = 409)))]
pub(crate) async fn take(
    AxumState(state): AxumState<State>,
    Authenticated(caller): Authenticated,
    Path(name): Path<String>,
) -> Result<(StatusCode, Answer<Operation>), ApiError> {
    let id = state.platform.snapshot_plugin(caller.clone(), &name).await?;
    Ok((StatusCode::ACCEPTED, Answer(operations::show(&state, &caller, id).await?)))
}

/// The archive of a snapshot.
#[utoipa::path(get, path = "/api/plugins/{name}/snapshots/{snapshot}", tag = "plugins",
    params(("name" = String, Path), ("snapshot" = i64, Path)),
    responses((status = 200, content_type = "application/zip", body = Vec<u8>), (status = 401), (status = 403), (status = 404)))]
pub(crate) async fn get(
    AxumState(state): AxumState<State>,
    Authenticated(caller): Authenticated,
    Path((name, snapshot)): Path<(String, i64)>,
) -> Result<Response, ApiError> {
    let (shown, bytes) = state.platform.snapshot_file(&caller, &name, SnapshotId(snapshot)).await?;
    let mut response = Response::new(Body::from_stream(bytes.map_err(std::io::Error::other)));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/zip"));
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(shown.size));
    let disposition = format!("attachment; filename=\"{name}-{}-{snapshot}.mint-snapshot\"", shown.version);
    if let (Ok(disposition), Ok(tag)) =
        (HeaderValue::try_from(disposition), HeaderValue::try_from(format!("\"{}\"", shown.digest)))
    {
        headers.insert(header::CONTENT_DISPOSITION, disposition);
        headers.insert(header::ETAG, tag);
    }
    Ok(response)
}

/// Deletes a snapshot.
#[utoipa::path(delete, path = "/api/plugins/{name}/snapshots/{snapshot}", tag = "plugins",
    params(("name" = String, Path), ("snapshot" = i64, Path)),
    responses((status = 204), (status = 401), (status = 403), (status = 404), (status = 409)))]
pub(crate) async fn delete(
    AxumState(state): AxumState<State>,
    Authenticated(caller): Authenticated,
    Path((name, snapshot)): Path<(String, i64)>,
) -> Result<StatusCode, ApiError> {
    state.platform.delete_snapshot(&caller, &name, SnapshotId(snapshot)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Begins to put a snapshot back: tables, files, settings and release. The plugin does not answer meanwhile.
#[utoipa::path(post, path = "/api/plugins/{name}/restore", tag = "plugins", params(("name" = String, Path)), request_body = Restore,
    responses((status = 202, body = Operation), (status = 400), (status = 401), (status = 403), (status = 404), (status = 409)))]
pub(crate) async fn restore(
    AxumState(state): AxumState<State>,
    Authenticated(caller): Authenticated,
    Path(name): Path<String>,
    Json(to): Json<Restore>,
) -> Result<(StatusCode, Answer<Operation>), ApiError> {
    let id = state.platform.restore_snapshot(caller.clone(), &name, to).await?;
    Ok((StatusCode::ACCEPTED, Answer(operations::show(&state, &caller, id).await?)))
}
