//! Keeps one process of a generation running: starts it again after it ended, within a budget.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use mint_context::{
    budget::{self, FaultBudget},
    runtime::Fault,
    settings,
};
use mint_domain::lifecycle::Failure;
use serde_json::{Value, json};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::Instant,
};
use tokio_util::task::AbortOnDropHandle;

use crate::{
    backoff::Backoff,
    exit::Exit,
    incarnation::{self, Incarnation, Running, Setup},
    shim::{self, About, NotTaken},
    task,
};

/// Time for requests on an old process to end after a new one took its place.
const DRAIN: Duration = Duration::from_secs(10);

/// Pause before a start that was begun with old settings is begun again.
const AGAIN: Duration = Duration::from_millis(200);

/// Where a generation stands.
#[derive(Clone, Debug)]
pub(crate) enum Phase {
    /// It answers.
    Up(Arc<Incarnation>),
    /// It is being started again.
    Restarting,
    /// It failed too often.
    Failed(Failure),
    /// It was told to end.
    Stopped,
}

/// Handle of the task that supervises a generation. Dropped, the process is killed.
#[derive(Debug)]
pub(crate) struct Supervisor {
    phase: watch::Receiver<Phase>,
    orders: mpsc::Sender<Order>,
    history: Arc<Mutex<History>>,
    _task: AbortOnDropHandle<()>,
}

/// What happened so far.
#[derive(Debug, Default)]
struct History {
    restarts: u32,
    last_exit: Option<(OffsetDateTime, String)>,
}

#[derive(Debug)]
enum Order {
    /// Have the plugin work with these settings.
    Apply { settings: Value, done: oneshot::Sender<Result<(), String>> },
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
        let history = Arc::default();
        let keeper = Keeper {
            setup,
            phase,
            orders: orders_seen,
            history: Arc::clone(&history),
            budget: FaultBudget::default(),
            backoff: Backoff::default(),
            number: 1,
            retiring: Vec::new(),
        };
        Ok(Self { phase: phase_seen, orders, history, _task: task::owned(keeper.keep(first)) })
    }

    /// The process that answers; waits for one that is being started, until `deadline` at most.
    ///
    /// # Errors
    /// [`Fault::Down`].
    pub(crate) async fn ready(&self, deadline: Instant) -> Result<Arc<Incarnation>, Fault> {
        let down = |why: &str| Err(Fault::Down(why.to_owned()));
        // Without the wait where there is none: this is on the path of every request.
        if let Phase::Up(incarnation) = &*self.phase.borrow() {
            return Ok(Arc::clone(incarnation));
        }
        let mut phase = self.phase.clone();
        let settled = phase.wait_for(|phase| !matches!(phase, Phase::Restarting));
        match tokio::time::timeout_at(deadline, settled).await {
            Err(_elapsed) => down("it is being started again"),
            Ok(Err(_gone)) => down("it was stopped"),
            Ok(Ok(phase)) => match &*phase {
                Phase::Up(incarnation) => Ok(Arc::clone(incarnation)),
                Phase::Restarting => down("it is being started again"),
                Phase::Failed(failure) => down(&failure.reason),
                Phase::Stopped => down("it was stopped"),
            },
        }
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
    pub(crate) async fn apply(&self, settings: Value) -> Result<(), String> {
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
            Phase::Restarting => ("restarting", None),
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

/// The task behind a [`Supervisor`].
struct Keeper {
    setup: Arc<Setup>,
    phase: watch::Sender<Phase>,
    orders: mpsc::Receiver<Order>,
    history: Arc<Mutex<History>>,
    budget: FaultBudget,
    backoff: Backoff,
    number: u32,
    retiring: Vec<AbortOnDropHandle<()>>,
}

/// What follows.
enum Next {
    Watch(Box<Running>),
    StartAfter(Duration),
    Rest,
    End,
}

impl Keeper {
    async fn keep(mut self, first: Running) {
        let mut next = Next::Watch(Box::new(first));
        loop {
            next = match next {
                Next::Watch(running) => self.watch(*running).await,
                Next::StartAfter(pause) => self.start_after(pause).await,
                Next::Rest => self.rest().await,
                Next::End => return,
            };
        }
    }

    /// While it runs.
    async fn watch(&mut self, running: Running) -> Next {
        tokio::select! {
            biased;
            order = self.orders.recv() => match order {
                None => Next::End,
                Some(Order::Apply { settings, done }) => self.apply(running, settings, done).await,
                Some(Order::Stop { grace, done }) => {
                    self.phase.send_replace(Phase::Stopped);
                    self.note_exit(running.stop(grace).await);
                    self.end(done)
                }
            },
            () = running.ended() => {
                self.phase.send_replace(Phase::Restarting);
                let exit = running.finish().await;
                self.note_exit(exit);
                let reason = format!("The plugin's process {exit}.");
                self.fault(incarnation::failure(&self.setup, reason, "Its last lines are in the log excerpt."))
            }
        }
    }

    /// While it waits for the next start, and starts.
    async fn start_after(&mut self, pause: Duration) -> Next {
        self.number += 1;
        let (setup, number) = (Arc::clone(&self.setup), self.number);
        let start = async {
            tokio::time::sleep(pause).await;
            Running::start(&setup, number, None).await
        };
        tokio::select! {
            biased;
            order = self.orders.recv() => match order {
                None => Next::End,
                Some(Order::Apply { settings: _, done }) => {
                    // A start under way may have read the old settings; the next one, a moment later, reads the new.
                    let _nobody = done.send(Ok(()));
                    Next::StartAfter(AGAIN)
                }
                Some(Order::Stop { grace: _, done }) => {
                    self.phase.send_replace(Phase::Stopped);
                    self.end(done)
                }
            },
            started = start => match started {
                Ok(running) => {
                    self.history.lock().unwrap_or_else(PoisonError::into_inner).restarts += 1;
                    tracing::info!(pid = running.incarnation().pid, incarnation = number, "a plugin was started again");
                    self.phase.send_replace(Phase::Up(Arc::clone(running.incarnation())));
                    Next::Watch(Box::new(running))
                }
                Err(failure) => self.fault(failure),
            },
        }
    }

    /// After it failed for good: only a stop is left.
    async fn rest(&mut self) -> Next {
        match self.orders.recv().await {
            None => Next::End,
            Some(Order::Apply { settings: _, done }) => {
                let _nobody = done.send(Err("The plugin is not running.".to_owned()));
                Next::Rest
            }
            Some(Order::Stop { grace: _, done }) => self.end(done),
        }
    }

    /// Hands settings to the process where it takes them. One that does not answer is replaced like one that cannot.
    async fn apply(&mut self, present: Running, settings: Value, done: oneshot::Sender<Result<(), String>>) -> Next {
        if self.setup.about.get().is_some_and(About::takes_settings) {
            // What is stored is still what it runs with.
            let previous = settings::load(self.setup.session.call()).await.ok().map(|stored| stored.settings);
            match shim::apply(present.incarnation().peer(), &settings, previous.as_ref()).await {
                Ok(()) => {
                    let _nobody = done.send(Ok(()));
                    return Next::Watch(Box::new(present));
                }
                Err(NotTaken::Refused(words)) => {
                    let _nobody = done.send(Err(words));
                    return Next::Watch(Box::new(present));
                }
                Err(NotTaken::Silent(silence)) => tracing::warn!(%silence, "a plugin did not take settings, and is replaced"),
            }
        }
        self.replace(present, settings, done).await
    }

    /// Starts a new process beside the present one, and changes over if it answers.
    async fn replace(&mut self, present: Running, settings: Value, done: oneshot::Sender<Result<(), String>>) -> Next {
        self.number += 1;
        match Running::start(&self.setup, self.number, Some(Arc::new(settings))).await {
            Ok(new) => {
                self.phase.send_replace(Phase::Up(Arc::clone(new.incarnation())));
                let _nobody = done.send(Ok(()));
                self.retire(present);
                Next::Watch(Box::new(new))
            }
            Err(failure) => {
                let _nobody = done.send(Err(format!("With these settings the plugin does not start. {}", failure.reason)));
                Next::Watch(Box::new(present))
            }
        }
    }

    /// Lets the requests on an old process end, and then the process, while the new one is watched.
    fn retire(&mut self, old: Running) {
        self.retiring.retain(|retired| !retired.is_finished());
        self.retiring.push(task::owned(async move {
            old.stop(DRAIN).await;
        }));
    }

    fn fault(&mut self, mut failure: Failure) -> Next {
        let now = Instant::now();
        if !self.budget.record(now.into_std()) {
            let pause = self.backoff.pause(now, rand::random());
            tracing::warn!(reason = failure.reason, ?pause, "a plugin's process ended; it is started again");
            self.phase.send_replace(Phase::Restarting);
            return Next::StartAfter(pause);
        }
        let quarantine = self.budget.quarantine(self.setup.activation.call.services.clock.now());
        failure.reason =
            format!("It failed {} times within {} s. {}", quarantine.faults, budget::WINDOW.as_secs(), failure.reason);
        failure.quarantine = Some(quarantine);
        tracing::error!(reason = failure.reason, "a plugin's process failed too often and is left alone");
        self.phase.send_replace(Phase::Failed(failure));
        Next::Rest
    }

    fn note_exit(&self, exit: Exit) {
        let now = self.setup.activation.call.services.clock.now();
        self.history.lock().unwrap_or_else(PoisonError::into_inner).last_exit = Some((now, exit.to_string()));
    }

    fn end(&self, done: oneshot::Sender<()>) -> Next {
        let _nobody = done.send(());
        Next::End
    }
}
