//! All that a laboratory has, in one file.

use axum::{body::Body, extract::State as AxumState, response::Response};
use futures_util::TryStreamExt as _;
use http::{HeaderValue, header};
use mint_domain::Refusal;
use serde::Deserialize;
use tokio_util::io::ReaderStream;
use utoipa::IntoParams;

use crate::{auth::Authenticated, error::ApiError, extract::Query, router::State};

/// Of which laboratory.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Whose {
    /// Slug of the laboratory, to say that this one is meant; there is no other for who asks.
    #[serde(default)]
    tenant: Option<String>,
}

/// All that the laboratory has, in a zip file: rows as lines of JSON, the bytes of files, and `export.json`, which names every entry with
/// its SHA-256. There are no passwords, tokens and secrets in it. The header `ETag` is the digest of the file.
#[utoipa::path(get, path = "/api/platform/export", tag = "tenants", params(Whose),
    responses((status = 200, body = Vec<u8>, content_type = "application/zip"), (status = 401), (status = 403), (status = 404), (status = 429)))]
pub(crate) async fn export(
    AxumState(state): AxumState<State>,
    Authenticated(caller): Authenticated,
    Query(whose): Query<Whose>,
) -> Result<Response, ApiError> {
    if let Some(other) = whose.tenant.filter(|tenant| tenant != caller.tenant_slug.as_str()) {
        return Err(Refusal::not_found("laboratory", other).into());
    }
    let export = state.platform.export_laboratory(&caller).await?;
    let file = tokio::fs::File::open(&export.path).await.map_err(mint_context::Error::from)?;
    let (size, digest) = (export.written.bytes, export.written.digest);
    // It goes with the answer, however that ends.
    let bytes = ReaderStream::new(file).map_ok(move |bytes| {
        let _kept = &export;
        bytes
    });
    let mut response = Response::new(Body::from_stream(bytes));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/zip"));
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(size));
    let disposition = HeaderValue::try_from(format!("attachment; filename=\"{}.zip\"", caller.tenant_slug));
    if let (Ok(disposition), Ok(tag)) = (disposition, HeaderValue::try_from(format!("\"{digest}\""))) {
        headers.insert(header::CONTENT_DISPOSITION, disposition);
        headers.insert(header::ETAG, tag);
    }
    Ok(response)
}
