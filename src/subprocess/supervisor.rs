//! Keeps one process of a generation running, as those see it who want something of it.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use mint_context::runtime::Fault;
use mint_domain::{Unsealed, lifecycle::Failure};
use serde_json::{Value, json};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::Instant,
};
use tokio_util::task::AbortOnDropHandle;

use crate::{
    activity::InUse,
    incarnation::{Incarnation, Running, Setup},
    keeper::{Keeper, Wanted},
    task,
};

/// Where a generation stands.
#[derive(Clone, Debug)]
pub(crate) enum Phase {
    /// It answers.
    Up(Arc<Incarnation>),
    /// None runs, because nobody wanted anything of it.
    Idle,
    /// It is being started for whoever wants it, after it was idle.
    Starting,
    /// It is being started again, for this reason.
    Restarting(Arc<str>),
    /// It failed too often.
    Failed(Failure),
    /// It was told to end.
    Stopped,
}

impl Phase {
    /// It is being started again, for this reason.
    pub(crate) fn restarting(reason: &str) -> Self {
        Self::Restarting(reason.into())
    }
}

/// Handle of the task that supervises a generation. Dropped, the process is killed.
#[derive(Debug)]
pub(crate) struct Supervisor {
    phase: watch::Receiver<Phase>,
    orders: mpsc::Sender<Order>,
    wanted: Arc<Wanted>,
    history: Arc<Mutex<History>>,
    _task: AbortOnDropHandle<()>,
}

/// What happened so far.
#[derive(Debug, Default)]
pub(crate) struct History {
    /// Starts after a fault.
    pub(crate) restarts: u32,
    /// When and how the last one ended that was not replaced.
    pub(crate) last_exit: Option<(OffsetDateTime, String)>,
}

/// What a keeper is told.
#[derive(Debug)]
pub(crate) enum Order {
    /// Have the plugin work with these settings.
    Apply { settings: Unsealed, done: oneshot::Sender<Result<(), String>> },
    /// End.
    Stop { grace: Duration, done: oneshot::Sender<()> },
}

impl Supervisor {
    /// Starts the first process and waits until it answers.
    ///
    /// # Errors
    /// The [`Failure`] of the first start: it is not tried again.
    pub(crate) async fn start(setup: Arc<Setup>) -> Result<Self, Failure> {
        let first = Running::start(&setup, 1, None).await?;
        let (phase, phase_seen) = watch::channel(Phase::Up(Arc::clone(first.incarnation())));
        let (orders, orders_seen) = mpsc::channel(8);
        let (wanted, history) = (Arc::default(), Arc::default());
        let keeper = Keeper::new(setup, phase, orders_seen, Arc::clone(&wanted), Arc::clone(&history));
        Ok(Self { phase: phase_seen, orders, wanted, history, _task: task::owned(keeper.keep(first)) })
    }

    /// The process that answers. Waits for one that is started because nobody wanted anything before, until `deadline`, and
    /// for one that is started again, for `patience` at most.
    ///
    /// # Errors
    /// [`Fault::Down`]; [`Fault::NotStarted`] when it was idle, and does not start.
    pub(crate) async fn ready(&self, deadline: Instant, patience: Duration) -> Result<InUse, Fault> {
        // Without the wait where there is none: this is on the path of every request.
        if let Phase::Up(incarnation) = &*self.phase.borrow()
            && let Some(in_use) = InUse::of(incarnation)
        {
            return Ok(in_use);
        }
        Box::pin(self.wanted(deadline, patience)).await
    }

    async fn wanted(&self, deadline: Instant, patience: Duration) -> Result<InUse, Fault> {
        let down = |why: &str| Err(Fault::Down(why.to_owned()));
        let began = Instant::now();
        let _waiting = self.wanted.enter();
        let mut phase = self.phase.clone();
        let mut was_idle = false;
        loop {
            let (until, why) = match &*phase.borrow_and_update() {
                Phase::Up(incarnation) => match InUse::of(incarnation) {
                    Some(in_use) => return Ok(in_use),
                    // About to be stopped.
                    None => (deadline, "it is being stopped"),
                },
                Phase::Idle | Phase::Starting => {
                    was_idle = true;
                    (deadline, "it is being started")
                }
                Phase::Restarting(reason) if was_idle => return Err(Fault::NotStarted(reason.to_string())),
                Phase::Restarting(_) => (deadline.min(began + patience), "it is being started again"),
                Phase::Failed(failure) if was_idle => return Err(Fault::NotStarted(failure.reason.clone())),
                Phase::Failed(failure) => return down(&failure.reason),
                Phase::Stopped => return down("it was stopped"),
            };
            match tokio::time::timeout_at(until, phase.changed()).await {
                Ok(Ok(())) => {}
                Ok(Err(_gone)) => return down("it was stopped"),
                Err(_elapsed) => return down(why),
            }
        }
    }

    /// The process that answers, for somebody who only looks: one that is idle, or about to be, is left alone, and is none.
    ///
    /// # Errors
    /// [`Fault::Down`].
    pub(crate) async fn look(&self, patience: Duration) -> Result<Option<Arc<Incarnation>>, Fault> {
        let down = |why: &str| Err(Fault::Down(why.to_owned()));
        let mut phase = self.phase.clone();
        let settled = phase.wait_for(|phase| !matches!(phase, Phase::Restarting(_)));
        match tokio::time::timeout(patience, settled).await {
            Err(_elapsed) => down("it is being started again"),
            Ok(Err(_gone)) => down("it was stopped"),
            Ok(Ok(phase)) => match &*phase {
                Phase::Up(incarnation) => Ok(Some(Arc::clone(incarnation))),
                Phase::Idle | Phase::Starting => Ok(None),
                Phase::Restarting(reason) => down(reason),
                Phase::Failed(failure) => down(&failure.reason),
                Phase::Stopped => down("it was stopped"),
            },
        }
    }

    /// Whether it is the process that answers now.
    pub(crate) fn is_up(&self, incarnation: &Incarnation) -> bool {
        matches!(&*self.phase.borrow(), Phase::Up(up) if up.number == incarnation.number)
    }

    /// Waits until it has failed for good. Never returns after an ordered stop.
    pub(crate) async fn failed(&self) -> Failure {
        let mut phase = self.phase.clone();
        if let Ok(phase) = phase.wait_for(|phase| matches!(phase, Phase::Failed(_))).await
            && let Phase::Failed(failure) = &*phase
        {
            return failure.clone();
        }
        std::future::pending().await
    }

    /// Hands new settings to the process, or puts a new one in its place that reads them.
    ///
    /// # Errors
    /// The plugin's words, or why a new process does not start; then the present one stays, with the old settings.
    pub(crate) async fn apply(&self, settings: Unsealed) -> Result<(), String> {
        let (done, answer) = oneshot::channel();
        let stopped = || "The plugin was stopped.".to_owned();
        self.orders.send(Order::Apply { settings, done }).await.map_err(|_| stopped())?;
        answer.await.map_err(|_| stopped())?
    }

    /// Ends the process, and waits for it.
    pub(crate) async fn stop(&self, grace: Duration) {
        let (done, answer) = oneshot::channel();
        if self.orders.send(Order::Stop { grace, done }).await.is_ok() {
            // If the task is gone, so is the process.
            let _gone = answer.await;
        }
    }

    /// What an administrator sees.
    pub(crate) fn status(&self) -> Value {
        let history = self.history.lock().unwrap_or_else(PoisonError::into_inner);
        let said = |at: &OffsetDateTime| at.format(&Rfc3339).unwrap_or_default();
        let last_exit = history.last_exit.as_ref().map(|(at, how)| json!({ "at": said(at), "how": how }));
        let (name, incarnation) = match &*self.phase.borrow() {
            Phase::Up(incarnation) => ("up", Some(Arc::clone(incarnation))),
            Phase::Idle => ("idle", None),
            Phase::Starting => ("starting", None),
            Phase::Restarting(_) => ("restarting", None),
            Phase::Failed(_) => ("failed", None),
            Phase::Stopped => ("stopped", None),
        };
        json!({
            "process": name,
            "pid": incarnation.as_ref().map(|incarnation| incarnation.pid),
            "incarnation": incarnation.as_ref().map(|incarnation| incarnation.number),
            "started_at": incarnation.as_ref().map(|incarnation| said(&incarnation.started_at)),
            "tasks": incarnation.as_ref().and_then(|incarnation| incarnation.tasks()),
            "calls_after_requests": incarnation.as_ref().map(|incarnation| incarnation.served.under_way()),
            "restarts": history.restarts,
            "last_exit": last_exit,
        })
    }
}
