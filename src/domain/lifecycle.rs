//! The life of an installation: states with what a person reads, and one transition function.
//!
//! Whether a process is alive is not told here: supervision reports a single event, [`Event::Faulted`].

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

/// Where an installation stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum State {
    /// Known, not installed.
    Registered,
    /// Its files are being fetched, checked and staged.
    Installing,
    /// Its tables are being changed.
    Migrating,
    /// It is being started.
    Initializing,
    /// It answers.
    Ready,
    /// A new release is being put in its place, while the old one answers.
    Upgrading,
    /// It is being removed.
    Uninstalling,
    /// An administrator wants it not to answer. What it holds stays.
    Disabled,
    /// It does not answer.
    Failed(Failure),
}

/// Why an installation does not answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{phase}: {reason} {hint}")]
pub struct Failure {
    /// What was being done, such as `initialize`.
    pub phase: String,
    /// What happened, in a sentence.
    pub reason: String,
    /// What to do about it.
    pub hint: String,
    /// The plugin's last log lines, where they help.
    #[serde(default)]
    pub log_excerpt: Vec<String>,
    /// Set when it failed too often to be tried at once again.
    #[serde(default)]
    pub quarantine: Option<Quarantine>,
}

/// A Failed installation that is left alone for a while.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quarantine {
    /// Faults within the budget's window.
    pub faults: u32,
    /// When it is tried again without anybody asking.
    #[serde(with = "time::serde::rfc3339")]
    pub next_probe_at: OffsetDateTime,
}

/// What can happen to an installation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// An install began.
    InstallBegan,
    /// Its files are in place.
    Staged,
    /// Its tables are as the release wants them.
    Migrated,
    /// It was started and answers.
    Started,
    /// An upgrade began.
    UpgradeBegan,
    /// An upgrade was undone; the old release still answers.
    UpgradeUndone,
    /// An uninstall began.
    UninstallBegan,
    /// An administrator asked to try again.
    ReloadAsked,
    /// An administrator wants that it does not answer; or that again, after something else did not succeed.
    DisableAsked,
    /// An administrator wants that it answers again.
    EnableAsked,
    /// The time to probe a quarantined installation came.
    ProbeDue,
    /// Something went wrong that stops it.
    Faulted(Failure),
}

/// A transition that the table does not have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a plugin that is {state} cannot take the event {event}")]
pub struct IllegalTransition {
    state: &'static str,
    event: &'static str,
}

impl State {
    /// The name of the state, as shown and stored.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Registered => "registered",
            Self::Installing => "installing",
            Self::Migrating => "migrating",
            Self::Initializing => "initializing",
            Self::Ready => "ready",
            Self::Upgrading => "upgrading",
            Self::Uninstalling => "uninstalling",
            Self::Disabled => "disabled",
            Self::Failed(_) => "failed",
        }
    }

    /// The events that lead from here to where its tables are changed, when `asked` is why it is started. None where it can
    /// begin at once: an installation that answers goes on answering until the next start has succeeded.
    pub fn toward_migration(&self, asked: Event) -> Vec<Event> {
        match self {
            Self::Registered => vec![Event::InstallBegan, Event::Staged],
            Self::Installing => vec![Event::Staged],
            Self::Disabled | Self::Failed(_) => vec![asked],
            Self::Migrating | Self::Initializing | Self::Ready | Self::Upgrading | Self::Uninstalling => Vec::new(),
        }
    }

    /// The events that lead from here, with tables as they are to be, to where a start begins.
    pub fn toward_start(&self) -> Vec<Event> {
        match self {
            Self::Migrating => vec![Event::Migrated],
            Self::Registered
            | Self::Installing
            | Self::Initializing
            | Self::Ready
            | Self::Upgrading
            | Self::Uninstalling
            | Self::Disabled
            | Self::Failed(_) => Vec::new(),
        }
    }

    /// The events that lead from here, with a start that answers, to Ready.
    pub fn toward_ready(&self) -> Vec<Event> {
        match self {
            Self::Upgrading => vec![Event::Staged, Event::Migrated, Event::Started],
            Self::Initializing => vec![Event::Started],
            Self::Registered
            | Self::Installing
            | Self::Migrating
            | Self::Ready
            | Self::Uninstalling
            | Self::Disabled
            | Self::Failed(_) => Vec::new(),
        }
    }

    /// The state after all of `events`, in order.
    ///
    /// # Errors
    /// [`IllegalTransition`] for the first that the table does not have.
    pub fn after_all(self, events: impl IntoIterator<Item = Event>) -> Result<Self, IllegalTransition> {
        events.into_iter().try_fold(self, Self::after)
    }

    /// Whether requests are served in this state.
    pub fn serves(&self) -> bool {
        match self {
            Self::Ready | Self::Upgrading => true,
            Self::Registered
            | Self::Installing
            | Self::Migrating
            | Self::Initializing
            | Self::Uninstalling
            | Self::Disabled
            | Self::Failed(_) => false,
        }
    }

    /// The state after `event`.
    ///
    /// # Errors
    /// [`IllegalTransition`] for a pair that the table does not have.
    pub fn after(self, event: Event) -> Result<Self, IllegalTransition> {
        use Event as E;
        match (self, event) {
            (Self::Registered, E::InstallBegan) => Ok(Self::Installing),
            (Self::Installing, E::Staged) => Ok(Self::Migrating),
            (Self::Migrating, E::Migrated) => Ok(Self::Initializing),
            (Self::Initializing, E::Started) => Ok(Self::Ready),
            (Self::Ready | Self::Disabled | Self::Failed(_), E::UpgradeBegan) => Ok(Self::Upgrading),
            (Self::Upgrading, E::Staged) => Ok(Self::Migrating),
            (Self::Upgrading | Self::Migrating | Self::Initializing, E::UpgradeUndone) => Ok(Self::Ready),
            // Also what a server left behind in the middle of something can be removed.
            (
                Self::Installing
                | Self::Migrating
                | Self::Initializing
                | Self::Ready
                | Self::Upgrading
                | Self::Disabled
                | Self::Failed(_),
                E::UninstallBegan,
            ) => Ok(Self::Uninstalling),
            (Self::Ready | Self::Failed(_), E::ReloadAsked)
            | (Self::Failed(_), E::ProbeDue)
            | (Self::Disabled, E::EnableAsked) => Ok(Self::Migrating),
            (
                Self::Installing
                | Self::Migrating
                | Self::Initializing
                | Self::Ready
                | Self::Upgrading
                | Self::Disabled
                | Self::Failed(_),
                E::DisableAsked,
            )
            // What still ran of it somewhere, and failed, was to end anyway.
            | (Self::Disabled, E::Faulted(_)) => Ok(Self::Disabled),
            (
                Self::Installing
                | Self::Migrating
                | Self::Initializing
                | Self::Ready
                | Self::Upgrading
                | Self::Uninstalling
                | Self::Failed(_),
                E::Faulted(failure),
            ) => Ok(Self::Failed(failure)),
            (state, event) => Err(IllegalTransition { state: state.name(), event: event.name() }),
        }
    }
}

impl Event {
    fn name(&self) -> &'static str {
        match self {
            Self::InstallBegan => "install-began",
            Self::Staged => "staged",
            Self::Migrated => "migrated",
            Self::Started => "started",
            Self::UpgradeBegan => "upgrade-began",
            Self::UpgradeUndone => "upgrade-undone",
            Self::UninstallBegan => "uninstall-began",
            Self::ReloadAsked => "reload-asked",
            Self::DisableAsked => "disable-asked",
            Self::EnableAsked => "enable-asked",
            Self::ProbeDue => "probe-due",
            Self::Faulted(_) => "faulted",
        }
    }
}

impl Failure {
    /// A failure without log lines or quarantine.
    pub fn new(phase: impl Into<String>, reason: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { phase: phase.into(), reason: reason.into(), hint: hint.into(), log_excerpt: Vec::new(), quarantine: None }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn states() -> Vec<State> {
        vec![
            State::Registered,
            State::Installing,
            State::Migrating,
            State::Initializing,
            State::Ready,
            State::Upgrading,
            State::Uninstalling,
            State::Disabled,
            State::Failed(Failure::new("p", "r", "h")),
        ]
    }

    fn events() -> Vec<Event> {
        vec![
            Event::InstallBegan,
            Event::Staged,
            Event::Migrated,
            Event::Started,
            Event::UpgradeBegan,
            Event::UpgradeUndone,
            Event::UninstallBegan,
            Event::ReloadAsked,
            Event::DisableAsked,
            Event::EnableAsked,
            Event::ProbeDue,
            Event::Faulted(Failure::new("p", "r", "h")),
        ]
    }

    #[test]
    fn the_whole_table() {
        let mut table = String::new();
        for state in states() {
            for event in events() {
                if let Ok(next) = state.clone().after(event.clone()) {
                    table.push_str(&format!("{:<13} {:<16} {}\n", state.name(), event.name(), next.name()));
                }
            }
        }
        insta::assert_snapshot!(table);
    }

    #[test]
    fn a_start_ends_ready_from_wherever_it_begins() {
        for state in states() {
            let asked = if state == State::Disabled { Event::EnableAsked } else { Event::ReloadAsked };
            let migrating = state.clone().after_all(state.toward_migration(asked)).unwrap();
            let started = migrating.clone().after_all(migrating.toward_start()).unwrap();
            let answers = started.clone().after_all(started.toward_ready()).unwrap();
            let expected = if state == State::Uninstalling { State::Uninstalling } else { State::Ready };
            assert_eq!(answers, expected, "{}", state.name());
        }
    }

    #[test]
    fn a_failed_plugin_keeps_its_reason_through_json() {
        let state = State::Failed(Failure::new("initialize", "It said no.", "Reload it."));
        let text = serde_json::to_string(&state).unwrap();
        assert!(text.contains(r#""state":"failed""#) && text.contains("It said no."), "{text}");
        assert_eq!(serde_json::from_str::<State>(&text).unwrap(), state);
    }

    proptest! {
        /// Whatever happens to an installation, in whatever order: what the table does not have changes nothing.
        #[test]
        fn nothing_answers_but_by_a_start_that_succeeded(story in prop::collection::vec(prop::sample::select(events()), 0..40)) {
            let mut state = State::Registered;
            for event in story {
                let (before, what) = (state.clone(), event.name());
                state = state.clone().after(event).unwrap_or(state);
                let begins = state.serves() && !before.serves();
                prop_assert!(!begins || ["started", "upgrade-undone", "upgrade-began"].contains(&what), "{before:?} {what} {state:?}");
                let revived = before == State::Disabled && state != State::Disabled;
                let asked = ["enable-asked", "upgrade-began", "uninstall-began"].contains(&what);
                prop_assert!(!revived || asked, "a disabled plugin became {state:?} by {what}");
                let returned = before == State::Uninstalling && state != State::Uninstalling;
                prop_assert!(!returned || what == "faulted", "a plugin that is being removed became {state:?} by {what}");
            }
            // From everywhere there is a way out: it can be removed, once nothing is under way that removes it.
            let removed = state == State::Registered || state == State::Uninstalling || state.after(Event::UninstallBegan).is_ok();
            prop_assert!(removed);
        }
    }
}
