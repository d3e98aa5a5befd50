//! How a refusal is said over HTTP: the one table of statuses, and the error envelope of every API of the platform.

use mint_domain::{Kind, Refusal, RequestId};
use serde_json::{Value, json};

/// A refusal, ready to be sent.
#[derive(Clone, Debug, PartialEq)]
pub struct Envelope {
    /// HTTP status.
    pub status: u16,
    /// `{code, message, status, request_id, details, detail, error?}`.
    pub body: Value,
    /// For the header `Retry-After`, in seconds.
    pub retry_after_s: Option<u32>,
}

/// Codes whose status is not that of their kind.
const BY_CODE: &[(&str, u16)] = &[
    ("internal.error", 500),
    ("feature.not_implemented", 501),
    ("request.method_not_allowed", 405),
    ("request.precondition_required", 428),
    ("plugin.api_version_mismatch", 426),
    ("plugin.broke", 500),
    ("plugin.limit", 500),
    ("plugin.garbage", 502),
    ("service.no_room", 507),
];

/// The HTTP status of a refusal.
pub fn status(refusal: &Refusal) -> u16 {
    if let Some((_, status)) = BY_CODE.iter().find(|(code, _)| *code == refusal.code) {
        return *status;
    }
    match refusal.kind {
        Kind::Invalid => 400,
        Kind::Unauthenticated => 401,
        Kind::Denied => 403,
        Kind::NotFound => 404,
        Kind::Conflict => 409,
        Kind::TooLarge => 413,
        Kind::Unprocessable => 422,
        Kind::QuotaExceeded => 429,
        Kind::Busy | Kind::Unavailable => 503,
        Kind::Timeout => 504,
    }
}

/// The refusal as every client of MINT reads it.
///
/// Codes in capitals are those of the SDK's exceptions: their old form, `{error, message, details?}`, stands under
/// `detail`, and `error` repeats the code. For all others `detail` is the message.
pub fn envelope(refusal: &Refusal, request_id: &RequestId) -> Envelope {
    let status = status(refusal);
    let mut body = json!({
        "code": refusal.code,
        "message": refusal.message,
        "status": status,
        "request_id": request_id,
        "details": refusal.details,
        "detail": refusal.message,
    });
    let is_exception = refusal.code.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_');
    if let (true, Some(fields)) = (is_exception, body.as_object_mut()) {
        let mut legacy = json!({ "error": refusal.code, "message": refusal.message });
        if let (false, Some(legacy)) = (refusal.details.is_null(), legacy.as_object_mut()) {
            legacy.insert("details".to_owned(), refusal.details.clone());
        }
        fields.insert("detail".to_owned(), legacy);
        fields.insert("error".to_owned(), Value::from(refusal.code));
    }
    Envelope { status, body, retry_after_s: refusal.retry_after_s }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id() -> RequestId {
        RequestId::from_bits(1)
    }

    #[test]
    fn the_table_of_statuses() {
        for (kind, code, expected) in [
            (Kind::Invalid, "VALIDATION_ERROR", 400),
            (Kind::Unauthenticated, "auth.required", 401),
            (Kind::Denied, "PERMISSION_DENIED", 403),
            (Kind::NotFound, "NOT_FOUND", 404),
            (Kind::Conflict, "CONFLICT", 409),
            (Kind::TooLarge, "request.too_large", 413),
            (Kind::Unprocessable, "EVENT_VETO", 422),
            (Kind::QuotaExceeded, "QUOTA_EXCEEDED", 429),
            (Kind::Busy, "plugin.busy", 503),
            (Kind::Unavailable, "plugin.down", 503),
            (Kind::Timeout, "plugin.timeout", 504),
            (Kind::Unavailable, "internal.error", 500),
            (Kind::Unavailable, "plugin.broke", 500),
            (Kind::QuotaExceeded, "plugin.limit", 500),
            (Kind::Unavailable, "plugin.garbage", 502),
            (Kind::QuotaExceeded, "service.no_room", 507),
            (Kind::Invalid, "plugin.api_version_mismatch", 426),
            (Kind::Invalid, "request.method_not_allowed", 405),
            (Kind::Invalid, "request.precondition_required", 428),
            (Kind::Unavailable, "plugin.not_ready", 503),
        ] {
            assert_eq!(status(&Refusal::new(kind, code, "")), expected, "{kind:?} {code}");
        }
    }

    #[test]
    fn an_exception_of_the_sdk_keeps_its_old_form() {
        let refusal = Refusal::denied("experiments.view", "No.");
        assert_eq!(
            envelope(&refusal, &id()).body,
            json!({
                "code": "PERMISSION_DENIED", "message": "No.", "status": 403, "request_id": "0000000000000001",
                "details": {"required_permission": "experiments.view"},
                "detail": {"error": "PERMISSION_DENIED", "message": "No.", "details": {"required_permission": "experiments.view"}},
                "error": "PERMISSION_DENIED",
            })
        );
    }

    #[test]
    fn any_other_code_has_its_message_as_detail() {
        let refusal = Refusal::new(Kind::Busy, "plugin.busy", "Full.").retry_after(2);
        let said = envelope(&refusal, &id());
        assert_eq!(said.retry_after_s, Some(2));
        assert_eq!(
            said.body,
            json!({
                "code": "plugin.busy", "message": "Full.", "status": 503, "request_id": "0000000000000001",
                "details": null, "detail": "Full.",
            })
        );
    }
}
