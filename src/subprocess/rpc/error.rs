//! Refusals and faults as responses.

use std::error::Error as _;

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header::RETRY_AFTER},
    response::{IntoResponse, Response},
};
use mint_context::{Error, envelope, headers};
use mint_domain::{Kind, Refusal, RequestId};

use super::caller::Caller;

/// What every handler answers with.
pub(crate) type Answer<T = Json<serde_json::Value>> = Result<T, Refused>;

/// A refusal on its way to the plugin.
#[derive(Debug)]
pub(crate) struct Refused {
    refusal: Refusal,
    request_id: RequestId,
}

/// Ties an error to the request that it ends.
pub(crate) trait OrRefuse<T> {
    /// The value, or the refusal.
    ///
    /// # Errors
    /// The refusal; a fault of the platform is logged here, with its causes, and hidden from the plugin.
    fn or_refuse(self, caller: &Caller) -> Result<T, Refused>;
}

impl Refused {
    pub(crate) fn new(refusal: Refusal, request_id: RequestId) -> Self {
        Self { refusal, request_id }
    }
}

impl<T, E: Into<Error>> OrRefuse<T> for Result<T, E> {
    fn or_refuse(self, caller: &Caller) -> Result<T, Refused> {
        self.map_err(|error| {
            let error = error.into();
            let request_id = caller.call.request_id.clone();
            if error.is_fault() {
                tracing::error!(request.id = %request_id, %error, causes = causes(&error), "a call of a plugin failed");
            }
            let refusal = error.public();
            if let Some(plugin) = &caller.call.plugin {
                plugin.refused(&refusal);
            }
            Refused::new(refusal, request_id)
        })
    }
}

/// The chain of causes, for the operator.
fn causes(error: &Error) -> String {
    let (mut text, mut cause) = (String::new(), error.source());
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    text
}

impl From<Refused> for Response {
    fn from(refused: Refused) -> Self {
        refused.into_response()
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let said = envelope::envelope(&self.refusal, &self.request_id);
        let status = StatusCode::from_u16(said.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, Json(said.body)).into_response();
        if let Some(seconds) = said.retry_after_s {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

/// Adds the request's id to a response.
pub(crate) fn attach_request_id(response: &mut Response, request_id: &RequestId) {
    if let Ok(id) = HeaderValue::from_str(request_id.as_str()) {
        response.headers_mut().insert(headers::REQUEST_ID, id);
    }
}

/// Whatever the platform does not offer (yet).
pub(crate) async fn no_such_route(caller: Caller) -> Refused {
    let refusal = Refusal::new(Kind::NotFound, "resource.not_found", "The platform does not offer this.");
    Refused::new(refusal, caller.call.request_id)
}

/// A method that a route does not have.
pub(crate) async fn no_such_method(caller: Caller) -> Refused {
    let refusal = Refusal::new(Kind::Invalid, "request.method_not_allowed", "The platform does not offer this method here.");
    Refused::new(refusal, caller.call.request_id)
}
