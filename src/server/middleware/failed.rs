//! A bug ends one request, and nothing else.

use axum::response::{IntoResponse as _, Response};
use mint_domain::{Kind, Refusal};

use crate::error::ApiError;

/// The answer to a request whose handler panicked. The panic itself was written by the hook.
pub(crate) fn failed() -> Response {
    let message = "The platform failed. The operator finds it under the request id.";
    ApiError(Refusal::new(Kind::Unavailable, "internal.error", message)).into_response()
}
