//! What all plugins of a laboratory together take of the server: one laboratory's flood leaves room for the others.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use mint_domain::{
    Kind, Refusal, TenantId,
    share::{PARTS, Share, ShareChanges},
};
use serde_json::json;
use tokio::time::Instant;

use super::{
    gate::{Gate, NoPlace, Place},
    rate::Rate,
};

const CONCURRENCY: &str = "laboratory_concurrency_max";
const QUEUE: &str = "laboratory_queue_max";
const RATE: &str = "laboratory_requests_per_second_max";

/// The gate that the plugins of a laboratory have in common.
#[derive(Debug)]
pub struct Laboratory {
    gate: Gate,
    rate: Rate,
    share: Mutex<Share>,
    queue_max: AtomicU64,
    per_second_max: AtomicU64,
    waiting: AtomicU64,
    concurrency: Counted,
    queue: Counted,
    begun: Counted,
}

/// What is in use of one part, the most there was, and how often it was reached, since the server started.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct PartUse {
    pub(crate) current: Option<u64>,
    pub(crate) peak: u64,
    pub(crate) reached: u64,
}

#[derive(Debug, Default)]
struct Counted {
    peak: AtomicU64,
    reached: AtomicU64,
}

/// One that waits; no longer when dropped.
#[derive(Debug)]
pub(super) struct Waiting<'a>(&'a AtomicU64);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Laboratory {
    /// A gate with a share of the server.
    pub fn new(share: Share) -> Self {
        Self {
            gate: Gate::new(share.laboratory_concurrency_max, u64::MAX),
            rate: Rate::new(),
            share: Mutex::new(share),
            queue_max: AtomicU64::new(share.laboratory_queue_max),
            per_second_max: AtomicU64::new(share.laboratory_requests_per_second_max),
            waiting: AtomicU64::new(0),
            concurrency: Counted::default(),
            queue: Counted::default(),
            begun: Counted::default(),
        }
    }

    /// Another share from now on. Whoever is inside stays.
    pub(crate) fn obey(&self, share: Share) {
        let mut before = self.share.lock().unwrap_or_else(PoisonError::into_inner);
        if *before == share {
            return;
        }
        if before.laboratory_requests_per_second_max != share.laboratory_requests_per_second_max {
            self.per_second_max.store(share.laboratory_requests_per_second_max, Ordering::Relaxed);
            self.rate.forget();
        }
        self.queue_max.store(share.laboratory_queue_max, Ordering::Relaxed);
        self.gate.resize(share.laboratory_concurrency_max, u64::MAX);
        *before = share;
    }

    /// Counts a request that wants to begin.
    pub(super) fn count(&self) -> Result<(), Refusal> {
        match self.rate.take(self.per_second_max.load(Ordering::Relaxed), Instant::now()) {
            Ok(begun) => {
                self.begun.observe(begun);
                Ok(())
            }
            Err(wait) => Err(self.too_many(wait)),
        }
    }

    /// A place, if one is free.
    pub(super) fn try_enter(&self) -> Option<Place> {
        let place = self.gate.try_enter();
        self.note();
        place
    }

    /// Begins to wait, be it for a place of the plugin's or of the laboratory's.
    ///
    /// # Errors
    /// `laboratory.busy` when too many wait already.
    pub(super) fn begin_to_wait(&self) -> Result<Waiting<'_>, Refusal> {
        let before = self.waiting.fetch_add(1, Ordering::Relaxed);
        let waiting = Waiting(&self.waiting);
        if before >= self.queue_max.load(Ordering::Relaxed) {
            return Err(self.busy(QUEUE, &self.queue));
        }
        self.queue.observe(before + 1);
        Ok(waiting)
    }

    /// Waits for a place until `deadline`.
    ///
    /// # Errors
    /// `laboratory.busy` when none became free.
    pub(super) async fn enter(&self, deadline: Instant) -> Result<Place, Refusal> {
        match self.gate.queue(deadline).await {
            Ok(place) => {
                self.note();
                Ok(place)
            }
            Err(NoPlace::QueueFull | NoPlace::TooLate | NoPlace::Closed) => Err(self.busy(CONCURRENCY, &self.concurrency)),
        }
    }

    /// The share in force.
    pub(crate) fn share(&self) -> Share {
        *self.share.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is in use of a part.
    pub(crate) fn in_use(&self, part: &str) -> PartUse {
        let (inside, _) = self.gate.usage();
        let (counted, current) = match part {
            CONCURRENCY => (&self.concurrency, Some(inside)),
            QUEUE => (&self.queue, Some(self.waiting.load(Ordering::Relaxed))),
            _ => (&self.begun, None),
        };
        let (peak, reached) = (counted.peak.load(Ordering::Relaxed), counted.reached.load(Ordering::Relaxed));
        PartUse { current, peak, reached }
    }

    fn note(&self) {
        self.concurrency.observe(self.gate.usage().0);
    }

    fn busy(&self, part: &str, counted: &Counted) -> Refusal {
        counted.reached.fetch_add(1, Ordering::Relaxed);
        let message = "The laboratory's plugins are answering as many requests together as they may. Try again in a moment.";
        Refusal::new(Kind::Busy, "laboratory.busy", message).with(json!({ "limit": part })).retry_after(1)
    }

    fn too_many(&self, wait: Duration) -> Refusal {
        self.begun.reached.fetch_add(1, Ordering::Relaxed);
        let seconds = u32::try_from(wait.as_nanos().div_ceil(1_000_000_000)).unwrap_or(u32::MAX);
        let message = "The laboratory's plugins were asked as often within a second as they may be. Try again in a moment.";
        Refusal::new(Kind::QuotaExceeded, "laboratory.too_many_requests", message)
            .with(json!({ "limit": RATE }))
            .retry_after(seconds)
    }
}

impl Counted {
    fn observe(&self, value: u64) {
        self.peak.fetch_max(value, Ordering::Relaxed);
    }
}

/// The gates of all laboratories.
#[derive(Debug)]
pub(crate) struct Laboratories {
    everybodys: Share,
    gates: Mutex<HashMap<TenantId, Arc<Laboratory>>>,
}

impl Laboratories {
    /// Where nothing is said of one, its share is `everybodys`.
    pub(crate) fn new(everybodys: Share) -> Self {
        Self { everybodys, gates: Mutex::default() }
    }

    /// The gate of a laboratory.
    pub(crate) fn of(&self, tenant: TenantId) -> Arc<Laboratory> {
        let mut gates = self.gates.lock().unwrap_or_else(PoisonError::into_inner);
        gates.entry(tenant).or_insert_with(|| Arc::new(Laboratory::new(self.everybodys))).clone()
    }

    /// Puts in force what the row of a laboratory says.
    pub(crate) fn obey(&self, tenant: TenantId, changes: &ShareChanges) {
        // What a row says was checked when it was written.
        if let Ok(share) = self.everybodys.merged(changes) {
            self.of(tenant).obey(share);
        }
    }

    /// Who says a part: `operator` where a laboratory has a share of its own, else `platform`.
    pub(crate) fn source(changes: &ShareChanges, part: &str) -> &'static str {
        if changes.get(part).is_some() { "operator" } else { "platform" }
    }
}

/// What a share is made of, with what is in use of it.
pub(crate) fn parts(laboratory: &Laboratory) -> impl Iterator<Item = (&'static mint_domain::share::Part, u64, PartUse)> {
    let share = laboratory.share();
    PARTS.iter().map(move |part| (part, share.get(part.name).unwrap_or(part.default), laboratory.in_use(part.name)))
}
