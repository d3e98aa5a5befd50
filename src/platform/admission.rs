//! Who may be served now: so many in a second, so many at once, so many waiting, the rest is told to come back.

mod division;
mod gate;
mod laboratory;
mod rate;

use std::{
    pin::pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use mint_context::meters::Meters;
use mint_domain::{Kind, Limits, Refusal, limit::Limit};
use serde_json::json;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::sync::CancellationToken;

pub use self::laboratory::Laboratory;
pub(crate) use self::laboratory::{JobSeat, Laboratories, PartUse, parts};
use self::{
    gate::{Gate, NoPlace, Place},
    laboratory::{Member, Seat},
    rate::Rate,
};

/// How long whoever was told to end may take for it.
const GOODBYE: Duration = Duration::from_secs(3);

/// The gate of one installation.
#[derive(Debug)]
pub struct Admission {
    gate: Gate,
    rate: Rate,
    per_second_max: AtomicU64,
    refused: AtomicU64,
    meters: Arc<Meters>,
    member: Arc<Member>,
    resizing: Mutex<()>,
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
    _place: Place,
    _of_laboratory: Option<Seat>,
}

impl Admission {
    /// A gate with the limits of an installation, within the share of its laboratory.
    pub fn new(limits: &Limits, meters: Arc<Meters>, laboratory: Arc<Laboratory>) -> Self {
        Self {
            gate: Gate::new(limits.concurrency_max, limits.queue_max),
            rate: Rate::new(),
            per_second_max: AtomicU64::new(limits.requests_per_second_max),
            refused: AtomicU64::new(0),
            meters,
            member: laboratory.join(),
            resizing: Mutex::default(),
            leaving: CancellationToken::new(),
            streams_over: CancellationToken::new(),
            over: CancellationToken::new(),
        }
    }

    /// Other limits from now on. Whoever is inside stays.
    pub fn obey(&self, limits: &Limits) {
        let _one_at_a_time = self.resizing.lock().unwrap_or_else(PoisonError::into_inner);
        if self.per_second_max.swap(limits.requests_per_second_max, Ordering::Relaxed) != limits.requests_per_second_max {
            self.rate.forget();
        }
        self.gate.resize(limits.concurrency_max, limits.queue_max);
    }

    /// Counts a request that wants to begin.
    ///
    /// # Errors
    /// `plugin.too_many_requests`, or `laboratory.too_many_requests`, with the time after which it may come back.
    pub fn count(&self) -> Result<(), Refusal> {
        match self.rate.take(self.per_second_max.load(Ordering::Relaxed), 0, Instant::now()) {
            Ok(begun) => {
                self.meters.observe(Limit::requests_per_second_max, begun);
                self.member.count().inspect_err(|_| self.refuse())
            }
            Err(wait) => Err(self.too_many(wait)),
        }
    }

    /// Waits for a place until `deadline`. None when the gate is closed for good: another one stands in its place, or none.
    ///
    /// # Errors
    /// `plugin.busy`, or `laboratory.busy`, at once when too many wait already, or when the deadline comes first.
    pub async fn enter(&self, deadline: Instant) -> Result<Option<Admitted>, Refusal> {
        let place = self.gate.try_enter();
        if place.is_some()
            && let Some(of_laboratory) = self.member.try_enter()
        {
            self.note();
            return Ok(place.map(|place| Admitted { _place: place, _of_laboratory: Some(of_laboratory) }));
        }
        Box::pin(self.wait(place, deadline)).await
    }

    /// Waits for a place for what is part of a request that has its laboratory's already.
    ///
    /// # Errors
    /// As [`enter`](Self::enter).
    pub async fn enter_within(&self, deadline: Instant) -> Result<Option<Admitted>, Refusal> {
        let place = match self.gate.try_enter() {
            Some(place) => Some(place),
            None => Box::pin(self.queue(deadline)).await?,
        };
        self.note();
        Ok(place.map(|place| Admitted { _place: place, _of_laboratory: None }))
    }

    /// The plugin's own place comes first: who waits for that must not keep the laboratory's other plugins from answering.
    async fn wait(&self, place: Option<Place>, deadline: Instant) -> Result<Option<Admitted>, Refusal> {
        let _waiting = self.member.begin_to_wait().inspect_err(|_| self.refuse())?;
        let place = match place {
            Some(place) => place,
            None => match self.queue(deadline).await? {
                Some(place) => place,
                None => return Ok(None),
            },
        };
        let of_laboratory = tokio::select! {
            biased;
            of_laboratory = self.member.enter(deadline) => of_laboratory.inspect_err(|_| self.refuse())?,
            () = self.over.cancelled() => return Ok(None),
        };
        self.note();
        Ok(Some(Admitted { _place: place, _of_laboratory: Some(of_laboratory) }))
    }

    async fn queue(&self, deadline: Instant) -> Result<Option<Place>, Refusal> {
        match self.gate.queue(deadline).await {
            Ok(place) => Ok(Some(place)),
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
        let mut left = pin!(self.gate.empty());
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
        self.gate.close();
        was_in_time
    }

    fn note(&self) -> (u64, u64) {
        let (inside, waiting) = self.gate.usage();
        self.meters.set(Limit::concurrency_max, inside);
        self.meters.set(Limit::queue_max, waiting);
        (inside, waiting)
    }

    fn refuse(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
        self.note();
    }

    fn busy(&self, limit: Limit) -> Refusal {
        self.refuse();
        let message = "The plugin is answering as many requests as it may. Try again in a moment.";
        Refusal::new(Kind::Busy, "plugin.busy", message).with(json!({ "limit": limit.name() })).retry_after(1)
    }

    fn too_many(&self, wait: Duration) -> Refusal {
        self.refuse();
        let seconds = u32::try_from(wait.as_nanos().div_ceil(1_000_000_000)).unwrap_or(u32::MAX);
        let message = "The plugin was asked as often within a second as it may be. Try again in a moment.";
        Refusal::new(Kind::QuotaExceeded, "plugin.too_many_requests", message)
            .with(json!({ "limit": Limit::requests_per_second_max.name() }))
            .retry_after(seconds)
    }
}

#[cfg(test)]
mod tests {
    use mint_domain::{Share, share::ShareChanges};
    use tokio::task::JoinSet;

    use super::*;

    fn gate(limits: &Limits) -> Admission {
        Admission::new(limits, Arc::default(), Arc::new(Laboratory::new(Share::default())))
    }

    const PATIENCE: Patience = Patience { streams: Duration::from_secs(5), all: Duration::from_secs(5) };

    #[tokio::test(start_paused = true)]
    async fn so_many_at_once_so_many_waiting_the_rest_refused() {
        let limits = Limits { concurrency_max: 1, queue_max: 1, ..Limits::default() };
        let gate = Arc::new(gate(&limits));
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
        let gate = Arc::new(gate(&limits));
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
    async fn so_many_in_a_second_under_the_limits_of_the_moment() {
        let limits = Limits { requests_per_second_max: 2, ..Limits::default() };
        let gate = gate(&limits);
        assert!(gate.count().is_ok() && gate.count().is_ok());
        let refusal = gate.count().unwrap_err();
        assert_eq!((refusal.code, refusal.retry_after_s), ("plugin.too_many_requests", Some(1)));
        assert_eq!(refusal.details["limit"], "requests_per_second_max");
        gate.obey(&Limits { requests_per_second_max: 1_000, ..limits });
        assert!(gate.count().is_ok());
        assert_eq!(gate.meters.read(Limit::requests_per_second_max).reached, 0, "whoever writes it down counts it");
    }

    #[tokio::test(start_paused = true)]
    async fn streams_are_told_before_everybody_is() {
        let gate = Arc::new(gate(&Limits::default()));
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

    #[tokio::test(start_paused = true)]
    async fn a_laboratory_has_its_share_whatever_its_plugins_may() {
        let share = Share::default();
        let small = ShareChanges {
            laboratory_concurrency_max: Some(2),
            laboratory_queue_max: Some(1),
            laboratory_requests_per_second_max: Some(3),
            laboratory_jobs_max: Some(1),
        };
        let laboratory = Arc::new(Laboratory::new(share.merged(&small).unwrap()));
        let plugin = || Admission::new(&Limits::default(), Arc::default(), laboratory.clone());
        let (one, two) = (plugin(), plugin());
        let deadline = Instant::now() + Duration::from_secs(1);
        let inside = [one.enter(deadline).await.unwrap().unwrap(), two.enter(deadline).await.unwrap().unwrap()];
        let (third, fourth) = tokio::join!(one.enter(deadline), two.enter(deadline));
        let refusals = [third.unwrap_err(), fourth.unwrap_err()];
        for limit in ["laboratory_concurrency_max", "laboratory_queue_max"] {
            let refusal = refusals.iter().find(|refusal| refusal.details["limit"] == limit).unwrap();
            assert_eq!((refusal.code, refusal.retry_after_s), ("laboratory.busy", Some(1)));
            let used = laboratory.in_use(limit);
            assert_eq!((used.reached, used.current.unwrap() <= used.peak), (1, true), "{used:?}");
        }
        assert_eq!((one.usage().0, one.usage().1, two.usage().0), (1, 0, 1), "who was sent away has no place");
        let deadline = Instant::now() + Duration::from_secs(1);
        assert!(one.enter_within(deadline).await.unwrap().is_some(), "a hook of a request that has its place");
        drop(inside);
        assert!(one.enter(deadline).await.unwrap().is_some());

        for plugin in [&one, &two, &one] {
            plugin.count().unwrap();
        }
        let refusal = two.count().unwrap_err();
        assert_eq!((refusal.code, refusal.retry_after_s), ("laboratory.too_many_requests", Some(1)));
        let job = laboratory.begin_job().unwrap();
        assert!(laboratory.begin_job().is_none());
        drop(job);
        assert_eq!(
            (laboratory.in_use("laboratory_jobs_max").current, laboratory.in_use("laboratory_jobs_max").peak),
            (Some(0), 1)
        );
        laboratory.obey(share);
        assert!(two.count().is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_laboratorys_plugins_divide_its_share() {
        let parts = ["laboratory_concurrency_max", "laboratory_queue_max", "laboratory_requests_per_second_max"];
        let mut small = ShareChanges::default();
        assert!(parts.iter().all(|part| small.set(part, Some(16))));
        let laboratory = Arc::new(Laboratory::new(Share::default().merged(&small).unwrap()));
        let plugin = || Arc::new(Admission::new(&Limits::default(), Arc::default(), laboratory.clone()));
        let (flooded, quiet, other) = (plugin(), plugin(), plugin());
        let soon = || Instant::now() + Duration::from_secs(1);
        let mut inside = Vec::new();
        for _ in 0..14 {
            flooded.count().unwrap();
            inside.push(flooded.enter(soon()).await.unwrap().unwrap());
        }
        let refusal = flooded.count().unwrap_err();
        assert_eq!((refusal.code, refusal.retry_after_s), ("laboratory.too_many_requests", Some(1)));
        assert_eq!(flooded.enter(soon()).await.unwrap_err().details["limit"], parts[0], "the rest is for the others");
        quiet.count().unwrap();
        drop(quiet.enter(soon()).await.unwrap().unwrap());

        // Who waits does not fill the queue either; and who has the fewest comes first, however late.
        let order = Arc::new(Mutex::new(Vec::new()));
        let deadline = Instant::now() + Duration::from_secs(60);
        let held = [quiet.enter(deadline).await.unwrap(), other.enter(deadline).await.unwrap()];
        let wait = |plugin: &Arc<Admission>, name: &'static str| {
            let (plugin, order) = (plugin.clone(), order.clone());
            async move {
                let admitted = plugin.enter(deadline).await?;
                order.lock().unwrap().push(name);
                Ok::<_, Refusal>(admitted)
            }
        };
        let mut others: JoinSet<_> = (0..15).map(|_| wait(&flooded, "flooded")).collect();
        let mut late = JoinSet::from_iter([wait(&quiet, "quiet")]);
        tokio::time::sleep(Duration::from_millis(1)).await;
        assert_eq!(laboratory.in_use(parts[1]).current, Some(15));
        inside.truncate(11);
        let late = late.join_next().await.unwrap().unwrap().unwrap();
        drop((inside, late));
        let mut refused = 0;
        while let Some(other) = others.join_next().await {
            refused += u32::from(other.unwrap().is_err_and(|refusal| refusal.details["limit"] == parts[1]));
        }
        assert_eq!((refused, order.lock().unwrap().first()), (1, Some(&"quiet")));
        drop(held);
        assert_eq!((laboratory.in_use(parts[0]).current, laboratory.in_use(parts[1]).current), (Some(0), Some(0)));
    }
}
