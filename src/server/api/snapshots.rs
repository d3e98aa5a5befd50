//! Snapshots of plugins: what they held at some instant, and the way back.

use axum::{
    Json as Answer,
    body::Body,
    extract::{Request, State as AxumState},
    response::{IntoResponse as _, Response},
};
use futures_util::{StreamExt as _, TryStreamExt as _};
use http::{HeaderValue, StatusCode, header};
use mint_domain::{Kind, Refusal, SnapshotId};
use mint_platform::{
    install::{Restore, Upload},
    launch::Foreseen,
    snapshots::ShownSnapshot,
};
use serde::Deserialize;
use tokio::io::AsyncWriteExt as _;
use utoipa::IntoParams;

use super::operations::{self, Operation, Run};
use crate::{
    auth::Authenticated,
    error::ApiError,
    extract::{Json, Path, Query},
    router::State,
};

/// Bytes of a backup.
const BACKUP_BYTES_MAX: u64 = 16 << 30;

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
#[utoipa::path(post, path = "/api/plugins/{name}/snapshots", tag = "plugins", params(("name" = String, Path), Run),
    responses((status = 200, body = Foreseen), (status = 202, body = Operation), (status = 401), (status = 403), (status = 404), (status = 409)))]
pub(crate) async fn take(
    AxumState(state): AxumState<State>,
    Authenticated(caller): Authenticated,
    Path(name): Path<String>,
    Query(run): Query<Run>,
) -> Result<Response, ApiError> {
    let begun = state.platform.snapshot_plugin(caller.clone(), &name, run.dry_run).await?;
    operations::begun(&state, &caller, begun).await
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

/// Whether a backup is kept, or only looked at.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Look {
    /// Tells what a restore of it would do. Nothing is kept.
    #[serde(default)]
    #[param(required = false)]
    dry_run: bool,
    /// With `dry_run`: as a restore that lets migrations take away what earlier releases use.
    #[serde(default)]
    #[param(required = false)]
    allow_destructive: bool,
}

/// Takes a backup: the body is the file. It can be restored like a snapshot that was taken here.
#[utoipa::path(post, path = "/api/plugins/{name}/snapshots/upload", tag = "plugins", params(("name" = String, Path), Look),
    request_body(content = Vec<u8>, content_type = "application/zip"),
    responses((status = 200, body = Foreseen), (status = 201, body = ShownSnapshot), (status = 400), (status = 401), (status = 403), (status = 404), (status = 409), (status = 413)))]
pub(crate) async fn upload(
    AxumState(state): AxumState<State>,
    Authenticated(caller): Authenticated,
    Path(name): Path<String>,
    Query(look): Query<Look>,
    request: Request,
) -> Result<Response, ApiError> {
    // Before a byte of it is taken for nothing.
    state.platform.expect_installed(&caller, &name).await?;
    let file = tempfile::NamedTempFile::new_in(state.platform.layout().uploads()).map_err(mint_context::Error::from)?;
    let (file, path) = file.into_parts();
    let mut file = tokio::fs::File::from_std(file);
    let mut body = request.into_body().into_data_stream();
    let mut received = 0_u64;
    while let Some(chunk) = body.next().await {
        let broken = |_| Refusal::new(Kind::Invalid, "request.bad_request", "The upload broke off; nothing was saved.");
        let chunk = chunk.map_err(broken)?;
        received += chunk.len() as u64;
        if received > BACKUP_BYTES_MAX {
            let message = format!("A backup has at most {BACKUP_BYTES_MAX} bytes.");
            return Err(Refusal::new(Kind::TooLarge, "request.too_large", message).into());
        }
        file.write_all(&chunk).await.map_err(mint_context::Error::from)?;
    }
    file.flush().await.map_err(mint_context::Error::from)?;
    if look.dry_run {
        let foreseen = state.platform.foresee_restore(&caller, &name, Upload(path), look.allow_destructive).await?;
        return Ok(Answer(foreseen).into_response());
    }
    let shown = state.platform.add_snapshot(&caller, &name, Upload(path)).await?;
    Ok((StatusCode::CREATED, Answer(shown)).into_response())
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
#[utoipa::path(post, path = "/api/plugins/{name}/restore", tag = "plugins", params(("name" = String, Path), Run), request_body = Restore,
    responses((status = 200, body = Foreseen), (status = 202, body = Operation), (status = 400), (status = 401), (status = 403), (status = 404), (status = 409)))]
pub(crate) async fn restore(
    AxumState(state): AxumState<State>,
    Authenticated(caller): Authenticated,
    Path(name): Path<String>,
    Query(run): Query<Run>,
    Json(to): Json<Restore>,
) -> Result<Response, ApiError> {
    let begun = state.platform.restore_snapshot(caller.clone(), &name, to, run.dry_run).await?;
    operations::begun(&state, &caller, begun).await
}
