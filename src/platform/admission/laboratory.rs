//! What all plugins of a laboratory together take of the server: one laboratory's flood leaves room for the others.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use mint_domain::{
    Kind, Refusal, TenantId,
    share::{PARTS, Share, ShareChanges},
};
use serde_json::json;
use tokio::{
    sync::oneshot,
    time::{Instant, timeout_at},
};

use super::{
    division::{Division, kept},
    rate::Rate,
};

const CONCURRENCY: &str = "laboratory_concurrency_max";
const QUEUE: &str = "laboratory_queue_max";
const RATE: &str = "laboratory_requests_per_second_max";
const JOBS: &str = "laboratory_jobs_max";

/// The gate that the plugins of a laboratory have in common.
#[derive(Debug)]
pub struct Laboratory {
    division: Mutex<Division<InLine>>,
    rate: Rate,
    share: Mutex<Share>,
    per_second_max: AtomicU64,
    began: Instant,
    concurrency: Counted,
    queue: Counted,
    begun: Counted,
    jobs_here: AtomicU64,
    jobs: Counted,
}

/// One plugin of it.
#[derive(Debug)]
pub(super) struct Member {
    laboratory: Arc<Laboratory>,
    number: u64,
}

/// A place of the laboratory's; given back when dropped, to whoever comes next.
#[derive(Debug)]
pub(super) struct Seat(Arc<Member>);

/// The place of a job; given back when dropped.
#[derive(Debug)]
pub(crate) struct JobSeat(Arc<Laboratory>);

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

/// Who is told of a place, and whose plugin's it is.
type InLine = (oneshot::Sender<Seat>, Arc<Member>);

/// One that waits; no longer when dropped.
#[derive(Debug)]
pub(super) struct Waiting<'a>(&'a Member);

/// One that stands in line; no longer when dropped.
struct Turn<'a> {
    member: &'a Member,
    ticket: u64,
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.laboratory.division().leave(self.0.number);
        self.0.laboratory.call();
    }
}

impl Drop for JobSeat {
    fn drop(&mut self) {
        self.0.jobs_here.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.laboratory.division().end_to_wait(self.0.number);
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.member.laboratory.division().step_out(self.member.number, self.ticket);
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.laboratory.division().part(self.number);
    }
}

impl Member {
    /// Counts a request that wants to begin. The last of what may begin in a second is for plugins that have begun less than an
    /// equal part of it.
    pub(super) fn count(&self) -> Result<(), Refusal> {
        let laboratory = &*self.laboratory;
        let (per_second, now) = (laboratory.per_second_max.load(Ordering::Relaxed), Instant::now());
        let now_ns = u64::try_from(now.saturating_duration_since(laboratory.began).as_nanos()).unwrap_or(u64::MAX);
        let mut division = laboratory.division();
        let begun = match laboratory.rate.take(per_second, kept(per_second), now) {
            Err(_) if division.may_begin(self.number, per_second, now_ns) => laboratory.rate.take(per_second, 0, now),
            begun => begun,
        };
        match begun {
            Ok(begun) => {
                division.begun(self.number, now_ns);
                laboratory.begun.observe(begun);
                Ok(())
            }
            Err(wait) => Err(laboratory.too_many(wait)),
        }
    }

    /// A place, if the plugin may have one.
    pub(super) fn try_enter(self: &Arc<Self>) -> Option<Seat> {
        let mut division = self.laboratory.division();
        let may = division.enter(self.number);
        self.laboratory.note(&division);
        may.then(|| Seat(self.clone()))
    }

    /// Begins to wait, be it for a place of the plugin's or of the laboratory's.
    ///
    /// # Errors
    /// `laboratory.busy` when too many wait already.
    pub(super) fn begin_to_wait(&self) -> Result<Waiting<'_>, Refusal> {
        let mut division = self.laboratory.division();
        if !division.begin_to_wait(self.number) {
            return Err(self.laboratory.busy(QUEUE, &self.laboratory.queue));
        }
        self.laboratory.queue.observe(division.usage().1);
        Ok(Waiting(self))
    }

    /// Waits for a place until `deadline`.
    ///
    /// # Errors
    /// `laboratory.busy` when none became free.
    pub(super) async fn enter(self: &Arc<Self>, deadline: Instant) -> Result<Seat, Refusal> {
        let (sender, called) = oneshot::channel();
        let turn = Turn { member: self, ticket: self.laboratory.division().line_up(self.number, (sender, self.clone())) };
        self.laboratory.call();
        let called = timeout_at(deadline, called).await;
        drop(turn);
        match called {
            Ok(Ok(seat)) => Ok(seat),
            _ => Err(self.laboratory.busy(CONCURRENCY, &self.laboratory.concurrency)),
        }
    }
}

impl Laboratory {
    /// A gate with a share of the server.
    pub fn new(share: Share) -> Self {
        Self {
            division: Mutex::new(Division::new(share.laboratory_concurrency_max, share.laboratory_queue_max)),
            rate: Rate::new(),
            share: Mutex::new(share),
            per_second_max: AtomicU64::new(share.laboratory_requests_per_second_max),
            began: Instant::now(),
            concurrency: Counted::default(),
            queue: Counted::default(),
            begun: Counted::default(),
            jobs_here: AtomicU64::new(0),
            jobs: Counted::default(),
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
        self.division().resize(share.laboratory_concurrency_max, share.laboratory_queue_max);
        *before = share;
        drop(before);
        self.call();
    }

    /// One more plugin of it.
    pub(super) fn join(self: Arc<Self>) -> Arc<Member> {
        let number = self.division().join();
        Arc::new(Member { laboratory: self, number })
    }

    /// The share in force.
    pub(crate) fn share(&self) -> Share {
        *self.share.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for a job, if there is one.
    pub(crate) fn begin_job(self: &Arc<Self>) -> Option<JobSeat> {
        let most = self.share().laboratory_jobs_max;
        let more = |here: u64| (here < most).then_some(here + 1);
        let before = self.jobs_here.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).ok()?;
        self.jobs.observe(before + 1);
        Some(JobSeat(self.clone()))
    }

    /// Counts that a job had to wait for such a place.
    pub(crate) fn jobs_reached(&self) {
        self.jobs.reached.fetch_add(1, Ordering::Relaxed);
    }

    /// What is in use of a part.
    pub(crate) fn in_use(&self, part: &str) -> PartUse {
        let (inside, waiting) = self.division().usage();
        let (counted, current) = match part {
            CONCURRENCY => (&self.concurrency, Some(inside)),
            QUEUE => (&self.queue, Some(waiting)),
            JOBS => (&self.jobs, Some(self.jobs_here.load(Ordering::Relaxed))),
            _ => (&self.begun, None),
        };
        let (peak, reached) = (counted.peak.load(Ordering::Relaxed), counted.reached.load(Ordering::Relaxed));
        PartUse { current, peak, reached }
    }

    /// Never held while a [`Seat`] is dropped.
    fn division(&self) -> MutexGuard<'_, Division<InLine>> {
        self.division.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives free places to those who stand in line for them.
    fn call(&self) {
        loop {
            let mut division = self.division();
            let Some((_, (sender, member))) = division.call() else { return };
            self.note(&division);
            drop(division);
            // Who waits no longer gives it back.
            drop(sender.send(Seat(member)));
        }
    }

    fn note(&self, division: &Division<InLine>) {
        self.concurrency.observe(division.usage().0);
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
