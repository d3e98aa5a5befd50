//! Who may be served now: so many in a second, so many at once, so many waiting, the rest is told to come back.

mod gate;
mod rate;

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use mint_context::meters::Meters;
use mint_domain::{Kind, Limits, Refusal, limit::Limit};
use serde_json::json;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use self::{
    gate::{Gate, NoPlace, Place},
    rate::Rate,
};

/// The gate of one installation.
#[derive(Debug)]
pub struct Admission {
    gate: Gate,
    rate: Rate,
    per_second_max: AtomicU64,
    refused: AtomicU64,
    meters: Arc<Meters>,
    resizing: Mutex<()>,
    leaving: CancellationToken,
}

/// A place in service; given back when dropped.
#[derive(Debug)]
#[must_use]
pub struct Admitted {
    _place: Place,
}

impl Admission {
    /// A gate with the limits of an installation.
    pub fn new(limits: &Limits, meters: Arc<Meters>) -> Self {
        Self {
            gate: Gate::new(limits.concurrency_max, limits.queue_max),
            rate: Rate::new(),
            per_second_max: AtomicU64::new(limits.requests_per_second_max),
            refused: AtomicU64::new(0),
            meters,
            resizing: Mutex::default(),
            leaving: CancellationToken::new(),
        }
    }

    /// Other limits from now on. Whoever is inside stays.
    pub fn obey(&self, limits: &Limits) {
        let _one_at_a_time = self.resizing.lock().unwrap_or_else(PoisonError::into_inner);
        self.per_second_max.store(limits.requests_per_second_max, Ordering::Relaxed);
        self.gate.resize(limits.concurrency_max, limits.queue_max);
    }

    /// Counts a request that wants to begin.
    ///
    /// # Errors
    /// `plugin.too_many_requests`, with the time after which it may come back.
    pub fn count(&self) -> Result<(), Refusal> {
        match self.rate.take(self.per_second_max.load(Ordering::Relaxed), Instant::now()) {
            Ok(begun) => {
                self.meters.observe(Limit::requests_per_second_max, begun);
                Ok(())
            }
            Err(wait) => Err(self.too_many(wait)),
        }
    }

    /// Waits for a place until `deadline`. None when the gate is closed for good: another one stands in its place, or none.
    ///
    /// # Errors
    /// `plugin.busy` at once when too many wait already, or when the deadline comes first.
    pub async fn enter(&self, deadline: Instant) -> Result<Option<Admitted>, Refusal> {
        match self.gate.enter(deadline).await {
            Ok(place) => {
                self.note();
                Ok(Some(Admitted { _place: place }))
            }
            Err(NoPlace::Closed) => Ok(None),
            Err(NoPlace::QueueFull) => Err(self.busy(Limit::queue_max)),
            Err(NoPlace::TooLate) => Err(self.busy(Limit::concurrency_max)),
        }
    }

    /// Requests in progress, waiting, and refused so far.
    pub fn usage(&self) -> (u64, u64, u64) {
        let (inside, waiting) = self.note();
        (inside, waiting, self.refused.load(Ordering::Relaxed))
    }

    /// Cancelled when the gate begins to be closed, for those who would stay for ever.
    pub fn leaving(&self) -> CancellationToken {
        self.leaving.clone()
    }

    /// Waits until nobody is served any more, or `deadline`, and closes the gate. True when nobody is served.
    pub async fn drained(&self, deadline: Instant) -> bool {
        self.leaving.cancel();
        self.gate.drained(deadline).await
    }

    fn note(&self) -> (u64, u64) {
        let (inside, waiting) = self.gate.usage();
        self.meters.set(Limit::concurrency_max, inside);
        self.meters.set(Limit::queue_max, waiting);
        (inside, waiting)
    }

    fn busy(&self, limit: Limit) -> Refusal {
        self.refused.fetch_add(1, Ordering::Relaxed);
        self.note();
        let message = "The plugin is answering as many requests as it may. Try again in a moment.";
        Refusal::new(Kind::Busy, "plugin.busy", message).with(json!({ "limit": limit.name() })).retry_after(1)
    }

    fn too_many(&self, wait: Duration) -> Refusal {
        self.refused.fetch_add(1, Ordering::Relaxed);
        let seconds = u32::try_from(wait.as_nanos().div_ceil(1_000_000_000)).unwrap_or(u32::MAX);
        let message = "The plugin was asked as often within a second as it may be. Try again in a moment.";
        Refusal::new(Kind::QuotaExceeded, "plugin.too_many_requests", message)
            .with(json!({ "limit": Limit::requests_per_second_max.name() }))
            .retry_after(seconds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn so_many_at_once_so_many_waiting_the_rest_refused() {
        let limits = Limits { concurrency_max: 1, queue_max: 1, ..Limits::default() };
        let gate = Arc::new(Admission::new(&limits, Arc::default()));
        let deadline = Instant::now() + Duration::from_secs(5);
        let first = gate.enter(deadline).await.unwrap().unwrap();
        let (second, third) = tokio::join!(gate.enter(deadline), gate.enter(deadline));
        let refusals = [second.unwrap_err(), third.unwrap_err()];
        assert!(refusals.iter().any(|refusal| refusal.details["limit"] == "queue_max"));
        assert!(refusals.iter().any(|refusal| refusal.details["limit"] == "concurrency_max"));
        drop(first);
        assert!(gate.enter(deadline).await.unwrap().is_some());
        assert_eq!(gate.usage(), (0, 0, 2));
    }

    #[tokio::test(start_paused = true)]
    async fn a_drained_gate_sends_everybody_on() {
        let limits = Limits { concurrency_max: 1, ..Limits::default() };
        let gate = Arc::new(Admission::new(&limits, Arc::default()));
        let deadline = Instant::now() + Duration::from_secs(5);
        let first = gate.enter(deadline).await.unwrap().unwrap();
        let end_first = async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            drop(first);
        };
        let (drained, late, ()) = tokio::join!(gate.drained(deadline), gate.enter(deadline), end_first);
        assert!(drained && late.unwrap().is_none());
        assert!(gate.enter(deadline).await.unwrap().is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn so_many_in_a_second_under_the_limits_of_the_moment() {
        let limits = Limits { requests_per_second_max: 2, ..Limits::default() };
        let gate = Admission::new(&limits, Arc::default());
        assert!(gate.count().is_ok() && gate.count().is_ok());
        let refusal = gate.count().unwrap_err();
        assert_eq!((refusal.code, refusal.retry_after_s), ("plugin.too_many_requests", Some(1)));
        assert_eq!(refusal.details["limit"], "requests_per_second_max");
        gate.obey(&Limits { requests_per_second_max: 1_000, ..limits });
        assert!(gate.count().is_ok());
        assert_eq!(gate.meters.read(Limit::requests_per_second_max).reached, 0, "whoever writes it down counts it");
    }
}
