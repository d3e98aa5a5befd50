//! One call of a guest: measured, bounded in time, and settled when it ends, however it ends.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use futures_util::future::BoxFuture;
use mint_context::{
    Call,
    budget::FaultBudget,
    logs::Level,
    runtime::{Blame, Fault},
};
use mint_domain::{RequestId, lifecycle::Failure, limit::Limit};
use tokio::{sync::watch, time::Instant};

use crate::{
    fault,
    instance::{Instance, Instances, Place},
    limits::Meter,
};

/// What runs calls of one started installation, and counts its faults.
#[derive(Debug)]
pub(crate) struct Guests {
    /// Its instances.
    pub instances: Arc<Instances>,
    budget: Mutex<FaultBudget>,
    failed: watch::Sender<Option<Failure>>,
}

/// A guest at work. Dropped, it is cut off where it stands.
pub(crate) struct Guest<T> {
    work: BoxFuture<'static, Result<(T, Instance), Fault>>,
    meter: Arc<Meter>,
    guests: Arc<Guests>,
    call: Arc<Call>,
    is_timed: bool,
}

impl Guests {
    /// For the installation of `instances`.
    pub(crate) fn new(instances: Arc<Instances>) -> Arc<Self> {
        Arc::new(Self { instances, budget: Mutex::default(), failed: watch::Sender::new(None) })
    }

    /// Begins `work` in `place`, for which the guest may compute as long as any request may. It goes on only while it is polled.
    pub(crate) fn begin<T, W>(self: &Arc<Self>, place: Place, call: Arc<Call>, work: W) -> Guest<T>
    where
        T: Send + 'static,
        W: for<'a> FnOnce(&'a mut Instance) -> BoxFuture<'a, wasmtime::Result<T>> + Send + 'static,
    {
        self.begin_for(Some(self.instances.plugin.authority.limits().cpu_ms_max), place, call, work)
    }

    fn begin_for<T, W>(self: &Arc<Self>, cpu_ms_max: Option<u64>, place: Place, call: Arc<Call>, work: W) -> Guest<T>
    where
        T: Send + 'static,
        W: for<'a> FnOnce(&'a mut Instance) -> BoxFuture<'a, wasmtime::Result<T>> + Send + 'static,
    {
        let meter = match &place {
            Place::Warm(instance) => Arc::clone(&instance.store.data().meter),
            Place::Room(_) => Arc::new(Meter::default()),
        };
        meter.arm(cpu_ms_max.unwrap_or(u64::MAX));
        let (guests, entered, for_guest) = (Arc::clone(self), Arc::clone(&meter), Arc::clone(&call));
        let work = async move {
            let mut instance = guests.instances.enter(place, for_guest, &entered).await?;
            match work(&mut instance).await {
                Ok(value) => Ok((value, instance)),
                Err(error) => Err(fault::of(&error, &instance.store.data().memory)),
            }
        };
        Guest { work: Box::pin(work), meter, guests: Arc::clone(self), call, is_timed: cpu_ms_max.is_some() }
    }

    /// Runs `work` to its end, or until `deadline`, which is `patience` from now.
    ///
    /// # Errors
    /// The fault that ended it.
    pub(crate) async fn run<T, W>(self: &Arc<Self>, call: Call, patience: Duration, work: W) -> Result<T, Fault>
    where
        T: Send + 'static,
        W: for<'a> FnOnce(&'a mut Instance) -> BoxFuture<'a, wasmtime::Result<T>> + Send + 'static,
    {
        let deadline = call.deadline.min(Instant::now() + patience);
        let place = self.instances.place(deadline).await?;
        let call = Arc::new(call);
        let guest = self.begin(place, Arc::clone(&call), work);
        match tokio::time::timeout_at(deadline, guest).await {
            Ok(Ok((value, instance))) => {
                self.instances.leave(instance);
                Ok(value)
            }
            Ok(Err(fault)) => Err(fault),
            Err(_) => Err(self.settle(Fault::Timeout(patience), &call.request_id)),
        }
    }

    /// Runs `work` to its end, however long it computes: until this is dropped. Waits no longer than `patience` for a place.
    ///
    /// # Errors
    /// The fault that ended it; [`Fault::Full`] when no place became free.
    pub(crate) async fn run_at_length<T, W>(self: &Arc<Self>, call: Call, patience: Duration, work: W) -> Result<T, Fault>
    where
        T: Send + 'static,
        W: for<'a> FnOnce(&'a mut Instance) -> BoxFuture<'a, wasmtime::Result<T>> + Send + 'static,
    {
        let place = self.instances.place(call.deadline.min(Instant::now() + patience)).await?;
        let guest = self.begin_for(None, place, Arc::new(call), work);
        let (value, instance) = guest.await?;
        self.instances.leave(instance);
        Ok(value)
    }

    /// Notes a fault: in the plugin's log, in the server's, and against the plugin's budget.
    pub(crate) fn settle(&self, fault: Fault, request_id: &RequestId) -> Fault {
        let plugin = &self.instances.plugin;
        tracing::warn!(tenant.id = %plugin.authority.tenant, plugin.slug = %plugin.authority.slug(), request.id = %request_id,
            blame = ?fault.blame(), fault = %first_line(&fault), "a component failed to answer");
        // What the platform did wrong is not for the plugin's author to read.
        if fault.blame() == Blame::Plugin {
            for line in fault.to_string().lines().filter(|line| !line.trim().is_empty()) {
                plugin.log.line(Level::Error, "platform", Some(request_id), line);
            }
        }
        if fault::counts(&fault) {
            self.count(&fault);
        }
        fault
    }

    fn count(&self, fault: &Fault) {
        let mut budget = self.budget.lock().unwrap_or_else(PoisonError::into_inner);
        if !budget.record(std::time::Instant::now()) {
            return;
        }
        let plugin = &self.instances.plugin;
        let mut failure = Failure::new(
            "run",
            format!("It failed {} times within a minute, last so: {}.", budget.faults(), first_line(fault).trim_end_matches('.')),
            "Look at its log, raise the limit that it reached, or install another release. It is tried again by itself later.",
        );
        failure.quarantine = Some(budget.quarantine(plugin.clock.now()));
        drop(budget);
        failure.log_excerpt = plugin.log.recent();
        self.failed.send_if_modified(|failed| {
            let first = failed.is_none();
            if first {
                *failed = Some(failure);
            }
            first
        });
    }

    /// Waits until the budget is used up.
    pub(crate) async fn failed(&self) -> Failure {
        let mut failed = self.failed.subscribe();
        loop {
            if let Some(failure) = failed.borrow_and_update().clone() {
                return failure;
            }
            if failed.changed().await.is_err() {
                return std::future::pending().await;
            }
        }
    }

    /// Faults that still count.
    pub(crate) fn faults(&self) -> usize {
        self.budget.lock().unwrap_or_else(PoisonError::into_inner).faults()
    }
}

fn first_line(fault: &Fault) -> String {
    fault.to_string().lines().next().unwrap_or_default().to_owned()
}

impl Guest<()> {
    /// Lets a guest whose answer was given come to its end, within `patience`.
    pub(crate) async fn finish(mut self, patience: Duration) {
        match tokio::time::timeout(patience, &mut self).await {
            Ok(Ok(((), instance))) => self.leave(instance),
            Ok(Err(_)) => {}
            Err(_) => drop(self.end_with(Fault::Timeout(patience))),
        }
    }
}

impl<T> Guest<T> {
    fn note_time(&self) {
        if self.is_timed {
            self.guests.instances.plugin.authority.meters.observe(Limit::cpu_ms_max, self.meter.spent_ms());
        }
    }

    /// Gives the instance back of a guest that has returned.
    pub(crate) fn leave(&self, instance: Instance) {
        self.guests.instances.leave(instance);
    }

    /// Gives a fault that was noticed outside of the guest its due, and cuts the guest off.
    pub(crate) fn end_with(self, fault: Fault) -> Fault {
        self.note_time();
        let Self { work, guests, call, .. } = self;
        drop(work);
        guests.settle(fault, &call.request_id)
    }
}

impl<T> Future for Guest<T> {
    type Output = Result<(T, Instance), Fault>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.meter.enter();
        let polled = self.work.as_mut().poll(cx);
        self.meter.leave();
        if polled.is_ready() {
            self.note_time();
        }
        polled.map_err(|fault| self.guests.settle(fault, &self.call.request_id))
    }
}
