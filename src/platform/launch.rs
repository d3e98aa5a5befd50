//! Beginning a change, or telling what it would do: the steps that are told are those that run.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use mint_context::Result;
use mint_domain::{OperationId, lifecycle::Failure};
use mint_store::operations;
use serde::Serialize;
use serde_json::Value;

use crate::{
    Caller, Platform,
    operation::{Change, Stop, Subject, Work, busy},
};

/// What came of asking for a change.
#[derive(Clone, Debug)]
pub enum Begun {
    /// It runs.
    Runs(OperationId),
    /// It was only asked what it would do.
    Would(Foreseen),
}

/// What a change would do. Nothing was changed.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct Foreseen {
    /// Slug of the plugin.
    pub plugin: String,
    /// `install`, `reload`, `uninstall` …
    pub kind: &'static str,
    /// The steps in order, as far as they would come.
    pub steps: Vec<ForeseenStep>,
    /// What would come of it: `done`, `nothing` (it is so already) or `refused`.
    pub outcome: &'static str,
    /// Why, where nothing would be done.
    pub message: Option<String>,
    /// Code of the refusal.
    pub code: Option<String>,
    /// Details of the refusal.
    #[schema(value_type = Option<Object>)]
    pub details: Option<Value>,
}

/// A step of a change that would be done.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct ForeseenStep {
    /// Its name.
    pub name: &'static str,
    /// What it would do.
    pub would: String,
}

/// A change that is about to begin.
pub(crate) struct Launch<S: 'static> {
    pub(crate) plugin: String,
    pub(crate) input: Value,
    pub(crate) change: &'static Change<S>,
    pub(crate) state: S,
    pub(crate) on_failure: for<'a> fn(&'a mut S, Failure) -> BoxFuture<'a, ()>,
    /// Only tells what it would do.
    pub(crate) dry_run: bool,
}

impl Platform {
    /// Begins a change, which runs on after this returns; or tells what it would do.
    ///
    /// # Errors
    /// `CONFLICT` while another operation on the plugin runs.
    pub(crate) async fn launch<S: Work + 'static>(self: &Arc<Self>, caller: &Caller, launch: Launch<S>) -> Result<Begun> {
        let Launch { plugin, input, change, mut state, on_failure, dry_run } = launch;
        if dry_run {
            return Ok(Begun::Would(self.foresee(caller, plugin, change, &mut state).await?));
        }
        let hold = self.begin_operation(caller, &Subject { plugin: &plugin, kind: change.kind, input }).await?;
        let id = hold.lease.operation;
        let platform = self.clone();
        self.track(async move {
            // How it ended is written in its row, or left open there for whoever takes it up.
            let _ended = platform.run_operation(hold, change, &mut state, on_failure).await;
        });
        Ok(Begun::Runs(id))
    }

    /// Tells what a change would do, and changes nothing.
    ///
    /// # Errors
    /// `CONFLICT` while another operation on the plugin runs.
    pub(crate) async fn foresee<S: Work>(
        &self,
        caller: &Caller,
        plugin: String,
        change: &'static Change<S>,
        state: &mut S,
    ) -> Result<Foreseen> {
        if let Some(running) = operations::running(&mut self.services().db.read().await?, caller.tenant, &plugin).await? {
            return Err(busy(Some(running), &plugin).into());
        }
        let mut foreseen =
            Foreseen { plugin, kind: change.kind, steps: Vec::new(), outcome: "done", message: None, code: None, details: None };
        for step in change.steps {
            match (step.would)(state).await {
                Ok(would) => foreseen.steps.push(ForeseenStep { name: step.name, would }),
                Err(Stop::Error(error)) => return Err(error),
                Err(stop) => {
                    (foreseen.outcome, foreseen.message) = match stop {
                        Stop::Nothing(note) => ("nothing", Some(note)),
                        Stop::Failed(failure) => ("refused", Some(format!("{} {}", failure.reason, failure.hint))),
                        Stop::Refused(refusal) => {
                            foreseen.code = Some(refusal.code.to_string());
                            foreseen.details = Some(refusal.details);
                            ("refused", Some(refusal.message))
                        }
                        Stop::Error(error) => return Err(error),
                    };
                    break;
                }
            }
        }
        Ok(foreseen)
    }
}
