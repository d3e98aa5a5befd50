//! Names the request, writes refusals, and sets the headers that every response has.

use axum::{extract::Request, response::Response};
use http::{HeaderName, HeaderValue, header};
use mint_context::headers::REQUEST_ID;
use mint_domain::RequestId;
use rand::Rng as _;
use tracing::Instrument as _;

use crate::error;

/// Headers that every response gets, the one for plugins' pages among them.
const HEADERS: usize = 6;

/// The outermost of all.
pub(crate) async fn request_id<F>(mut request: Request, next: impl FnOnce(Request) -> F) -> Response
where
    F: Future<Output = Response>,
{
    let sent = request.headers().get(REQUEST_ID).and_then(|value| value.to_str().ok()).and_then(RequestId::parse);
    let id = sent.unwrap_or_else(|| RequestId::from_bits(rand::rng().random()));
    request.extensions_mut().insert(id.clone());
    let span =
        tracing::info_span!("request", request.id = %id, http.method = %request.method(), http.path = request.uri().path());
    let response = next(request).instrument(span).await;
    let mut response = error::render(response, &id);
    let headers = response.headers_mut();
    headers.reserve(HEADERS);
    if let Ok(value) = HeaderValue::from_str(id.as_str()) {
        headers.insert(REQUEST_ID, value);
    }
    for (name, value) in [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        (header::X_FRAME_OPTIONS, "SAMEORIGIN"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}
