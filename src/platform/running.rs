//! What runs right now in this process.

use std::{
    collections::{HashMap, HashSet, hash_map::Entry},
    fmt,
    sync::{
        Arc, Mutex, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
};

use http::HeaderValue;
use mint_context::{
    PluginAuthority,
    logs::PluginLog,
    meters::Meters,
    runtime::{Blame, Generation},
};
use mint_domain::{Digest, ExperimentId, InstallationId, Mode, Prefix, Slug, TenantId, Unsealed};
use serde_json::{Value, json};
use time::OffsetDateTime;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::{admission::Admission, health::Watch, routes::Routes};

/// A started installation with everything that a request to it needs.
#[derive(Debug)]
pub struct Active {
    /// What it may do, and for whom.
    pub authority: Arc<PluginAuthority>,
    /// Digest of its release.
    pub release: Digest,
    /// Where its routes stand.
    pub prefix: Prefix,
    /// The public path of the prefix, as plugins are told of it.
    pub forwarded_prefix: HeaderValue,
    /// Which start it is.
    pub generation: i64,
    /// Where it runs.
    pub mode: Mode,
    /// The loaded component or the supervised process.
    pub plugin: Arc<dyn Generation>,
    /// Its gate.
    pub admission: Admission,
    /// Its lines.
    pub log: Arc<PluginLog>,
    /// What it did.
    pub usage: Usage,
    /// What it said of its health.
    pub watch: Watch,
    /// The settings that it has.
    pub(crate) given: Given,
    /// How a plugin came here that is not installed: its developer runs it.
    pub developed: Option<Developed>,
}

/// The settings that a start has: those in force, and the revision of the row that they were last compared with.
#[derive(Debug)]
pub(crate) struct Given(Mutex<(Unsealed, i64)>);

impl Given {
    pub(crate) fn new(settings: Unsealed, revision: i64) -> Self {
        Self(Mutex::new((settings, revision)))
    }

    /// Notes what the plugin has taken.
    pub(crate) fn took(&self, settings: Unsealed) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).0 = settings;
    }

    /// Whether it has these.
    pub(crate) fn are(&self, settings: &Unsealed) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).0 == *settings
    }

    /// Whether the row has changed to other settings than these since it was last asked.
    pub(crate) fn differ(&self, settings: &Unsealed, revision: i64) -> bool {
        let mut given = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_new = std::mem::replace(&mut given.1, revision) != revision;
        is_new && given.0 != *settings
    }
}

/// How a plugin that is not installed came here.
#[derive(Clone, Debug)]
pub struct Developed {
    /// In a sentence.
    pub by: String,
    /// Since when.
    pub since: OffsetDateTime,
}

/// Counters of one start.
#[derive(Debug, Default)]
pub struct Usage {
    requests: AtomicU64,
    plugin_faults: AtomicU64,
    host_faults: AtomicU64,
    client_faults: AtomicU64,
}

/// Everything that runs in this process, and where its routes stand.
#[derive(Default)]
pub struct Running {
    routes: Routes<Arc<Active>>,
    by_installation: RwLock<HashMap<InstallationId, Arc<Active>>>,
    saving: Mutex<HashSet<(TenantId, ExperimentId)>>,
    leaving: Mutex<Vec<Arc<Active>>>,
    starting: watch::Sender<HashMap<InstallationId, CancellationToken>>,
    meters: Mutex<HashMap<InstallationId, Arc<Meters>>>,
}

/// Held while a design is being saved. One at a time for each experiment, so that a hook cannot save what it is asked
/// about, and two plugins' hooks cannot ask each other for ever.
#[derive(Debug)]
pub struct Saving<'a> {
    running: &'a Running,
    experiment: (TenantId, ExperimentId),
}

/// Held while a start that was replaced finishes what it began.
#[derive(Debug)]
pub(crate) struct Leaving {
    running: Arc<Running>,
    active: Arc<Active>,
}

/// Held while an installation is being started here because its row wants it.
#[derive(Debug)]
pub(crate) struct Starting {
    running: Arc<Running>,
    installation: InstallationId,
    /// Cancelled when nobody wants the start any more.
    pub(crate) unwanted: CancellationToken,
}

impl Drop for Starting {
    fn drop(&mut self) {
        self.running.starting.send_modify(|starting| drop(starting.remove(&self.installation)));
    }
}

impl Drop for Leaving {
    fn drop(&mut self) {
        let mut leaving = self.running.leaving.lock().unwrap_or_else(PoisonError::into_inner);
        leaving.retain(|other| !Arc::ptr_eq(other, &self.active));
    }
}

impl Running {
    /// What answers a path of a tenant.
    pub fn find(&self, tenant: TenantId, path: &str) -> Option<Arc<Active>> {
        self.routes.find(tenant, path)
    }

    /// What runs of an installation.
    pub fn get(&self, installation: InstallationId) -> Option<Arc<Active>> {
        self.by_installation.read().unwrap_or_else(PoisonError::into_inner).get(&installation).cloned()
    }

    /// Everything.
    pub fn all(&self) -> Vec<Arc<Active>> {
        self.by_installation.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// What answers here, or has yet to finish what it began before it was replaced.
    pub fn answering(&self) -> Vec<Arc<Active>> {
        let mut all = self.all();
        all.extend(self.leaving.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned());
        all
    }

    /// Marks that an installation is being started; after the end of an earlier start, if one goes on.
    pub(crate) async fn begin_starting(self: &Arc<Self>, installation: InstallationId) -> Starting {
        let unwanted = CancellationToken::new();
        let mut changes = self.starting.subscribe();
        loop {
            let is_first = self.starting.send_if_modified(|starting| match starting.entry(installation) {
                Entry::Occupied(_) => false,
                Entry::Vacant(place) => {
                    place.insert(unwanted.clone());
                    true
                }
            });
            if is_first {
                return Starting { running: self.clone(), installation, unwanted };
            }
            let _never_closed = changes.wait_for(|starting| !starting.contains_key(&installation)).await;
        }
    }

    /// Says that the start of an installation that goes on is not wanted, and waits for its end.
    pub(crate) async fn no_start(&self, installation: InstallationId) {
        let mut changes = self.starting.subscribe();
        if let Some(unwanted) = self.starting.borrow().get(&installation) {
            unwanted.cancel();
        }
        let _never_closed = changes.wait_for(|starting| !starting.contains_key(&installation)).await;
    }

    /// What is being started.
    pub(crate) fn starting(&self) -> Vec<InstallationId> {
        self.starting.borrow().keys().copied().collect()
    }

    /// The meters of an installation, which outlive its starts.
    pub(crate) fn meters(&self, installation: InstallationId) -> Arc<Meters> {
        self.meters.lock().unwrap_or_else(PoisonError::into_inner).entry(installation).or_default().clone()
    }

    /// Forgets what installations used up that are gone.
    pub(crate) fn keep_meters(&self, known: impl Fn(InstallationId) -> bool) {
        let running = self.by_installation.read().unwrap_or_else(PoisonError::into_inner);
        let mut meters = self.meters.lock().unwrap_or_else(PoisonError::into_inner);
        meters.retain(|id, _| known(*id) || running.contains_key(id));
    }

    /// Marks that a start has something to finish.
    pub(crate) fn leave(self: &Arc<Self>, active: &Arc<Active>) -> Leaving {
        self.leaving.lock().unwrap_or_else(PoisonError::into_inner).push(active.clone());
        Leaving { running: self.clone(), active: active.clone() }
    }

    /// What runs for a tenant, by slug.
    pub fn of_tenant(&self, tenant: TenantId) -> Vec<Arc<Active>> {
        let mut found: Vec<_> = self.all().into_iter().filter(|active| active.authority.tenant == tenant).collect();
        found.sort_by(|a, b| a.authority.slug().cmp(b.authority.slug()));
        found
    }

    /// What a developer runs for a tenant under a slug or a prefix, if something.
    pub fn developed(&self, tenant: TenantId, slug: &str, prefix: Option<&Prefix>) -> Option<Arc<Active>> {
        let claims = |active: &Arc<Active>| active.slug().as_str() == slug || Some(&active.prefix) == prefix;
        self.of_tenant(tenant).into_iter().find(|active| active.developed.is_some() && claims(active))
    }

    /// Puts `active` in the place of an earlier start. Gives what is to be drained and stopped: the earlier one, or `active`
    /// itself where a later one answers.
    pub fn switch(&self, active: &Arc<Active>) -> Option<Arc<Active>> {
        let authority = &active.authority;
        let mut map = self.by_installation.write().unwrap_or_else(PoisonError::into_inner);
        if map.get(&authority.installation).is_some_and(|other| other.generation > active.generation) {
            return Some(active.clone());
        }
        let old = map.insert(authority.installation, active.clone());
        self.routes.mount(authority.tenant, authority.installation, &active.prefix.public(), active);
        old
    }

    /// Takes an installation away, if its start is still `generation` (any, where none is given).
    pub fn remove(&self, tenant: TenantId, installation: InstallationId, generation: Option<i64>) -> Option<Arc<Active>> {
        let mut map = self.by_installation.write().unwrap_or_else(PoisonError::into_inner);
        if generation.is_some_and(|generation| map.get(&installation).is_none_or(|active| active.generation != generation)) {
            return None;
        }
        self.routes.unmount(tenant, installation);
        map.remove(&installation)
    }

    /// Marks that a design of an experiment is being saved; none when one is already.
    pub fn begin_saving(&self, tenant: TenantId, experiment: ExperimentId) -> Option<Saving<'_>> {
        let experiment = (tenant, experiment);
        let fresh = self.saving.lock().unwrap_or_else(PoisonError::into_inner).insert(experiment);
        fresh.then_some(Saving { running: self, experiment })
    }
}

impl Drop for Saving<'_> {
    fn drop(&mut self) {
        self.running.saving.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.experiment);
    }
}

impl Active {
    /// The plugin's slug.
    pub fn slug(&self) -> &Slug {
        self.authority.slug()
    }
}

impl Usage {
    /// Counts a request.
    pub fn request(&self) {
        self.requests.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a fault.
    pub fn fault(&self, blame: Blame) {
        let counter = match blame {
            Blame::Plugin => &self.plugin_faults,
            Blame::Host => &self.host_faults,
            Blame::Client => &self.client_faults,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// Requests.
    pub fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// Faults, by who has to do something about them.
    pub fn faults(&self) -> [(&'static str, u64); 3] {
        let counters = [("plugin", &self.plugin_faults), ("host", &self.host_faults), ("client", &self.client_faults)];
        counters.map(|(blame, counter)| (blame, counter.load(Ordering::Relaxed)))
    }

    /// The counters as an administrator sees them.
    pub fn as_json(&self, admission: &Admission) -> Value {
        let (active, waiting, refused) = admission.usage();
        json!({
            "requests": self.requests.load(Ordering::Relaxed),
            "plugin_faults": self.plugin_faults.load(Ordering::Relaxed),
            "host_faults": self.host_faults.load(Ordering::Relaxed),
            "client_faults": self.client_faults.load(Ordering::Relaxed),
            "in_progress": active,
            "waiting": waiting,
            "refused": refused,
        })
    }
}

impl fmt::Debug for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.all().iter().map(|active| active.slug().to_string())).finish()
    }
}
