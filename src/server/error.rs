//! The one place where refusals become responses.
//!
//! A handler's error only attaches the refusal; the outermost middleware, which knows the request id, writes the body.

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use mint_context::{Error, envelope};
use mint_domain::{Refusal, RequestId};

/// What a handler ends with when it does not succeed.
#[derive(Debug)]
pub(crate) struct ApiError(pub(crate) Refusal);

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        Self(refusal)
    }
}

impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        if error.is_fault() {
            tracing::error!(error = &error as &dyn std::error::Error, "a request failed on the platform's side");
        }
        Self(error.public())
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(envelope::status(&self.0)).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = status.into_response();
        response.extensions_mut().insert(Said(self.0));
        response
    }
}

/// A refusal on its way out.
#[derive(Clone, Debug)]
struct Said(Refusal);

/// Writes the envelope of the refusal that a response carries, if it carries one.
pub(crate) fn render(mut response: Response, request_id: &RequestId) -> Response {
    let Some(Said(refusal)) = response.extensions_mut().remove::<Said>() else { return response };
    let said = envelope::envelope(&refusal, request_id);
    let status = response.status();
    let allow = response.headers_mut().remove(header::ALLOW);
    let mut rendered = (status, axum::Json(said.body)).into_response();
    if let Some(seconds) = said.retry_after_s {
        rendered.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    rendered.headers_mut().extend(allow.map(|methods| (header::ALLOW, methods)));
    if status == StatusCode::UNAUTHORIZED {
        rendered.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    rendered
}
