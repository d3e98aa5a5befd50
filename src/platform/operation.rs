//! Operations: long changes as lists of steps, each beside its undo, journaled so that a person can watch and another
//! process can finish.

use std::{io, sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use mint_context::Error;
use mint_domain::{Kind, OperationId, Refusal, TenantId, lifecycle::Failure};
use mint_store::{
    Tx,
    operations::{self, Lease, NewOperation},
};
use serde_json::{Value, json};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::{Caller, Platform, ended::Ended, install::can_be_stopped, lease::Hold, progress::Meter};

/// The step that makes a change count.
const SWITCH: &str = "switch";

/// Time between two looks at whether somebody asked another server to stop what runs here.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// An operation that runs in this process.
#[derive(Clone, Debug)]
pub(crate) struct Here {
    /// Whose it is.
    pub(crate) tenant: TenantId,
    /// Slug of the plugin.
    pub(crate) plugin: String,
    /// Which hold of it this is.
    pub(crate) epoch: i64,
    /// Stops it; none when it is too late, or when it cannot be stopped at all.
    pub(crate) cancel: Option<CancellationToken>,
    /// How far its step is.
    pub(crate) meter: Arc<Meter>,
}

/// One idempotent piece of a change, and its inverse.
pub(crate) struct Step<S> {
    /// As the journal and the command line show it.
    pub(crate) name: &'static str,
    /// Does it, and says what a person should know.
    pub(crate) run: for<'a> fn(&'a mut S) -> BoxFuture<'a, Result<String, Stop>>,
    /// Takes it back. Must not fail: what cannot be taken back now is left for the sweep, and logged.
    pub(crate) undo: for<'a> fn(&'a mut S) -> BoxFuture<'a, ()>,
    /// Says what it would do, and changes nothing. What later steps go by is in `S` afterwards, as after `run`.
    pub(crate) would: for<'a> fn(&'a mut S) -> BoxFuture<'a, Result<String, Stop>>,
    /// Whether it may be cut off in the middle, since nothing half-done by it counts.
    pub(crate) may_be_cut: bool,
}

/// What the steps of a change work on.
pub(crate) trait Work: Send {
    /// Under which lease the steps write from now on.
    fn hold(&mut self, lease: Lease);

    /// Lets go of what stands in this process only, and writes nothing: the operation is another's now. By default there is
    /// nothing.
    fn let_go(&mut self) -> BoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }
}

/// A sort of change: what it is called, and what it does.
pub(crate) struct Change<S: 'static> {
    /// As the journal and the command line show it.
    pub(crate) kind: &'static str,
    /// In order.
    pub(crate) steps: &'static [Step<S>],
    /// Whether it may be stopped before its switch: every step until then can be undone.
    pub(crate) can_stop: bool,
}

impl<S> Change<S> {
    /// Its kind, and the names of its steps.
    pub(crate) fn names(&self) -> (&'static str, Vec<&'static str>) {
        (self.kind, self.steps.iter().map(|step| step.name).collect())
    }
}

/// A moment in an operation at which a server that is under test kills or freezes itself, the first time that it comes to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moment {
    /// Kind of the operation.
    pub kind: String,
    /// Name of the step.
    pub step: String,
    /// `begun`: before it does anything; `did`: before that is written down; `ended`: after.
    pub when: String,
    /// Whether it freezes, until it is told to go on.
    pub freezes: bool,
}

/// Why a change does not go on.
#[derive(Debug)]
pub(crate) enum Stop {
    /// There is nothing to do; what was asked for is so already.
    Nothing(String),
    /// An expected no. Every step is undone.
    Refused(Refusal),
    /// The plugin cannot run. The installation stays, Failed, with the reason.
    Failed(Failure),
    /// The platform failed. Every step is undone.
    Error(Error),
}

impl<E: Into<Error>> From<E> for Stop {
    fn from(error: E) -> Self {
        match error.into() {
            Error::Refused(refusal) => Self::Refused(refusal),
            other => Self::Error(other),
        }
    }
}

/// What sort of change, and on what.
pub(crate) struct Subject<'a> {
    pub(crate) plugin: &'a str,
    pub(crate) kind: &'static str,
    pub(crate) input: Value,
}

impl Platform {
    /// Records that an operation begins. One at a time for each plugin of a tenant.
    ///
    /// # Errors
    /// `CONFLICT` while another one runs.
    pub(crate) async fn begin_operation(self: &Arc<Self>, caller: &Caller, subject: &Subject<'_>) -> Result<Hold, Error> {
        let taken = Instant::now();
        let mut tx = self.services().db.begin().await?;
        let new = NewOperation {
            plugin: subject.plugin,
            kind: subject.kind,
            actor: &caller.actor.label(),
            request_id: caller.request_id.as_str(),
            input: &subject.input,
            lease_owner: self.process_id(),
            lease_until: self.lease_until(),
        };
        let Some(lease) = operations::begin(&mut tx, caller.tenant, &new, self.services().clock.now()).await? else {
            return Err(busy(operations::running(&mut tx, caller.tenant, subject.plugin).await?, subject.plugin).into());
        };
        let hold = self.hold(lease, taken, caller.tenant, subject.plugin);
        tx.commit().await?;
        Ok(hold)
    }

    /// Begins a transaction that counts only while `lease` is held.
    ///
    /// # Errors
    /// There is none, or it was lost; the database's.
    pub(crate) async fn begin_under(&self, lease: impl Into<Option<Lease>> + Send) -> Result<Tx, Error> {
        let lease = lease.into().ok_or_else(|| io::Error::other("a step ran without a lease"))?;
        let mut tx = self.services().db.begin().await?;
        operations::guard(&mut tx, lease).await?;
        Ok(tx)
    }

    /// Runs the steps of an operation to its end, keeping its lease alive, and writes down how it ended. Who loses the lease,
    /// or the database, lets go: the operation is taken up by what is written of it.
    ///
    /// # Errors
    /// Why it was let go of.
    pub(crate) async fn run_operation<S: Work>(
        self: &Arc<Self>,
        hold: Hold,
        change: &Change<S>,
        state: &mut S,
        on_failure: impl for<'a> FnOnce(&'a mut S, Failure) -> BoxFuture<'a, ()>,
    ) -> Result<Ended, Error> {
        let lease = hold.lease;
        state.hold(lease);
        let ended = hold.keep(async {
            let ended = self.run_steps(lease, change, state, on_failure).await?;
            self.end_operation(lease, ended.status(), &ended.outcome()).await?;
            Ok(ended)
        });
        let ended = ended.await.unwrap_or_else(|| Err(mint_store::Error::LeaseLost.into()));
        if let Err(error) = &ended {
            tracing::warn!(operation.id = %lease.operation, kind = change.kind, error = error as &dyn std::error::Error,
                "an operation was let go of; whoever finds it takes it up");
            if matches!(error, Error::Store(error) if error.is_full()) {
                self.let_go_of().insert(lease.operation, error.public().message);
            }
            state.let_go().await;
        }
        drop(hold);
        ended
    }

    /// # Errors
    /// What leaves it open how the last step ended: the lease or the database was lost.
    async fn run_steps<S: Work>(
        &self,
        lease: Lease,
        change: &Change<S>,
        state: &mut S,
        on_failure: impl for<'a> FnOnce(&'a mut S, Failure) -> BoxFuture<'a, ()>,
    ) -> Result<Ended, Error> {
        let (steps, id) = (change.steps, lease.operation);
        let switch = steps.iter().position(|step| step.name == SWITCH).filter(|_| change.can_stop).unwrap_or_default();
        let stopped = CancellationToken::new();
        for (position, step) in steps.iter().enumerate() {
            let at = i64::try_from(position).unwrap_or(i64::MAX);
            self.offer_to_stop(id, (position < switch).then(|| stopped.clone()));
            self.journal_begin(lease, at, step.name).await?;
            self.reach(change.kind, step.name, "begun");
            let ran = match step.may_be_cut {
                _ if stopped.is_cancelled() && position < switch => Err(Stop::Refused(cancelled())),
                true if position < switch => tokio::select! {
                    ran = (step.run)(state) => ran,
                    () = stopped.cancelled() => Err(Stop::Refused(cancelled())),
                },
                _ => (step.run)(state).await,
            };
            self.reach(change.kind, step.name, "did");
            let (status, note) = match &ran {
                Ok(note) | Err(Stop::Nothing(note)) => ("done", note.clone()),
                Err(Stop::Refused(refusal)) => ("failed", refusal.message.clone()),
                Err(Stop::Failed(failure)) => ("failed", format!("{} {}", failure.reason, failure.hint)),
                Err(Stop::Error(error)) => ("failed", error.public().message),
            };
            let ran = match ran {
                Err(Stop::Error(error)) if error.leaves_it_open() => return Err(error),
                other => other,
            };
            self.journal_end(lease, at, status, &note).await?;
            self.reach(change.kind, step.name, "ended");
            let Err(stop) = ran else { continue };
            return Ok(match stop {
                Stop::Nothing(note) => Ended::Done(Some(note)),
                Stop::Failed(failure) => {
                    on_failure(state, failure.clone()).await;
                    Ended::Failed(failure)
                }
                Stop::Refused(refusal) => {
                    undo(steps, position, state).await;
                    Ended::Undone(refusal)
                }
                Stop::Error(error) => {
                    tracing::error!(operation.id = %id, step = step.name, error = &error as &dyn std::error::Error, "an operation failed");
                    undo(steps, position, state).await;
                    Ended::Undone(error.public())
                }
            });
        }
        Ok(Ended::Done(None))
    }

    fn offer_to_stop(&self, id: OperationId, cancel: Option<CancellationToken>) {
        if let Some(here) = self.operations_here().get_mut(&id) {
            here.cancel = cancel;
            here.meter.expect(0);
        }
    }

    /// Stops an operation before what it does counts; its steps are undone.
    ///
    /// # Errors
    /// `PERMISSION_DENIED`, `NOT_FOUND`, `CONFLICT` when it is too late.
    pub async fn cancel_operation(&self, caller: &Caller, id: OperationId) -> Result<(), Error> {
        let _permit = caller.call(self.services()).permit_person(mint_domain::Permission::PluginsInstall)?;
        let (operation, steps) = self.operation(caller, id).await?;
        let here = self.operations_here().get(&id).cloned();
        let late = |message: String| Err(Refusal::conflict("operation", "status", message).into());
        match here {
            Some(Here { cancel: Some(cancel), .. }) => {
                cancel.cancel();
                Ok(())
            }
            Some(_) => late(format!("This {} cannot be stopped any more.", operation.kind)),
            None if operation.status == "running" => {
                if !can_be_stopped(&operation.kind) || steps.iter().any(|step| step.name == SWITCH) {
                    return late(format!("This {} cannot be stopped any more.", operation.kind));
                }
                let mut tx = self.services().db.begin().await?;
                operations::ask_to_cancel(&mut tx, caller.tenant, id).await?;
                Ok(tx.commit().await?)
            }
            None => late(format!("This {} has ended.", operation.kind)),
        }
    }

    /// Stops operations of this process as another one was asked to, until the platform ends.
    pub(crate) fn obey_cancellations(self: &Arc<Self>) {
        let platform = self.clone();
        self.spawn(async move {
            loop {
                tokio::time::sleep(LOOK_INTERVAL).await;
                if platform.operations_here().values().all(|here| here.cancel.is_none()) {
                    continue;
                }
                if let Err(error) = platform.cancel_as_asked().await {
                    tracing::warn!(error = &error as &dyn std::error::Error, "it could not be found out what is to be stopped");
                }
            }
        });
    }

    async fn cancel_as_asked(&self) -> Result<(), Error> {
        let asked = operations::asked_to_cancel(&mut self.services().db.read().await?, self.process_id()).await?;
        let here = self.operations_here();
        asked.iter().filter_map(|id| here.get(id)?.cancel.as_ref()).for_each(CancellationToken::cancel);
        Ok(())
    }

    /// Kills or freezes the server here, if that is what a test asked for.
    fn reach(&self, kind: &str, step: &str, when: &str) {
        let reached = |at: &mut Moment| (at.kind.as_str(), at.step.as_str(), at.when.as_str()) == (kind, step, when);
        match self.abort_at().take_if(reached).filter(|_| cfg!(debug_assertions)) {
            None => {}
            Some(Moment { freezes: false, .. }) => std::process::abort(),
            Some(Moment { freezes: true, .. }) => {
                let _told = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::STOP);
            }
        }
    }

    async fn journal_begin(&self, lease: Lease, position: i64, name: &str) -> Result<(), Error> {
        let mut tx = self.services().db.begin().await?;
        operations::begin_step(&mut tx, lease, position, name, self.services().clock.now()).await?;
        Ok(tx.commit().await?)
    }

    async fn journal_end(&self, lease: Lease, position: i64, status: &str, note: &str) -> Result<(), Error> {
        let mut tx = self.services().db.begin().await?;
        operations::end_step(&mut tx, lease, position, status, note, self.services().clock.now()).await?;
        Ok(tx.commit().await?)
    }

    pub(crate) async fn end_operation(&self, lease: Lease, status: &str, outcome: &Value) -> Result<(), Error> {
        let mut tx = self.services().db.begin().await?;
        operations::end(&mut tx, lease, status, outcome, self.services().clock.now()).await?;
        Ok(tx.commit().await?)
    }

    /// An operation with its journal.
    ///
    /// # Errors
    /// `NOT_FOUND`; the database's.
    pub async fn operation(
        &self,
        caller: &Caller,
        id: OperationId,
    ) -> Result<(operations::Operation, Vec<operations::Step>), Error> {
        let _permit = caller.call(self.services()).permit_person(mint_domain::Permission::PluginsView)?;
        let mut tx = self.services().db.read().await?;
        let operation = operations::get(&mut tx, caller.tenant, id).await?;
        let operation = operation.ok_or_else(|| Refusal::not_found("operation", id))?;
        let steps = operations::steps(&mut tx, id).await?;
        Ok((operation, steps))
    }
}

async fn undo<S>(steps: &[Step<S>], position: usize, state: &mut S) {
    for step in steps.iter().take(position + 1).rev() {
        (step.undo)(state).await;
    }
}

/// The refusal for whoever comes second.
pub(crate) fn busy(running: Option<operations::Operation>, plugin: &str) -> Refusal {
    let Some(running) = running else {
        let message = format!("Another operation on plugin `{plugin}` has just ended. Try again.");
        return Refusal::conflict("operation", "plugin", message);
    };
    let operations::Operation { id, kind, actor, .. } = running;
    let message = format!("Operation {id} on plugin `{plugin}` runs already: {kind}, begun by {actor}. Wait until it has ended.");
    let mut refusal = Refusal::conflict("operation", "plugin", message);
    if let Some(details) = refusal.details.as_object_mut() {
        details.insert("operation".to_owned(), json!({ "id": id, "kind": kind, "actor": actor }));
    }
    refusal
}

fn cancelled() -> Refusal {
    Refusal::new(Kind::Conflict, "operation.cancelled", "It was stopped before it was done.")
}

/// What a step would do, where that is known at once.
pub(crate) fn said(text: impl Into<String>) -> BoxFuture<'static, Result<String, Stop>> {
    Box::pin(std::future::ready(Ok(text.into())))
}

/// For steps that leave nothing to take back.
pub(crate) fn nothing_to_undo<S: Send>(_: &mut S) -> BoxFuture<'_, ()> {
    Box::pin(std::future::ready(()))
}

/// The refusal for a plugin that is not installed.
pub(crate) fn not_installed(slug: &str) -> Refusal {
    Refusal::new(Kind::NotFound, "NOT_FOUND", format!("No plugin `{slug}` is installed."))
}
