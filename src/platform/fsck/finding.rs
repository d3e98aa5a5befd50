//! What was found.

use serde::Serialize;

/// A disagreement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What sort of thing: `database`, `bundle`, `release`, `front-end`, `object`, `blob`, `snapshot`, `archive`, `tables`, `files`,
    /// `venv`.
    pub kind: &'static str,
    /// Which one.
    pub name: String,
    /// What is wrong with it.
    pub problem: String,
    /// What was done about it, or is done with `--repair`; none where nothing can be done.
    pub remedy: Option<String>,
    /// Whether that was done.
    pub repaired: bool,
}

impl Finding {
    /// Something that nothing here can mend.
    pub(super) fn lasting(kind: &'static str, name: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { kind, name: name.into(), problem: problem.into(), remedy: None, repaired: false }
    }

    /// Something that `remedy` mends.
    pub(super) fn mendable(kind: &'static str, name: impl Into<String>, problem: impl Into<String>, remedy: &str) -> Self {
        Self { remedy: Some(remedy.to_owned()), ..Self::lasting(kind, name, problem) }
    }

    /// As it stands once the remedy was applied.
    pub(super) fn done(self) -> Self {
        Self { repaired: true, ..self }
    }
}
