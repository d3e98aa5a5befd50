//! How an installation stands, as a person is told of it.

use serde::Serialize;
use time::format_description::well_known::Rfc3339;

use crate::{
    OperationId, State,
    lifecycle::{Failure, Quarantine},
};

/// A state in words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Situation {
    /// Name of the state.
    pub state: &'static str,
    /// What is being done, or was when it failed, such as `migrate`; none while nothing is.
    pub phase: Option<String>,
    /// Why it stands so, in a sentence.
    pub reason: String,
    /// What to do about it, in a sentence; empty where nothing is to be done.
    pub hint: String,
    /// What it does not go on without; none where it goes on.
    pub waits_for: Option<String>,
    /// The plugin's last log lines when it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_excerpt: Option<Vec<String>>,
    /// That it failed too often to be tried at once again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quarantine: Option<Quarantine>,
}

/// A change of the installation that goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnderWay {
    /// Which.
    pub operation: OperationId,
    /// `install`, `upgrade` …
    pub kind: String,
    /// Its present step, once it has one.
    pub step: Option<String>,
    /// Who asked for it.
    pub actor: String,
}

/// How a server has what the state says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Here {
    /// It answers.
    Answers,
    /// It does not, yet.
    NotYet,
    /// It could not be started, and is tried again.
    Failed(Failure),
}

impl Situation {
    /// Tells of a state while a change may be `under_way`, on a server that has it `here` so.
    pub fn of(state: &State, under_way: Option<&UnderWay>, here: Here) -> Self {
        let mut told = Self::of_state(state, here);
        if let Some(UnderWay { operation, kind, step, actor }) = under_way {
            // What it failed in before is for who looks at the operation.
            let step = step.as_deref();
            told.phase = step.map(str::to_owned).or(told.phase);
            let at = step.map(|step| format!(", now at `{step}`")).unwrap_or_default();
            told.waits_for = Some(format!("operation {operation} ({kind}, asked for by {actor}{at})"));
        }
        told
    }

    fn of_state(state: &State, here: Here) -> Self {
        let simple = |reason: &str, hint: &str, waits_for: Option<&str>| Self {
            state: state.name(),
            phase: None,
            reason: reason.to_owned(),
            hint: hint.to_owned(),
            waits_for: waits_for.map(str::to_owned),
            log_excerpt: None,
            quarantine: None,
        };
        let interrupted = "a server that goes on with what was interrupted";
        let patience = "Wait for the end of the operation.";
        match (state, here) {
            (State::Failed(failure), _) => Self {
                log_excerpt: Some(failure.log_excerpt.clone()),
                ..Self::of_failure(state, failure, "somebody who does something about it")
            },
            (State::Ready | State::Upgrading, Here::Failed(failure)) => {
                Self::of_failure(state, &failure, "the next try on this server")
            }
            (State::Ready | State::Upgrading, Here::NotYet) => {
                simple("It is being started on this server.", "Try again in a moment.", Some("the end of its start"))
            }
            (State::Ready, Here::Answers) => simple("It answers.", "", None),
            (State::Upgrading, Here::Answers) => {
                simple("It answers while another release or other settings are tried.", patience, Some(interrupted))
            }
            (State::Registered, _) => simple("It is about to be installed.", patience, Some(interrupted)),
            (State::Installing, _) => simple("Its files are being checked and staged.", patience, Some(interrupted)),
            (State::Migrating, _) => simple("Its tables are being changed.", patience, Some(interrupted)),
            (State::Initializing, _) => simple("It is being started.", patience, Some(interrupted)),
            (State::Uninstalling, _) => simple("It is being removed.", patience, Some(interrupted)),
            (State::Disabled, _) => simple(
                "An administrator wants it not to answer.",
                "`mint plugin enable` lets it answer again.",
                Some("an administrator who enables it"),
            ),
        }
    }

    fn of_failure(state: &State, failure: &Failure, waits_for: &str) -> Self {
        let next = failure.quarantine.as_ref().and_then(|quarantine| quarantine.next_probe_at.format(&Rfc3339).ok());
        Self {
            state: state.name(),
            phase: Some(failure.phase.clone()),
            reason: failure.reason.clone(),
            hint: failure.hint.clone(),
            waits_for: Some(next.map_or_else(|| waits_for.to_owned(), |next| format!("the next try, at {next}"))),
            log_excerpt: None,
            quarantine: failure.quarantine.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use time::OffsetDateTime;

    use super::*;

    #[test]
    fn every_state_is_told_with_what_it_waits_for() {
        let failure = Failure::new("start", "It exited with code 3.", "Reload it.");
        let quarantine = Quarantine { faults: 5, next_probe_at: OffsetDateTime::UNIX_EPOCH };
        let left_alone = Failure { quarantine: Some(quarantine), ..failure.clone() };
        let step = |step: Option<&str>| UnderWay {
            operation: OperationId(7),
            kind: "upgrade".to_owned(),
            step: step.map(str::to_owned),
            actor: "user:ada".to_owned(),
        };
        let cases = [
            (State::Ready, None, Here::Answers),
            (State::Ready, None, Here::NotYet),
            (State::Ready, None, Here::Failed(failure.clone())),
            (State::Upgrading, Some(step(Some("trial"))), Here::Answers),
            (State::Upgrading, None, Here::Answers),
            (State::Registered, Some(step(None)), Here::NotYet),
            (State::Installing, None, Here::NotYet),
            (State::Migrating, Some(step(Some("migrate"))), Here::NotYet),
            (State::Initializing, None, Here::NotYet),
            (State::Uninstalling, None, Here::NotYet),
            (State::Disabled, None, Here::NotYet),
            (State::Failed(failure), None, Here::NotYet),
            (State::Failed(left_alone.clone()), None, Here::NotYet),
            (State::Failed(left_alone), Some(step(Some("start"))), Here::NotYet),
        ];
        let lines = cases.iter().map(|(state, under_way, here)| {
            let told = Situation::of(state, under_way.as_ref(), here.clone());
            let [phase, waits_for] = [told.phase, told.waits_for].map(Option::unwrap_or_default);
            format!("{} [{phase}] {} {} | {waits_for}", told.state, told.reason, told.hint)
        });
        insta::assert_snapshot!(lines.collect::<Vec<_>>().join("\n"));
    }
}
