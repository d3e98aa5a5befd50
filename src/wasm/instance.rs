//! Instances of one started installation: made, armed for a call, kept warm where the policy says so.

use std::{
    fmt,
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use mint_context::{Call, runtime::Fault};
use mint_domain::manifest::InstancePolicy;
use tokio::sync::{Notify, OwnedSemaphorePermit};
use wasmtime::{
    Store,
    component::{Instance as WasmInstance, InstancePre},
};

use crate::{
    bindings::exports::mint::plugin::{experiment_hooks, jobs, lifecycle, migrations},
    engine::Engine,
    fault,
    limits::Meter,
    routes::{Exported, Routes},
    store::{self, Plugin, State},
};

/// A warm instance is thrown away after so many calls: enough of them that a new one, which costs Python some hundred
/// calls until all its memory is its own, is nothing …
const CALLS_MAX: u32 = 10_000;
/// … or when it is found, looked at after so many, to hold half the handles that it may …
const CALLS_PER_LOOK: u32 = 1_000;
/// … or this long after it was made.
const AGE_MAX: Duration = Duration::from_secs(300);
/// Most warm instances of one installation that wait for a call.
const IDLE_MAX: usize = 16;

/// What a component offers, looked up once.
pub(crate) struct Exports {
    /// What answers requests.
    pub routes: Option<Exported>,
    /// `mint:plugin/lifecycle`.
    pub lifecycle: Option<lifecycle::GuestIndices>,
    /// `mint:plugin/experiment-hooks`.
    pub hooks: Option<experiment_hooks::GuestIndices>,
    /// `mint:plugin/migrations`.
    pub migrations: Option<migrations::GuestIndices>,
    /// `mint:plugin/jobs`.
    pub jobs: Option<jobs::GuestIndices>,
}

impl Exports {
    fn of(pre: &InstancePre<State>) -> wasmtime::Result<Self> {
        let names: Vec<String> =
            pre.component().component_type().exports(pre.engine()).map(|(name, _)| name.to_owned()).collect();
        let has = |interface: &str| names.iter().any(|name| name.split('@').next() == Some(interface));
        Ok(Self {
            routes: Exported::of(pre, has)?,
            lifecycle: has("mint:plugin/lifecycle").then(|| lifecycle::GuestIndices::new(pre)).transpose()?,
            hooks: has("mint:plugin/experiment-hooks").then(|| experiment_hooks::GuestIndices::new(pre)).transpose()?,
            migrations: has("mint:plugin/migrations").then(|| migrations::GuestIndices::new(pre)).transpose()?,
            jobs: has("mint:plugin/jobs").then(|| jobs::GuestIndices::new(pre)).transpose()?,
        })
    }
}

/// All instances of one started installation.
pub(crate) struct Instances {
    /// What they share.
    pub plugin: Arc<Plugin>,
    /// What the component offers.
    pub exports: Exports,
    engine: Engine,
    pre: InstancePre<State>,
    policy: InstancePolicy,
    idle: Mutex<Vec<Instance>>,
    /// Counts up when instances that are in use shall not be used again.
    era: AtomicU64,
    /// Calls that wait for a place.
    waiting: AtomicUsize,
    /// An instance became idle.
    returned: Notify,
    neighbours: Arc<Neighbours>,
}

/// One live instance and its place in the pool.
pub(crate) struct Instance {
    /// Its store.
    pub store: Store<State>,
    /// Its exports.
    pub inner: WasmInstance,
    /// What answers its requests, once it was looked up.
    pub routes: Option<Routes>,
    calls: u32,
    made_at: Instant,
    era: u64,
    _slot: OwnedSemaphorePermit,
}

impl Instance {
    /// Whether it would come to the end of its handles before its time.
    fn leaks_handles(&mut self) -> bool {
        if !self.calls.is_multiple_of(CALLS_PER_LOOK) {
            return false;
        }
        let table = &mut self.store.data_mut().table;
        table.iter_mut().count() > table.max_capacity() / 2
    }
}

/// A place for one call: a warm instance, or room for a new one.
pub(crate) enum Place {
    /// A warm one.
    Warm(Box<Instance>),
    /// Room for one.
    Room(OwnedSemaphorePermit),
}

impl Instances {
    /// The instances of `plugin`, none of them made yet.
    ///
    /// # Errors
    /// When an export has not the type that its name promises.
    pub(crate) fn new(
        engine: Engine,
        pre: InstancePre<State>,
        plugin: Arc<Plugin>,
        policy: InstancePolicy,
        neighbours: Arc<Neighbours>,
    ) -> wasmtime::Result<Arc<Self>> {
        let exports = Exports::of(&pre)?;
        let instances = Arc::new(Self {
            plugin,
            exports,
            engine,
            pre,
            policy,
            idle: Mutex::default(),
            era: AtomicU64::new(0),
            waiting: AtomicUsize::new(0),
            returned: Notify::new(),
            neighbours,
        });
        instances.neighbours.add(&instances);
        Ok(instances)
    }

    /// The engine that runs them.
    pub(crate) fn engine(&self) -> &Engine {
        &self.engine
    }

    /// A place for a call that waits for one until `deadline`.
    ///
    /// # Errors
    /// [`Fault::Full`] when the pool stays full.
    pub(crate) async fn place(&self, deadline: tokio::time::Instant) -> Result<Place, Fault> {
        match self.free_place() {
            Some(place) => Ok(place),
            // Boxed: few calls wait, and each would have room for it.
            None => Box::pin(self.wait_for_place(deadline)).await,
        }
    }

    async fn wait_for_place(&self, deadline: tokio::time::Instant) -> Result<Place, Fault> {
        self.neighbours.evict_one();
        // Counted first, looked again then: whoever leaves from now on knows that somebody waits.
        let _waiting = Waiting::new(self);
        let found = async {
            loop {
                if let Some(place) = self.free_place() {
                    return place;
                }
                tokio::select! {
                    () = self.returned.notified() => {}
                    permit = Arc::clone(self.engine.slots()).acquire_owned() => {
                        if let Ok(permit) = permit {
                            return Place::Room(permit);
                        }
                    }
                }
            }
        };
        tokio::time::timeout_at(deadline, found).await.map_err(|_| Fault::Full)
    }

    fn free_place(&self) -> Option<Place> {
        if let Some(instance) = self.take_idle() {
            return Some(Place::Warm(Box::new(instance)));
        }
        Arc::clone(self.engine.slots()).try_acquire_owned().ok().map(Place::Room)
    }

    /// An instance in `place`, ready to serve `call`. Runs the guest's start code, so it must be measured.
    pub(crate) async fn enter(&self, place: Place, call: Arc<Call>, meter: &Arc<Meter>) -> Result<Instance, Fault> {
        let slot = match place {
            Place::Warm(mut instance) => {
                store::begin(&mut instance.store, call);
                return Ok(*instance);
            }
            Place::Room(slot) => slot,
        };
        let host = |error: wasmtime::Error| Fault::Host(format!("{error:#}"));
        let mut store = store::new(&self.engine, &self.plugin, Arc::clone(&call), meter).map_err(host)?;
        store::begin(&mut store, call);
        let era = self.era.load(Ordering::Relaxed);
        match self.pre.instantiate_async(&mut store).await {
            Ok(inner) => Ok(Instance { store, inner, routes: None, calls: 0, made_at: Instant::now(), era, _slot: slot }),
            Err(error) => Err(fault::of(&error, &store.data().memory)),
        }
    }

    /// Keeps an instance whose call ended well, or drops it.
    pub(crate) fn leave(&self, mut instance: Instance) {
        instance.store.data().console.end();
        instance.store.data_mut().sessions.end();
        instance.calls += 1;
        if self.policy == InstancePolicy::Request || !self.is_fresh(&instance) || instance.leaks_handles() {
            return;
        }
        let wanted_here = self.waiting.load(Ordering::SeqCst) > 0;
        if !wanted_here && self.neighbours.waiting.load(Ordering::SeqCst) > 0 {
            return;
        }
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < IDLE_MAX {
            idle.push(instance);
            drop(idle);
            self.returned.notify_one();
        }
    }

    /// Uses none of the instances again that exist now.
    pub(crate) fn renew(&self) {
        self.era.fetch_add(1, Ordering::Relaxed);
        let stale = std::mem::take(&mut *self.idle.lock().unwrap_or_else(PoisonError::into_inner));
        drop(stale);
    }

    /// Warm instances that wait for a call.
    pub(crate) fn idle(&self) -> usize {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    fn is_fresh(&self, instance: &Instance) -> bool {
        instance.calls < CALLS_MAX && instance.made_at.elapsed() < AGE_MAX && instance.era == self.era.load(Ordering::Relaxed)
    }

    fn take_idle(&self) -> Option<Instance> {
        if self.policy == InstancePolicy::Request {
            return None;
        }
        loop {
            let instance = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop()?;
            if self.is_fresh(&instance) {
                return Some(instance);
            }
        }
    }

    fn drop_stale(&self) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let (fresh, stale) = std::mem::take(&mut *idle).into_iter().partition(|instance| self.is_fresh(instance));
        *idle = fresh;
        drop(idle);
        let _: Vec<Instance> = stale;
    }
}

impl fmt::Debug for Instances {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Instances").field("policy", &self.policy).field("idle", &self.idle()).finish_non_exhaustive()
    }
}

/// All started installations: who has no slot may take that of a warm instance that nobody uses.
#[derive(Debug, Default)]
pub(crate) struct Neighbours {
    all: Mutex<Vec<Weak<Instances>>>,
    /// Calls of all of them that wait for a place.
    waiting: AtomicUsize,
}

/// A call that waits for a place.
struct Waiting<'a>(&'a Instances);

impl<'a> Waiting<'a> {
    fn new(instances: &'a Instances) -> Self {
        instances.waiting.fetch_add(1, Ordering::SeqCst);
        instances.neighbours.waiting.fetch_add(1, Ordering::SeqCst);
        Self(instances)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::SeqCst);
        self.0.neighbours.waiting.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Neighbours {
    fn add(&self, instances: &Arc<Instances>) {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|other| other.strong_count() > 0);
        all.push(Arc::downgrade(instances));
    }

    fn living(&self) -> Vec<Arc<Instances>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner).iter().filter_map(Weak::upgrade).collect()
    }

    /// Drops one warm instance of the installation that has most of them.
    fn evict_one(&self) {
        let Some(richest) = self.living().into_iter().max_by_key(|instances| instances.idle()) else { return };
        let oldest = {
            let mut idle = richest.idle.lock().unwrap_or_else(PoisonError::into_inner);
            if idle.is_empty() { None } else { Some(idle.remove(0)) }
        };
        drop(oldest);
    }

    /// Drops what has been warm for too long.
    pub(crate) fn drop_stale(&self) {
        for instances in self.living() {
            instances.drop_stale();
        }
    }
}
