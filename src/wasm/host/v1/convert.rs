//! Between the types of the WIT and those of `mint_context`: errors, documents, times.

use mint_context::{Call, Error};
use mint_domain::{Kind, Refusal, Slug};
use serde_json::{Value, json};
use time::OffsetDateTime;

use crate::bindings::mint::platform::types;

/// What every function of the platform gives: a trap, or a result that the component can work with.
pub(crate) type Answer<T> = wasmtime::Result<Result<T, types::Error>>;

/// Says the result of a function of `mint_context` to a component. Faults are logged here, once.
pub(crate) fn answer<T>(call: &Call, result: mint_context::Result<T>) -> Answer<T> {
    Ok(result.map_err(|error| said(call, &error)))
}

/// Logs a fault, and gives what the component may know of an error.
pub(crate) fn said(call: &Call, error: &Error) -> types::Error {
    if error.is_fault() {
        tracing::error!(request.id = %call.request_id, tenant.id = %call.tenant, error = %chain(error), "a call of a component failed");
    }
    let refusal = error.public();
    if let Some(plugin) = &call.plugin {
        plugin.refused(&refusal);
    }
    refused(call, refusal)
}

/// The one table from kinds of refusals to cases of the WIT.
fn refused(call: &Call, refusal: Refusal) -> types::Error {
    let internal = refusal.code == "internal.error";
    let details = match refusal.details {
        Value::Null if internal => Some(json!({ "request_id": call.request_id })),
        Value::Null => None,
        details => Some(details),
    };
    let problem = types::Problem {
        code: refusal.code.to_owned(),
        message: refusal.message,
        details: details.map(|details| details.to_string()),
    };
    if internal {
        return types::Error::Internal(problem);
    }
    match refusal.kind {
        Kind::Invalid | Kind::Unprocessable | Kind::TooLarge => types::Error::Invalid(problem),
        Kind::Unauthenticated | Kind::Denied => types::Error::Denied(problem),
        Kind::NotFound => types::Error::NotFound(problem),
        Kind::Conflict => types::Error::Conflict(problem),
        Kind::QuotaExceeded | Kind::Busy => types::Error::QuotaExceeded(problem),
        Kind::Timeout | Kind::Unavailable => types::Error::Unavailable(problem),
    }
}

/// An error with its causes, for the log.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

/// Reads a document that a component gives; `field` names it in the refusal.
pub(crate) fn document(field: &'static str, text: &str) -> Result<Value, Refusal> {
    serde_json::from_str(text)
        .map_err(|error| Refusal::invalid(format!("`{field}` is not valid JSON: {error}.")).with(json!({ "field": field })))
}

/// As [`document`], where there may be none.
pub(crate) fn optional_document(field: &'static str, text: Option<&str>) -> Result<Option<Value>, Refusal> {
    text.map(|text| document(field, text)).transpose()
}

/// Reads the slug of another plugin.
pub(crate) fn optional_slug(text: Option<&str>) -> Result<Option<Slug>, Refusal> {
    text.map(str::parse).transpose().map_err(|error: mint_domain::slug::InvalidSlug| Refusal::invalid(format!("{error}.")))
}

/// Microseconds since 1970. Databases keep no instant that would not fit.
pub(crate) fn timestamp(at: OffsetDateTime) -> types::Timestamp {
    i64::try_from(at.unix_timestamp_nanos() / 1_000).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_documents() {
        assert_eq!(timestamp(OffsetDateTime::UNIX_EPOCH + time::Duration::microseconds(1_500_001)), 1_500_001);
        assert!(document("data", "{\"a\": 1}").is_ok());
        let refusal = document("data", "{").unwrap_err();
        assert!(refusal.message.contains("`data`") && refusal.kind == Kind::Invalid, "{refusal}");
        assert!(document("data", &"[".repeat(1_000)).is_err(), "depth is bounded");
        assert!(optional_slug(Some("../x")).is_err());
        assert_eq!(optional_slug(None).unwrap(), None);
    }
}
