//! How operations end.

use mint_context::Result;
use mint_domain::{Kind, Refusal, lifecycle::Failure};
use serde_json::{Value, json};

/// How one ended.
#[derive(Debug)]
pub(crate) enum Ended {
    /// What was asked for is so. The words say where it was so already.
    Done(Option<String>),
    /// The plugin cannot run; its state tells why.
    Failed(Failure),
    /// It was refused, or the platform failed: every step was undone.
    Undone(Refusal),
}

impl Ended {
    /// As its row has it.
    pub(crate) fn status(&self) -> &'static str {
        match self {
            Self::Done(_) => "done",
            Self::Failed(_) => "failed",
            Self::Undone(_) => "undone",
        }
    }

    /// What came of it.
    pub(crate) fn outcome(&self) -> Value {
        match self {
            Self::Done(None) => json!({ "changed": true }),
            Self::Done(Some(message)) => json!({ "message": message, "changed": false }),
            Self::Failed(failure) => json!({ "failure": failure }),
            Self::Undone(Refusal { code, message, details, .. }) => {
                json!({ "code": code, "message": message, "details": details })
            }
        }
    }

    /// For whoever waited for it.
    ///
    /// # Errors
    /// Why it was not done.
    pub(crate) fn into_result(self) -> Result<()> {
        match self {
            Self::Done(_) => Ok(()),
            Self::Undone(refusal) => Err(refusal.into()),
            Self::Failed(failure) => {
                let message = format!("{} {}", failure.reason, failure.hint);
                Err(Refusal::new(Kind::Unavailable, "plugin.failed", message).into())
            }
        }
    }
}
