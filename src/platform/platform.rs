//! The platform: what every use case works with.

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use mint_context::{
    Result, Services,
    runtime::{Release, Runtime},
};
use mint_domain::{
    Digest, InstallationId, OperationId, RequestId, Share, lifecycle::Failure, migration::Migration, mode::Mode,
    plan::PlatformPython,
};
use mint_store::{
    installations::{self, Installation},
    releases,
};
use moka::sync::Cache;
use rand::Rng as _;
use tokio::{sync::Semaphore, task::JoinHandle};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    Caller,
    admission::Laboratories,
    attempts::Attempts,
    developments::Developments,
    frontends::{Origins, PublicAddress, TenantHosts, Visits},
    health::{CHECKS_AT_ONCE, HealthOptions},
    layout::Layout,
    operation::{Here, Moment, not_installed},
    people::{CredentialPolicy, external::Providers},
    reconcile::FailedHere,
    replicas::Presence,
    running::{Active, Running},
    sign_in::Identity,
    snapshots::Policy,
    tenants::Exports,
};

/// A revoked credential stops working within this time on every replica.
const IDENTITY_TTL: Duration = Duration::from_secs(1);
/// Credentials remembered for that long.
const IDENTITIES_MAX: u64 = 10_000;
/// Releases whose migrations are remembered.
const RELEASES_MAX: u64 = 10_000;
/// How long what was begun may take when the platform ends.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a plugin may take to end.
pub(crate) const STOP_GRACE: Duration = Duration::from_secs(10);

/// What the composition root gives to the platform.
#[derive(Debug)]
pub struct Options {
    /// What every call works with.
    pub services: Arc<Services>,
    /// What runs; the same value as [`Services::followers`].
    pub running: Arc<Running>,
    /// One way to run plugins for each mode.
    pub runtimes: BTreeMap<&'static str, Arc<dyn Runtime>>,
    /// Where things stand on disk.
    pub layout: Layout,
    /// Plugins that an administrator forces into a mode, by slug.
    pub forced: BTreeMap<String, Mode>,
    /// What there is for Python plugins.
    pub python: PlatformPython,
    /// Where front-ends stand.
    pub origins: Origins,
    /// Where laboratories have hosts of their own.
    pub tenant_hosts: TenantHosts,
    /// By which addresses browsers come.
    pub public_address: PublicAddress,
    /// Other servers at which people may sign in.
    pub providers: Providers,
    /// How long a new release answers before the old one is let go.
    pub trial: Duration,
    /// How long what answers may go on with what it has begun, when it makes way.
    pub drain: Duration,
    /// Which snapshots of an installation are kept.
    pub snapshots: Policy,
    /// What stands in the cache goes when nothing has used it for that long.
    pub unused_for: Duration,
    /// Where a server that is under test kills itself; without effect in a release build.
    pub abort_at: Option<Moment>,
    /// What all plugins of a laboratory together may take, where nothing is said of one.
    pub share: Share,
    /// How often plugins are asked how they are.
    pub health: HealthOptions,
    /// How long credentials last.
    pub credentials: CredentialPolicy,
    /// Whether developers may have their own servers answer here.
    pub development: bool,
    /// Names this process in leases. The same after a restart on the same data, so that it takes up its own work at once.
    pub process_id: String,
    /// Where this process listens, for the operator who looks at all replicas.
    pub address: SocketAddr,
    /// How long an operation belongs to a process that does not say otherwise.
    pub lease: Duration,
    /// Most jobs that are done here at once, of all plugins together.
    pub jobs_max: usize,
}

/// The platform.
pub struct Platform {
    services: Arc<Services>,
    running: Arc<Running>,
    shared: Arc<dyn Runtime>,
    isolated: Arc<dyn Runtime>,
    layout: Layout,
    forced: BTreeMap<String, Mode>,
    python: Arc<PlatformPython>,
    origins: Origins,
    tenant_hosts: TenantHosts,
    public_address: PublicAddress,
    providers: Providers,
    exports: Exports,
    trial: Duration,
    drain: Duration,
    snapshots: Policy,
    unused_for: Duration,
    abort_at: Mutex<Option<Moment>>,
    credentials: CredentialPolicy,
    attempts: Attempts,
    health: HealthOptions,
    health_places: Semaphore,
    process_id: String,
    presence: Presence,
    lease: Duration,
    jobs_max: usize,
    development: Developments,
    laboratories: Laboratories,
    operations: Mutex<HashMap<OperationId, Here>>,
    let_go_of: Mutex<HashMap<OperationId, String>>,
    failed_here: Mutex<HashMap<InstallationId, FailedHere>>,
    identities: Cache<String, Identity>,
    declared_migrations: Cache<Digest, Arc<Vec<Migration>>>,
    visits: Visits,
    front_ends: tokio::sync::Mutex<()>,
    terms: tokio::sync::Mutex<()>,
    tasks: TaskTracker,
    stopping: CancellationToken,
}

impl Platform {
    /// Puts the platform together. Nothing runs yet; [`Platform::reconcile`](Self::reconcile) starts what should.
    ///
    /// # Errors
    /// A mode without a runtime.
    pub fn new(mut options: Options) -> Result<Arc<Self>, MissingRuntime> {
        let services = options.services;
        let mut runtime = |mode: Mode| options.runtimes.remove(mode.as_str()).ok_or(MissingRuntime(mode));
        Ok(Arc::new(Self {
            shared: runtime(Mode::Shared)?,
            isolated: runtime(Mode::Isolated)?,
            running: options.running,
            layout: options.layout,
            forced: options.forced,
            python: Arc::new(options.python),
            origins: options.origins,
            tenant_hosts: options.tenant_hosts,
            public_address: options.public_address,
            providers: options.providers,
            exports: Exports::default(),
            trial: options.trial,
            drain: options.drain,
            snapshots: options.snapshots,
            unused_for: options.unused_for,
            abort_at: Mutex::new(options.abort_at),
            credentials: options.credentials,
            attempts: Attempts::new(options.credentials.attempts_per_minute),
            health: options.health,
            health_places: Semaphore::new(CHECKS_AT_ONCE),
            presence: Presence::new(options.address, &*services.clock),
            services,
            process_id: options.process_id,
            lease: options.lease,
            jobs_max: options.jobs_max,
            development: Developments::new(options.development),
            laboratories: Laboratories::new(options.share),
            let_go_of: Mutex::default(),
            operations: Mutex::new(HashMap::new()),
            failed_here: Mutex::new(HashMap::new()),
            declared_migrations: Cache::new(RELEASES_MAX),
            identities: Cache::builder().max_capacity(IDENTITIES_MAX).time_to_live(IDENTITY_TTL).build(),
            visits: Visits::default(),
            front_ends: tokio::sync::Mutex::default(),
            terms: tokio::sync::Mutex::default(),
            tasks: TaskTracker::new(),
            stopping: CancellationToken::new(),
        }))
    }

    /// What every call works with.
    pub fn services(&self) -> &Arc<Services> {
        &self.services
    }

    /// The gates that the plugins of each laboratory have in common.
    pub(crate) fn laboratories(&self) -> &Laboratories {
        &self.laboratories
    }

    /// What runs.
    pub fn running(&self) -> &Arc<Running> {
        &self.running
    }

    /// Where things stand on disk.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The mode that the configuration forces a plugin into.
    pub(crate) fn forced(&self, slug: &str) -> Option<Mode> {
        self.forced.get(slug).copied()
    }

    /// What there is for Python plugins.
    pub(crate) fn python(&self) -> &Arc<PlatformPython> {
        &self.python
    }

    /// How long a new release answers before the old one is let go.
    pub(crate) fn trial(&self) -> Duration {
        self.trial
    }

    /// How long what makes way may go on with what it has begun.
    pub(crate) fn drain_time(&self) -> Duration {
        self.drain
    }

    pub(crate) fn snapshot_policy(&self) -> Policy {
        self.snapshots
    }

    pub(crate) fn unused_for(&self) -> Duration {
        self.unused_for
    }

    pub(crate) fn abort_at(&self) -> MutexGuard<'_, Option<Moment>> {
        self.abort_at.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How long credentials last.
    pub fn credentials(&self) -> &CredentialPolicy {
        &self.credentials
    }

    pub(crate) fn attempts(&self) -> &Attempts {
        &self.attempts
    }

    pub(crate) fn health_options(&self) -> HealthOptions {
        self.health
    }

    pub(crate) fn health_places(&self) -> &Semaphore {
        &self.health_places
    }

    /// Cancelled when the platform ends.
    pub fn stopping(&self) -> &CancellationToken {
        &self.stopping
    }

    pub(crate) fn identities(&self) -> &Cache<String, Identity> {
        &self.identities
    }

    /// Held by whoever puts another front-end in the place of one.
    pub(crate) fn front_ends(&self) -> &tokio::sync::Mutex<()> {
        &self.front_ends
    }

    /// What releases declare of their tables, by their digest.
    pub(crate) fn declared_migrations(&self) -> &Cache<Digest, Arc<Vec<Migration>>> {
        &self.declared_migrations
    }

    pub(crate) fn visits(&self) -> &Visits {
        &self.visits
    }

    /// Where front-ends stand.
    pub fn origins(&self) -> &Origins {
        &self.origins
    }

    /// Laboratories of which an export is under way.
    pub(crate) fn exports(&self) -> &Exports {
        &self.exports
    }

    /// Where laboratories have hosts of their own.
    pub fn tenant_hosts(&self) -> &TenantHosts {
        &self.tenant_hosts
    }

    /// By which addresses browsers come.
    pub(crate) fn public_address(&self) -> &PublicAddress {
        &self.public_address
    }

    /// Other servers at which people may sign in.
    pub(crate) fn providers(&self) -> &Providers {
        &self.providers
    }

    /// Operations that run in this process.
    pub(crate) fn operations_here(&self) -> MutexGuard<'_, HashMap<OperationId, Here>> {
        self.operations.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Why this process let go of operations that it will take up again, in words for people.
    pub(crate) fn let_go_of(&self) -> MutexGuard<'_, HashMap<OperationId, String>> {
        self.let_go_of.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Held while terms are read or written and until they are in force, so that what was read earlier never takes the place
    /// of what was written since. Taken before a transaction begins.
    pub(crate) async fn hold_terms(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.terms.lock().await
    }

    /// Starts that failed here, of plugins that run elsewhere.
    pub(crate) fn failed_here(&self) -> MutexGuard<'_, HashMap<InstallationId, FailedHere>> {
        self.failed_here.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn development(&self) -> &Developments {
        &self.development
    }

    pub(crate) fn process_id(&self) -> &str {
        &self.process_id
    }

    pub(crate) fn presence(&self) -> &Presence {
        &self.presence
    }

    /// How long an operation belongs to a process that does not say otherwise.
    pub(crate) fn lease_length(&self) -> Duration {
        self.lease
    }

    /// Most jobs that are done here at once, of all plugins together.
    pub(crate) fn jobs_max(&self) -> usize {
        self.jobs_max
    }

    pub(crate) fn runtime(&self, mode: Mode) -> &Arc<dyn Runtime> {
        match mode {
            Mode::Shared => &self.shared,
            Mode::Isolated => &self.isolated,
        }
    }

    /// A task that ends with the platform at the latest.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) -> JoinHandle<()> {
        let stopping = self.stopping.clone();
        self.tasks.spawn(async move {
            tokio::select! {
                () = task => {}
                () = stopping.cancelled() => {}
            }
        })
    }

    /// A task that the end of the platform waits for.
    pub(crate) fn track(&self, task: impl Future<Output = ()> + Send + 'static) -> JoinHandle<()> {
        self.tasks.spawn(task)
    }

    /// Ends everything that runs. Requests in progress were drained by whoever accepted them.
    pub async fn shut_down(&self) {
        self.stopping.cancel();
        self.tasks.close();
        let stopped = self.running.all().into_iter().map(|active| {
            self.running.remove(active.authority.tenant, active.authority.installation, None);
            async move { active.plugin.stop(STOP_GRACE).await }
        });
        futures_util::future::join_all(stopped).await;
        if tokio::time::timeout(DRAIN_TIMEOUT, self.tasks.wait()).await.is_err() {
            tracing::warn!("operations were still running when the platform ended; they are taken up at the next start");
        }
        self.take_leave().await;
        self.services.db.close().await;
    }

    /// A request id for what nobody asked for.
    pub(crate) fn fresh_request_id(&self) -> RequestId {
        RequestId::from_bits(rand::rng().random())
    }

    /// An installation and its active release.
    pub(crate) async fn find_installation(&self, caller: &Caller, slug: &str) -> Result<(Installation, Arc<Release>)> {
        let mut tx = self.services.db.read().await?;
        let found = installations::find(&mut tx, caller.tenant, slug).await?;
        let installation = found.filter(|_| caller.actor.sees_plugin(slug)).ok_or_else(|| not_installed(slug))?;
        let row = releases::get(&mut tx, installation.release_id).await?.ok_or_else(|| not_installed(slug))?;
        let directory = self.layout.release(&row.digest);
        Ok((installation, Arc::new(Release { manifest: Arc::new(row.manifest), digest: row.digest, directory })))
    }

    /// Puts a generation up to answer, and watches it. Gives the one that it replaces.
    pub(crate) fn put_up(self: &Arc<Self>, active: &Arc<Active>) -> Option<Arc<Active>> {
        let old = self.running.switch(active);
        self.watch(active);
        old
    }

    /// Takes a generation down when it has failed for good.
    pub(crate) fn watch(self: &Arc<Self>, active: &Arc<Active>) {
        let (platform, watched) = (self.clone(), active.clone());
        let leaving = active.admission.leaving();
        self.spawn(async move {
            tokio::select! {
                failure = watched.plugin.failed() => platform.went_down(&watched, failure).await,
                // Another one stands in its place, or none. What it holds goes with it.
                () = leaving.cancelled() => {}
            }
        });
        self.watch_health(active);
    }

    /// A generation failed for good: others go on, this one is told to whoever asks.
    pub(crate) async fn went_down(&self, active: &Arc<Active>, failure: Failure) {
        let (tenant, id) = (active.authority.tenant, active.authority.installation);
        if self.running.remove(tenant, id, Some(active.generation)).is_none() {
            return;
        }
        tracing::error!(tenant.id = %active.authority.tenant_slug, plugin.slug = %active.slug(), error = %failure, "a plugin failed");
        self.fault(tenant, id, failure).await;
        self.interrupt_jobs(active).await;
        active.plugin.stop(STOP_GRACE).await;
    }
}

impl fmt::Debug for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Platform").field("running", &self.running).finish_non_exhaustive()
    }
}

/// A mode that the composition root gave no runtime for.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("no runtime was given for {0} plugins")]
pub struct MissingRuntime(Mode);
