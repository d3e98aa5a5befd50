//! Refusals: an expected no, with words for the person who reads it.

use serde_json::Value;

/// What sort of no it is. The door decides how to say it: an HTTP status, a WIT error, an exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The request is wrong.
    Invalid,
    /// The request was understood, but its content cannot be worked with.
    Unprocessable,
    /// Nobody is signed in.
    Unauthenticated,
    /// The actor may not.
    Denied,
    /// No such thing, or the actor may not know of it.
    NotFound,
    /// Something else changed it first, or owns it.
    Conflict,
    /// Bigger than allowed.
    TooLarge,
    /// A limit is reached; later it may work.
    QuotaExceeded,
    /// Too many requests at once.
    Busy,
    /// Took too long.
    Timeout,
    /// Something that is needed does not answer.
    Unavailable,
}

/// An expected no. Not an error: those are bugs and outages.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// What sort.
    pub kind: Kind,
    /// Stable code on the wire.
    pub code: &'static str,
    /// One or two sentences: what and why, then what to do.
    pub message: String,
    /// Facts for programs: a JSON object, or null.
    pub details: Value,
    /// When to try again, in seconds.
    pub retry_after_s: Option<u32>,
}

impl Refusal {
    /// A refusal with a code of its own.
    pub fn new(kind: Kind, code: &'static str, message: impl Into<String>) -> Self {
        Self { kind, code, message: message.into(), details: Value::Null, retry_after_s: None }
    }

    /// Adds facts for programs.
    #[must_use]
    pub fn with(mut self, details: Value) -> Self {
        self.details = details;
        self
    }

    /// Adds the time after which to try again.
    #[must_use]
    pub fn retry_after(mut self, seconds: u32) -> Self {
        self.retry_after_s = Some(seconds);
        self
    }

    /// `VALIDATION_ERROR`.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(Kind::Invalid, "VALIDATION_ERROR", message)
    }

    /// `PERMISSION_DENIED`, naming the permission or capability that is missing.
    pub fn denied(required: &str, message: impl Into<String>) -> Self {
        Self::new(Kind::Denied, "PERMISSION_DENIED", message).with(serde_json::json!({ "required_permission": required }))
    }

    /// `NOT_FOUND`.
    pub fn not_found(entity: &str, id: impl ToString) -> Self {
        let id = id.to_string();
        Self::new(Kind::NotFound, "NOT_FOUND", format!("There is no {entity} {id}."))
            .with(serde_json::json!({ "entity": entity, "entity_id": id }))
    }

    /// `CONFLICT` on a field.
    pub fn conflict(entity: &str, field: &str, message: impl Into<String>) -> Self {
        Self::new(Kind::Conflict, "CONFLICT", message).with(serde_json::json!({ "entity": entity, "conflict_field": field }))
    }

    /// A limit of an installation is reached.
    pub fn quota(limit: &str, message: impl Into<String>) -> Self {
        Self::new(Kind::QuotaExceeded, "QUOTA_EXCEEDED", message).with(serde_json::json!({ "limit": limit }))
    }
}

/// The refusal of a change that was asked for by a credential which only reads.
pub fn read_only() -> Refusal {
    let message = "This token only reads. Use one that was made without `read_only`, or a session.";
    Refusal::new(Kind::Denied, "auth.read_only_token", message)
}
