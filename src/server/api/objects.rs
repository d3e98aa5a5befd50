//! Files of experiments, streamed both ways.

use axum::{
    Json,
    body::Body,
    extract::{Request, State as AxumState},
    response::{IntoResponse, Response},
};
use futures_util::{StreamExt as _, TryStreamExt as _};
use http::{HeaderValue, StatusCode, header};
use mint_context::objects::{self, ObjectInfo};
use mint_domain::{ExperimentId, Kind, Refusal, Slug};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{
    auth::Authenticated,
    error::ApiError,
    extract::{Path, Query},
    router::State,
};

/// Which files to list.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Wanted {
    /// The beginning of their keys.
    #[serde(default)]
    prefix: String,
}

/// Whose file.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Owner {
    /// Slug of the plugin that put it; by default a person's upload.
    plugin_id: Option<String>,
}

/// Some files.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Objects {
    objects: Vec<ObjectInfo>,
}

/// Files of an experiment by key.
#[utoipa::path(get, path = "/api/experiments/{id}/objects", tag = "objects", params(("id" = i64, Path), Wanted),
    responses((status = 200, body = Objects), (status = 401), (status = 403), (status = 404)))]
pub(crate) async fn list(
    AxumState(state): AxumState<State>,
    Authenticated(caller): Authenticated,
    Path(id): Path<i64>,
    Query(wanted): Query<Wanted>,
) -> Result<Json<Objects>, ApiError> {
    let objects = objects::list(&caller.call(state.platform.services()), ExperimentId(id), &wanted.prefix).await?;
    Ok(Json(Objects { objects }))
}

/// The bytes of a file.
#[utoipa::path(get, path = "/api/experiments/{id}/objects/{*key}", tag = "objects",
    params(("id" = i64, Path), ("key" = String, Path, description = "May contain slashes"), Owner),
    responses((status = 200, content_type = "application/octet-stream", body = Vec<u8>), (status = 401), (status = 403), (status = 404)))]
pub(crate) async fn get(
    AxumState(state): AxumState<State>,
    Authenticated(caller): Authenticated,
    Path((id, key)): Path<(i64, String)>,
    Query(owner): Query<Owner>,
) -> Result<Response, ApiError> {
    let owner: Option<Slug> =
        owner.plugin_id.map(|text| text.parse().map_err(|_| Refusal::not_found("plugin", text))).transpose()?;
    let (info, stream) = objects::get(&caller.call(state.platform.services()), ExperimentId(id), owner.as_ref(), &key).await?;
    let mut response = Body::from_stream(stream.map_err(std::io::Error::other)).into_response();
    let headers = response.headers_mut();
    let content_type = info.content_type.and_then(|text| HeaderValue::from_str(&text).ok());
    headers.insert(header::CONTENT_TYPE, content_type.unwrap_or(HeaderValue::from_static("application/octet-stream")));
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(info.size));
    // A file is somebody's data, never a page of ours.
    headers.insert(header::CONTENT_DISPOSITION, HeaderValue::from_static("attachment"));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("sandbox"));
    if let Ok(tag) = HeaderValue::from_str(&format!("\"{}\"", info.sha256)) {
        headers.insert(header::ETAG, tag);
    }
    Ok(response)
}

/// Uploads a file: the body is its bytes, `Content-Type` its media type. One of the same key is replaced.
#[utoipa::path(put, path = "/api/experiments/{id}/objects/{*key}", tag = "objects",
    params(("id" = i64, Path), ("key" = String, Path, description = "May contain slashes")),
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses((status = 201, body = ObjectInfo), (status = 400), (status = 401), (status = 403), (status = 404), (status = 413)))]
pub(crate) async fn put(
    AxumState(state): AxumState<State>,
    Authenticated(caller): Authenticated,
    Path((id, key)): Path<(i64, String)>,
    request: Request,
) -> Result<(StatusCode, Json<ObjectInfo>), ApiError> {
    let content_type = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let call = caller.call(state.platform.services());
    let mut writer = objects::put(&call, ExperimentId(id), &key, content_type, serde_json::json!({})).await?;
    let mut body = request.into_body().into_data_stream();
    while let Some(chunk) = body.next().await {
        let chunk =
            chunk.map_err(|_| Refusal::new(Kind::Invalid, "request.bad_request", "The upload broke off; nothing was saved."))?;
        writer.write(chunk).await?;
    }
    Ok((StatusCode::CREATED, Json(writer.finish().await?)))
}

/// Deletes a person's upload.
#[utoipa::path(delete, path = "/api/experiments/{id}/objects/{*key}", tag = "objects",
    params(("id" = i64, Path), ("key" = String, Path, description = "May contain slashes")),
    responses((status = 204), (status = 401), (status = 403), (status = 404)))]
pub(crate) async fn delete(
    AxumState(state): AxumState<State>,
    Authenticated(caller): Authenticated,
    Path((id, key)): Path<(i64, String)>,
) -> Result<StatusCode, ApiError> {
    if objects::delete(&caller.call(state.platform.services()), ExperimentId(id), &key).await? {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(Refusal::not_found("object", key).into())
    }
}
