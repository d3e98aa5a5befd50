//! The task that keeps one process of a generation: watches it, starts it again after it ended, stops it when it is idle,
//! and starts it for whoever wants it then.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use mint_context::{
    budget::{self, FaultBudget},
    settings,
};
use mint_domain::{Unsealed, lifecycle::Failure};
use tokio::{
    sync::{Notify, mpsc, oneshot, watch},
    time::Instant,
};
use tokio_util::task::AbortOnDropHandle;

use crate::{
    backoff::Backoff,
    exit::Exit,
    incarnation::{self, Running, Setup},
    shim::{self, About, NotTaken},
    supervisor::{History, Order, Phase},
    task,
};

/// Time for requests on an old process to end after a new one took its place, and for an idle one to end.
const DRAIN: Duration = Duration::from_secs(10);

/// Pause before a start that was begun with old settings is begun again.
const AGAIN: Duration = Duration::from_millis(200);

/// Keeps the process of a generation.
pub(crate) struct Keeper {
    setup: Arc<Setup>,
    phase: watch::Sender<Phase>,
    orders: mpsc::Receiver<Order>,
    wanted: Arc<Wanted>,
    history: Arc<Mutex<History>>,
    budget: FaultBudget,
    backoff: Backoff,
    number: u32,
    retiring: Vec<AbortOnDropHandle<()>>,
}

/// Those who wait for a process.
#[derive(Debug, Default)]
pub(crate) struct Wanted {
    waiting: AtomicUsize,
    news: Notify,
}

/// One of them, until dropped.
#[derive(Debug)]
pub(crate) struct Waiting<'a>(&'a Wanted);

impl Wanted {
    /// Waits among them.
    pub(crate) fn enter(&self) -> Waiting<'_> {
        self.waiting.fetch_add(1, Ordering::AcqRel);
        self.news.notify_one();
        Waiting(self)
    }

    /// Returns when somebody waits.
    async fn asked(&self) {
        // The news may be of somebody who has given up.
        while self.waiting.load(Ordering::Acquire) == 0 {
            self.news.notified().await;
        }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::AcqRel);
    }
}

/// What follows.
enum Next {
    Watch(Box<Running>),
    Start { pause: Duration, cause: Cause },
    Idle,
    Rest,
    End,
}

/// Why a process is started.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Cause {
    /// The one before ended, or did not start.
    Fault,
    /// None runs, and somebody wants it.
    Wanted,
}

impl Keeper {
    /// Keeps what `setup` starts, from its first process on.
    pub(crate) fn new(
        setup: Arc<Setup>,
        phase: watch::Sender<Phase>,
        orders: mpsc::Receiver<Order>,
        wanted: Arc<Wanted>,
        history: Arc<Mutex<History>>,
    ) -> Self {
        let (budget, backoff) = (FaultBudget::default(), Backoff::default());
        Self { setup, phase, orders, wanted, history, budget, backoff, number: 1, retiring: Vec::new() }
    }

    /// Keeps it until it is told to end.
    pub(crate) async fn keep(mut self, first: Running) {
        let mut next = Next::Watch(Box::new(first));
        loop {
            next = match next {
                Next::Watch(running) => self.watch(*running).await,
                Next::Start { pause, cause } => self.start(pause, cause).await,
                Next::Idle => self.idle().await,
                Next::Rest => self.rest().await,
                Next::End => return,
            };
        }
    }

    /// While it runs.
    async fn watch(&mut self, running: Running) -> Next {
        let activity = Arc::clone(&running.incarnation().activity);
        let idle = async {
            match self.setup.config.idle_after {
                Some(after) => activity.idle(after).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            order = self.orders.recv() => match order {
                None => Next::End,
                Some(Order::Apply { settings, done }) => self.apply(running, settings, done).await,
                Some(Order::Stop { grace, done }) => {
                    self.phase.send_replace(Phase::Stopped);
                    self.note_exit(running.stop(grace).await);
                    self.end(done).await
                }
            },
            () = running.ended() => {
                self.phase.send_replace(Phase::restarting("Its process ended."));
                let exit = running.finish().await;
                self.note_exit(exit);
                let reason = format!("The plugin's process {exit}.");
                self.fault(incarnation::failure(&self.setup, reason, "Its last lines are in the log excerpt."))
            }
            () = idle => {
                tracing::info!(pid = running.incarnation().pid, "a plugin was idle, and is stopped until somebody wants it");
                self.phase.send_replace(Phase::Idle);
                self.retire(running);
                Next::Idle
            }
        }
    }

    /// While it waits for the next start, and starts.
    async fn start(&mut self, pause: Duration, cause: Cause) -> Next {
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
                    Next::Start { pause: AGAIN, cause }
                }
                Some(Order::Stop { grace: _, done }) => {
                    self.phase.send_replace(Phase::Stopped);
                    self.end(done).await
                }
            },
            started = start => match started {
                Ok(running) => {
                    if cause == Cause::Fault {
                        self.history.lock().unwrap_or_else(PoisonError::into_inner).restarts += 1;
                    }
                    tracing::info!(pid = running.incarnation().pid, incarnation = number, "a plugin was started again");
                    self.up(running)
                }
                Err(failure) => self.fault(failure),
            },
        }
    }

    /// While none runs and nobody wants one. Waits for who does.
    async fn idle(&mut self) -> Next {
        tokio::select! {
            biased;
            order = self.orders.recv() => match order {
                None => Next::End,
                Some(Order::Apply { settings, done }) => {
                    self.number += 1;
                    self.phase.send_replace(Phase::Starting);
                    // So that a plugin that refuses them does so to whoever sets them.
                    match self.try_settings(settings, done).await {
                        Some(running) => self.up(running),
                        None => {
                            self.phase.send_replace(Phase::Idle);
                            Next::Idle
                        }
                    }
                }
                Some(Order::Stop { grace: _, done }) => {
                    self.phase.send_replace(Phase::Stopped);
                    self.end(done).await
                }
            },
            () = self.wanted.asked() => {
                self.phase.send_replace(Phase::Starting);
                Next::Start { pause: Duration::ZERO, cause: Cause::Wanted }
            }
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
            Some(Order::Stop { grace: _, done }) => self.end(done).await,
        }
    }

    /// Hands settings to the process where it takes them. One that does not answer is replaced like one that cannot.
    async fn apply(&mut self, present: Running, settings: Unsealed, done: oneshot::Sender<Result<(), String>>) -> Next {
        if self.setup.about.get().is_some_and(About::takes_settings) {
            // What is stored is still what it runs with.
            let previous = settings::load(self.setup.session.call()).await.ok().map(|stored| stored.settings);
            match shim::apply(present.incarnation().peer(), &settings, previous.as_deref()).await {
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
        // Starts a new process beside the present one, and changes over if it answers.
        self.number += 1;
        match self.try_settings(settings, done).await {
            Some(new) => {
                let next = self.up(new);
                self.retire(present);
                next
            }
            None => Next::Watch(Box::new(present)),
        }
    }

    /// Starts a process with new settings, and tells whoever set them whether it answers.
    async fn try_settings(&self, settings: Unsealed, done: oneshot::Sender<Result<(), String>>) -> Option<Running> {
        let started = Running::start(&self.setup, self.number, Some(Arc::new(settings))).await;
        let said = started
            .as_ref()
            .map(drop)
            .map_err(|failure| format!("With these settings the plugin does not start. {}", failure.reason));
        let _nobody = done.send(said);
        started.ok()
    }

    /// Makes a process the one that answers.
    fn up(&self, running: Running) -> Next {
        self.phase.send_replace(Phase::Up(Arc::clone(running.incarnation())));
        Next::Watch(Box::new(running))
    }

    /// Lets the requests on an old process end, and then the process, while the new one is watched.
    fn retire(&mut self, old: Running) {
        self.retiring.retain(|retired| !retired.is_finished());
        self.retiring.push(task::owned(async move {
            old.incarnation().activity.over(DRAIN).await;
            old.stop(DRAIN).await;
        }));
    }

    fn fault(&mut self, mut failure: Failure) -> Next {
        let now = Instant::now();
        if !self.budget.record(now.into_std()) {
            let pause = self.backoff.pause(now, rand::random());
            tracing::warn!(reason = failure.reason, ?pause, "a plugin's process ended; it is started again");
            self.phase.send_replace(Phase::restarting(&failure.reason));
            return Next::Start { pause, cause: Cause::Fault };
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

    /// Waits for those that were replaced, and ends.
    async fn end(&mut self, done: oneshot::Sender<()>) -> Next {
        for retired in self.retiring.drain(..) {
            let _ended_or_aborted = retired.await;
        }
        self.setup.warm.end().await;
        let _nobody = done.send(());
        Next::End
    }
}
