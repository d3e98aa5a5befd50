//! Who may be served now: so many at once, so many waiting, the rest is told to come back.

use std::{
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use mint_domain::{Kind, Limits, Refusal};
use serde_json::json;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, timeout, timeout_at},
};
use tokio_util::sync::CancellationToken;

/// How long whoever was told to end may take for it.
const GOODBYE: Duration = Duration::from_secs(3);

/// The gate of one installation.
#[derive(Debug)]
pub struct Admission {
    slots: Arc<Semaphore>,
    slots_max: u64,
    queue_max: u64,
    waiting: AtomicU64,
    refused: AtomicU64,
    leaving: CancellationToken,
    streams_over: CancellationToken,
    over: CancellationToken,
}

/// How long those who are served when a gate closes may go on.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// WebSockets and streams of events, which have no end of their own.
    pub streams: Duration,
    /// Everything, and them too at the latest.
    pub all: Duration,
}

/// When whoever is served is told to end.
#[derive(Clone, Debug)]
pub struct Farewell {
    streams: CancellationToken,
    all: CancellationToken,
}

impl Farewell {
    /// For what has no end of its own.
    pub fn of_streams(&self) -> &CancellationToken {
        &self.streams
    }

    /// For everything else.
    pub fn of_all(&self) -> &CancellationToken {
        &self.all
    }
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
            streams_over: CancellationToken::new(),
            over: CancellationToken::new(),
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

    /// Waits until everybody is told to end.
    pub async fn over(&self) {
        self.over.cancelled().await;
    }

    /// When those who are served now will be told to end.
    pub fn farewell(&self) -> Farewell {
        Farewell { streams: self.streams_over.clone(), all: self.over.clone() }
    }

    /// Waits until nobody is served any more, or has no patience left, and closes the gate. Who is told to end has a moment
    /// for it. True when nobody was cut off.
    pub async fn drained(&self, patience: Patience) -> bool {
        self.leaving.cancel();
        let all = u32::try_from(self.slots_max).unwrap_or(u32::MAX);
        let mut left = pin!(self.slots.acquire_many(all));
        let deadline = Instant::now() + patience.all;
        let streams = Instant::now() + patience.streams.min(patience.all);
        let in_time = match timeout_at(streams, left.as_mut()).await {
            Ok(left) => Some(left),
            Err(_) => {
                self.streams_over.cancel();
                timeout_at(deadline.max(streams + GOODBYE), left.as_mut()).await.ok()
            }
        };
        let was_in_time = in_time.is_some();
        let _held = match in_time {
            Some(held) => Some(held),
            None => {
                self.over.cancel();
                timeout(GOODBYE, left).await.ok()
            }
        };
        // While all places are held, so that nobody slips in. Whoever still waits here looks again, and finds the gate
        // that took its place.
        self.slots.close();
        was_in_time
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
    use super::*;

    const PATIENCE: Patience = Patience { streams: Duration::from_secs(5), all: Duration::from_secs(5) };

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
        let (drained, late, ()) = tokio::join!(gate.drained(PATIENCE), gate.enter(deadline), end_first);
        assert!(drained && late.unwrap().is_none());
        assert!(gate.enter(deadline).await.unwrap().is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn streams_are_told_before_everybody_is() {
        let gate = Arc::new(Admission::new(&Limits::default()));
        let deadline = Instant::now() + Duration::from_secs(5);
        let (stream, slow) = (gate.enter(deadline).await.unwrap().unwrap(), gate.enter(deadline).await.unwrap().unwrap());
        let (farewell, began) = (gate.farewell(), Instant::now());
        let stream_ends = async {
            farewell.of_streams().cancelled().await;
            drop(stream);
            began.elapsed()
        };
        let slow_ends = async {
            farewell.of_all().cancelled().await;
            drop(slow);
            began.elapsed()
        };
        let patience = Patience { streams: Duration::ZERO, all: Duration::from_secs(60) };
        let (in_time, stream_told, slow_told) = tokio::join!(gate.drained(patience), stream_ends, slow_ends);
        assert!(!in_time);
        assert_eq!((stream_told.as_secs(), slow_told.as_secs()), (0, 60));
        assert!(gate.enter(deadline).await.unwrap().is_none());
    }
}
