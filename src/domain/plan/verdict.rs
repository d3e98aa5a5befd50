//! What is decided, and on what.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::ForcedBy;
use crate::{
    Kind, Mode, Refusal,
    requirement::{Clash, Want},
};

/// The decision, recorded with the installation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Where it runs.
    pub mode: Mode,
    /// Why, in a sentence for the administrator.
    pub reason: String,
    /// What it was decided on.
    pub findings: Findings,
}

/// No mode is possible, or not the one that must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Why, and what to do.
    pub reason: String,
    /// What it was decided on.
    pub findings: Findings,
}

/// What a plan was decided on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Findings {
    /// Who forced the mode, if somebody did.
    pub forced_by: Option<ForcedBy>,
    /// Whether the platform makes the component of the wheels.
    pub builds_component: bool,
    /// What the bundle wants.
    pub wants: Vec<Want>,
    /// What it wants and a component of the platform's does not have.
    pub not_carried: Vec<NotCarried>,
    /// Every clash.
    pub clashes: Vec<Clash>,
    /// What a session of its tables takes beside what the bundle has or names: the platform adds it to the venv.
    pub added: Vec<String>,
}

/// Something that keeps wheels out of a component.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct NotCarried {
    /// The package.
    pub package: String,
    /// Why not, in a sentence.
    pub why: String,
}

impl From<Refused> for Refusal {
    fn from(refused: Refused) -> Self {
        Self::new(Kind::Invalid, "VALIDATION_ERROR", refused.reason).with(json!({ "plan": refused.findings }))
    }
}
