//! The error of a route, and how it becomes an answer.

use std::borrow::Cow;
use std::fmt;
use std::io;

use serde::Serialize;
use serde_json::Value;

use crate::platform::types;

/// What most functions of this crate return.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A refusal or a fault with the words that the client may read.
///
/// A route that returns it answers with [`Error::status`] and the platform's envelope:
/// `{code, message, status, request_id, details, detail}`.
#[derive(Debug)]
pub struct Error {
    status: u16,
    code: Cow<'static, str>,
    message: String,
    details: Option<Value>,
}

impl Error {
    /// An error with an HTTP status, a stable code such as `validation.error`, and one sentence for a person.
    pub fn new(status: u16, code: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Self { status, code: code.into(), message: message.into(), details: None }
    }

    /// 400: the request cannot be understood.
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::new(400, "request.bad_request", message)
    }

    /// 404: there is no such thing.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(404, "resource.not_found", message)
    }

    /// 413: the body is larger than this route reads.
    pub fn too_large(message: impl Into<String>) -> Self {
        Self::new(413, "request.too_large", message)
    }

    /// 422: the request is understood, its content is wrong.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(422, "validation.error", message)
    }

    /// 422 for one field of the request.
    pub fn invalid_field(field: &str, message: impl Into<String>) -> Self {
        let message = message.into();
        let details = serde_json::json!([{ "field": field, "message": message }]);
        Self::invalid(format!("{field}: {message}")).with_details(details)
    }

    /// 500: a fault of this plugin or the platform. The message is shown to the client: no internals in it.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(500, "internal.error", message)
    }

    /// The same error with facts for programs.
    #[must_use]
    pub fn with_details(mut self, details: Value) -> Self {
        self.details = Some(details);
        self
    }

    /// The HTTP status.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// The stable code.
    pub fn code(&self) -> &str {
        &self.code
    }

    /// The sentence for a person.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The envelope as JSON.
    pub(crate) fn envelope(&self, request_id: &str) -> Vec<u8> {
        let envelope = Envelope {
            code: &self.code,
            message: &self.message,
            status: self.status,
            request_id,
            details: self.details.as_ref(),
            detail: &self.message,
        };
        // Strings and a JSON value always serialise.
        serde_json::to_vec(&envelope).unwrap_or_default()
    }
}

#[derive(Serialize)]
struct Envelope<'a> {
    code: &'a str,
    message: &'a str,
    status: u16,
    request_id: &'a str,
    details: Option<&'a Value>,
    detail: &'a str,
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

impl From<types::Error> for Error {
    fn from(error: types::Error) -> Self {
        let (status, problem) = match error {
            types::Error::Invalid(problem) => (400, problem),
            types::Error::Denied(problem) => (403, problem),
            types::Error::NotFound(problem) => (404, problem),
            types::Error::Conflict(problem) => (409, problem),
            types::Error::QuotaExceeded(problem) => (507, problem),
            types::Error::Unavailable(problem) => (503, problem),
            types::Error::Internal(problem) => (500, problem),
        };
        let details = problem.details.and_then(|text| serde_json::from_str(&text).ok());
        Self { status, code: Cow::Owned(problem.code), message: problem.message, details }
    }
}

/// An error of this crate travels through `std::io` unharmed; any other is a fault of a stream.
impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        match error.downcast::<Error>() {
            Ok(error) => error,
            Err(error) => Self::internal(format!("a stream failed: {error}")),
        }
    }
}

impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        io::Error::other(error)
    }
}

impl From<serde_json::Error> for Error {
    fn from(error: serde_json::Error) -> Self {
        if error.is_io() { io::Error::from(error).into() } else { Self::invalid(format!("not the expected JSON: {error}")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_envelope_has_every_field() {
        let error = Error::invalid_field("ppm", "must be above 0");
        let envelope: Value = serde_json::from_slice(&error.envelope("r1")).expect("JSON");
        assert_eq!(
            envelope,
            serde_json::json!({
                "code": "validation.error",
                "message": "ppm: must be above 0",
                "status": 422,
                "request_id": "r1",
                "details": [{"field": "ppm", "message": "must be above 0"}],
                "detail": "ppm: must be above 0",
            })
        );
    }

    #[test]
    fn a_platform_error_keeps_its_code_and_facts() {
        let error = Error::from(types::Error::Conflict(types::Problem {
            code: "DESIGN_DATA_OWNERSHIP_CONFLICT".to_owned(),
            message: "Another plugin owns it.".to_owned(),
            details: Some(r#"{"owner":"x"}"#.to_owned()),
        }));
        assert_eq!((error.status(), error.code()), (409, "DESIGN_DATA_OWNERSHIP_CONFLICT"));
        let envelope: Value = serde_json::from_slice(&error.envelope("r2")).expect("JSON");
        assert_eq!(envelope["details"]["owner"], "x");
        assert_eq!(envelope["request_id"], "r2");
    }

    #[test]
    fn an_error_survives_the_way_through_io() {
        let error = Error::from(io::Error::from(Error::too_large("over 1 MiB")));
        assert_eq!((error.status(), error.message()), (413, "over 1 MiB"));
    }
}
