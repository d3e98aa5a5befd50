//! Which mode a bundle runs in, and why.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Manifest, Refusal};

/// Where a plugin runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// In the server's process, as a component.
    Shared,
    /// As a supervised process of its own.
    Isolated,
}

impl Mode {
    /// The text in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Shared => "shared",
            Self::Isolated => "isolated",
        }
    }

    /// The mode of a text.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Shared, Self::Isolated].into_iter().find(|mode| mode.as_str() == text)
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The decision, recorded with the installation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// Where it runs.
    pub mode: Mode,
    /// Why, in a sentence for the administrator.
    pub reason: String,
}

/// Decides from the files of a bundle and what an administrator forces.
///
/// # Errors
/// A refusal when the bundle has nothing that could run in the forced mode.
pub fn decide(manifest: &Manifest, forced: Option<Mode>) -> Result<Plan, Refusal> {
    let runs_as_process = manifest.wheels.is_some() || manifest.process.is_some();
    let plan = |mode, reason: &str| Ok(Plan { mode, reason: reason.to_owned() });
    match (forced, manifest.component.is_some(), runs_as_process) {
        (Some(Mode::Shared), true, _) => plan(Mode::Shared, "An administrator forced shared mode; the bundle has a component."),
        (Some(Mode::Isolated), _, true) => plan(Mode::Isolated, "An administrator forced isolated mode."),
        (Some(Mode::Shared), false, _) => Err(Refusal::invalid(
            "Shared mode was forced, but the bundle has no component. Build one with `mint build`, or install it without forcing.",
        )),
        (Some(Mode::Isolated), _, false) => Err(Refusal::invalid(
            "Isolated mode was forced, but the bundle has neither wheels nor an executable. Install it without forcing.",
        )),
        (None, true, _) => plan(Mode::Shared, "The bundle has a component."),
        (None, false, true) if manifest.wheels.is_some() => {
            plan(Mode::Isolated, "The bundle has Python wheels and no component, so it runs in a process and venv of its own.")
        }
        (None, false, _) => plan(Mode::Isolated, "The bundle has a native executable, which runs in a process of its own."),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::Digest;

    #[test]
    fn the_table() {
        let digest = Digest::of(b"").to_string();
        let manifest = |component: bool, wheels: bool| {
            let mut value =
                json!({"format_version": 2, "plugin": {"slug": "x", "version": "1"}, "files": {"c": digest, "w": digest}});
            if component {
                value["component"] = json!("c");
            }
            if wheels {
                value["wheels"] = json!({"main": "w", "distribution": "x", "entry_point": "x"});
            }
            Manifest::parse(value.to_string().as_bytes()).unwrap()
        };
        let mode = |component, wheels, forced| decide(&manifest(component, wheels), forced).ok().map(|plan| plan.mode);
        for (component, wheels, forced, expected) in [
            (true, false, None, Some(Mode::Shared)),
            (true, true, None, Some(Mode::Shared)),
            (false, true, None, Some(Mode::Isolated)),
            (true, true, Some(Mode::Isolated), Some(Mode::Isolated)),
            (true, true, Some(Mode::Shared), Some(Mode::Shared)),
            (false, true, Some(Mode::Shared), None),
            (true, false, Some(Mode::Isolated), None),
        ] {
            assert_eq!(mode(component, wheels, forced), expected, "{component} {wheels} {forced:?}");
        }
    }
}
