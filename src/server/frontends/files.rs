//! The files of a front-end.

use axum::{
    body::Body,
    response::{IntoResponse as _, Response},
};
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode,
    header::{ACCEPT_ENCODING, CONTENT_TYPE, IF_RANGE, LAST_MODIFIED, RANGE, VARY},
    request::Parts,
};
use mint_domain::{Kind, Refusal};
use mint_platform::{frontends::Visitor, routes};
use tower_http::services::ServeDir;

use super::{caching, enter::see_other, told};
use crate::{error::ApiError, gateway::unknown};

const INDEX: &str = "/index.html";

/// Answers a path under the plugin's prefix: with the file that stands there, else with the front-end's page, which knows
/// its own paths.
pub(super) async fn answer(visitor: &Visitor, asked: &Parts) -> Result<Response, ApiError> {
    if !matches!(asked.method, Method::GET | Method::HEAD) {
        let message = "The files of a front-end can only be read.";
        return Err(Refusal::new(Kind::Invalid, "request.method_not_allowed", message).into());
    }
    let path = asked.uri.path();
    if !routes::is_plain(path) {
        let message = "The path has dot segments, empty segments or encoded slashes. Send it in plain form.";
        return Err(Refusal::invalid(message).into());
    }
    let nothing = || ApiError::from(unknown(&asked.method, path));
    let below = path.strip_prefix(visitor.prefix.as_str()).ok_or_else(nothing)?;
    if below.is_empty() {
        // What the page names beside itself stands below the prefix.
        let query = asked.uri.query().map(|query| format!("?{query}")).unwrap_or_default();
        return Ok(see_other(&format!("{}/{query}", visitor.prefix)));
    }
    let revision = tokio::fs::read_to_string(&visitor.revision).await.map_err(|_| nothing())?;
    let mut own = HeaderMap::new();
    own.extend(asked.headers.get(ACCEPT_ENCODING).map(|value| (ACCEPT_ENCODING, value.clone())));
    // Whether a part still fits is not known by a weak tag: the whole file is sent then.
    let range = asked.headers.get(RANGE).filter(|_| !asked.headers.contains_key(IF_RANGE));
    let mut part = own.clone();
    part.extend(range.map(|range| (RANGE, range.clone())));
    let is_page = below == INDEX || below.ends_with('/');
    let found = if is_page { None } else { read(visitor, asked, below, part).await };
    let (file, response) = match found {
        Some(response) => (below, response),
        None => (INDEX, page(visitor, asked, own).await.ok_or_else(nothing)?),
    };
    Ok(dressed(asked, response, caching::headers(file, revision.trim())))
}

/// The page, which asks for what it is told first.
async fn page(visitor: &Visitor, asked: &Parts, headers: HeaderMap) -> Option<Response> {
    let path = visitor.files.join(INDEX.trim_start_matches('/'));
    if tokio::fs::metadata(&path).await.ok()?.len() > told::PAGE_BYTES_MAX {
        return read(visitor, asked, INDEX, headers).await;
    }
    let page = told::with_tag(tokio::fs::read(&path).await.ok()?);
    Some(([(CONTENT_TYPE, "text/html")], Body::from(page)).into_response())
}

/// What stands at a path; none where that is no file.
async fn read(visitor: &Visitor, asked: &Parts, path: &str, headers: HeaderMap) -> Option<Response> {
    let mut request = Request::builder().method(asked.method.clone()).uri(path).body(Body::empty()).ok()?;
    *request.headers_mut() = headers;
    let mut files = ServeDir::new(&visitor.files).append_index_html_on_directories(false).precompressed_br().precompressed_gzip();
    // A name that the file system does not take is none of a file.
    let response = files.try_call(request).await.ok()?;
    (response.status() != StatusCode::NOT_FOUND).then(|| response.map(Body::new))
}

fn dressed(asked: &Parts, mut response: Response, caching: Vec<(HeaderName, HeaderValue)>) -> Response {
    let headers = response.headers_mut();
    headers.remove(LAST_MODIFIED);
    headers.extend(caching);
    headers.insert(VARY, HeaderValue::from_static("accept-encoding"));
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).filter(|kind| kind.starts_with("text/"));
    if let Some(Ok(text)) = kind.map(|kind| HeaderValue::try_from(format!("{kind}; charset=utf-8"))) {
        headers.insert(CONTENT_TYPE, text);
    }
    if response.status() == StatusCode::OK && caching::is_known(&asked.headers, response.headers()) {
        let (mut parts, _body) = response.into_parts();
        parts.status = StatusCode::NOT_MODIFIED;
        parts.headers.remove(http::header::CONTENT_LENGTH);
        return Response::from_parts(parts, Body::empty());
    }
    response
}
