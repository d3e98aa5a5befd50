//! Who may be served now: so many at once, so many waiting, the rest is told to come back.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use mint_domain::{Kind, Limits, Refusal};
use serde_json::json;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, timeout_at},
};
use tokio_util::sync::CancellationToken;

/// The gate of one installation.
#[derive(Debug)]
pub struct Admission {
    slots: Arc<Semaphore>,
    slots_max: u64,
    queue_max: u64,
    waiting: AtomicU64,
    refused: AtomicU64,
    leaving: CancellationToken,
}

/// A place in service; given back when dropped.
#[derive(Debug)]
#[must_use]
pub struct Admitted {
    _slot: OwnedSemaphorePermit,
}

impl Admission {
    /// A gate with the limits of an installation.
    pub fn new(limits: &Limits) -> Self {
        let slots = usize::try_from(limits.concurrency_max).unwrap_or(Semaphore::MAX_PERMITS).min(Semaphore::MAX_PERMITS);
        Self {
            slots: Arc::new(Semaphore::new(slots)),
            slots_max: slots as u64,
            queue_max: limits.queue_max,
            waiting: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            leaving: CancellationToken::new(),
        }
    }

    /// Waits for a place until `deadline`. None when the gate is closed for good: another one stands in its place, or none.
    ///
    /// # Errors
    /// `plugin.busy` at once when too many wait already, or when the deadline comes first.
    pub async fn enter(&self, deadline: Instant) -> Result<Option<Admitted>, Refusal> {
        if let Ok(slot) = self.slots.clone().try_acquire_owned() {
            return Ok(Some(Admitted { _slot: slot }));
        }
        Box::pin(self.queue(deadline)).await
    }

    async fn queue(&self, deadline: Instant) -> Result<Option<Admitted>, Refusal> {
        if self.waiting.fetch_add(1, Ordering::Relaxed) >= self.queue_max {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
            return Err(self.refuse("queue_max"));
        }
        let waited = Waiting(&self.waiting);
        let slot = timeout_at(deadline, self.slots.clone().acquire_owned()).await;
        drop(waited);
        match slot {
            Ok(Ok(slot)) => Ok(Some(Admitted { _slot: slot })),
            Ok(Err(_)) => Ok(None),
            Err(_) => Err(self.refuse("concurrency_max")),
        }
    }

    /// Requests in progress, waiting, and refused so far.
    pub fn usage(&self) -> (u64, u64, u64) {
        let busy = self.slots_max.saturating_sub(self.slots.available_permits() as u64);
        (busy, self.waiting.load(Ordering::Relaxed), self.refused.load(Ordering::Relaxed))
    }

    /// Cancelled when the gate begins to be closed, for those who would stay for ever.
    pub fn leaving(&self) -> CancellationToken {
        self.leaving.clone()
    }

    /// Waits until nobody is served any more, or `deadline`, and closes the gate. True when nobody is served.
    pub async fn drained(&self, deadline: Instant) -> bool {
        self.leaving.cancel();
        let all = u32::try_from(self.slots_max).unwrap_or(u32::MAX);
        let drained = timeout_at(deadline, self.slots.acquire_many(all)).await;
        // While all places are held, so that nobody slips in. Whoever still waits here looks again, and finds the gate
        // that took its place.
        self.slots.close();
        matches!(drained, Ok(Ok(_)))
    }

    fn refuse(&self, limit: &'static str) -> Refusal {
        self.refused.fetch_add(1, Ordering::Relaxed);
        Refusal::new(Kind::Busy, "plugin.busy", "The plugin is answering as many requests as it may. Try again in a moment.")
            .with(json!({ "limit": limit }))
            .retry_after(1)
    }
}

struct Waiting<'a>(&'a AtomicU64);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn so_many_at_once_so_many_waiting_the_rest_refused() {
        let limits = Limits { concurrency_max: 1, queue_max: 1, ..Limits::default() };
        let gate = Arc::new(Admission::new(&limits));
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
        let gate = Arc::new(Admission::new(&limits));
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
}
