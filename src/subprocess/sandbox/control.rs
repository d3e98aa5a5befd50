//! The controls by name, and which of them hold.

use std::{collections::BTreeMap, fmt};

use mint_domain::lifecycle::Failure;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One thing that a process is held to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Control {
    /// It opens its own files and the system's libraries, and nothing else.
    Files,
    /// It reaches the platform, and what its grants name.
    Network,
    /// It can signal its own processes only.
    Signals,
    /// It cannot make system calls that plugins have no need of.
    Syscalls,
    /// It has no privileges, and cannot get any.
    Privileges,
    /// Memory, files and processes are limited, each process alone.
    Limits,
    /// It leads a session and a group of its own, and dies with the platform.
    Session,
    /// Memory and processes are limited, all its processes together, and none of them can get away.
    Cgroup,
    /// It has a user id of its own.
    User,
}

/// Whether a control holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    /// It does.
    on: bool,
    /// How, or why not.
    detail: String,
}

/// Which controls hold, and how.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Level(BTreeMap<Control, Finding>);

impl Control {
    /// What to do about one that is off.
    fn remedy(self) -> &'static str {
        match self {
            Self::Files | Self::Signals => "use a kernel with Landlock (Linux 6.12 or later has all of it), switched on",
            Self::Network => "let the server make network namespaces (unprivileged user namespaces, or root)",
            Self::Syscalls => "use a kernel with seccomp filters",
            Self::Cgroup => {
                "delegate a control group to the server (for systemd: Delegate=memory pids cpu and DelegateSubgroup=server)"
            }
            Self::User => "run the server as root and set plugins.sandbox.users",
            Self::Privileges | Self::Limits | Self::Session => "see the reason",
        }
    }
}

impl fmt::Display for Control {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

impl Level {
    /// Notes a control that holds.
    pub(crate) fn on(&mut self, control: Control, how: impl Into<String>) {
        self.0.insert(control, Finding { on: true, detail: how.into() });
    }

    /// Notes a control that does not hold.
    pub(crate) fn off(&mut self, control: Control, why: impl Into<String>) {
        self.0.insert(control, Finding { on: false, detail: why.into() });
    }

    /// Whether a control holds.
    pub fn holds(&self, control: Control) -> bool {
        self.0.get(&control).is_some_and(|finding| finding.on)
    }

    /// As an administrator sees it: an object by control.
    pub fn as_json(&self) -> Value {
        serde_json::to_value(self).unwrap_or_default()
    }

    /// Those that hold, and those that do not with the reasons.
    pub(crate) fn in_words(&self) -> (String, String) {
        let on = self.0.iter().filter(|(_, finding)| finding.on).map(|(control, _)| control.to_string());
        let off =
            self.0.iter().filter(|(_, finding)| !finding.on).map(|(control, finding)| format!("{control} ({})", finding.detail));
        (on.collect::<Vec<_>>().join(", "), off.collect::<Vec<_>>().join("; "))
    }

    /// Refuses a level that lacks something required.
    ///
    /// # Errors
    /// A [`Failure`] of a start that names what is missing, why, and what to do.
    pub(crate) fn satisfies(&self, required: &[Control]) -> Result<(), Failure> {
        let missing: Vec<Control> = required.iter().copied().filter(|control| !self.holds(*control)).collect();
        if missing.is_empty() {
            return Ok(());
        }
        let why = |control: &Control| match self.0.get(control) {
            Some(finding) => format!("`{control}` is off: {}", finding.detail),
            None => format!("`{control}` is off"),
        };
        let told: Vec<String> = missing.iter().map(why).collect();
        let remedies: Vec<String> = missing.iter().map(|control| format!("for `{control}` {}", control.remedy())).collect();
        Err(Failure::new(
            "sandbox",
            format!("The configuration requires a sandbox that this machine does not give. {}.", told.join("; ")),
            format!("To mend it: {}. Or take it out of plugins.sandbox.require, then reload the plugin.", remedies.join("; ")),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn level() -> Level {
        let mut level = Level::default();
        level.on(Control::Files, "Landlock ABI 7");
        level.off(Control::Cgroup, "no control group is delegated");
        level
    }

    #[test]
    fn what_is_required_and_missing_is_named_with_a_remedy() {
        assert!(level().satisfies(&[]).is_ok() && level().satisfies(&[Control::Files]).is_ok());
        let failure = level().satisfies(&[Control::Files, Control::Cgroup]).unwrap_err();
        assert!(failure.reason.contains("`cgroup` is off: no control group is delegated"), "{}", failure.reason);
        assert!(!failure.reason.contains("`files`"), "{}", failure.reason);
        assert!(failure.hint.contains("Delegate=") && failure.hint.contains("plugins.sandbox.require"), "{}", failure.hint);
        assert!(level().satisfies(&[Control::User]).is_err(), "what nobody looked at does not hold");
    }

    #[test]
    fn names_are_words() {
        assert_eq!(Control::Syscalls.to_string(), "syscalls");
        assert_eq!(serde_json::from_str::<Control>("\"cgroup\"").unwrap(), Control::Cgroup);
        assert_eq!(level().as_json()["files"]["on"], true);
        assert_eq!(level().in_words(), ("files".to_owned(), "cgroup (no control group is delegated)".to_owned()));
    }
}
