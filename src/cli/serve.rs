//! `mint serve`: puts the house together, and takes it down again.

use std::{
    collections::BTreeMap,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    net::SocketAddr,
    num::NonZeroU32,
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use anyhow::Context as _;
use mint_context::{Services, runtime::Runtime, storage::Storage, unstored::Unstored};
use mint_domain::{clock::SystemClock, mode::Mode, plan::PlatformPython};
use mint_platform::{
    HealthOptions, Options, Platform,
    frontends::TenantHosts,
    layout::{BUNDLES, Layout, OBJECTS, SNAPSHOTS},
    people::external::Providers,
    running::Running,
    snapshots::Policy,
};
use mint_server::State;
use mint_store::{Db, tables::PluginTables};
use mint_subprocess::{
    ComponentOptions, IsolatedRuntime, Registry, RpcState, SandboxOptions, SubprocessConfig,
    component::{CARRIED, PYTHON_INSIDE},
};
use mint_wasm::WasmRuntime;
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

use crate::{compiler::Apart, config::Config, dev_servers, key::InstallationKey, lock::DataLock, secrets};

/// Largest path of a socket's directory, so that sockets in it have a usable path.
const RUNTIME_PATH_BYTES_MAX: usize = 48;

/// A shorter lease is lost whenever the database takes a moment.
const LEASE_SECONDS_MIN: u32 = 3;

/// A running server.
#[derive(Debug)]
pub struct Server {
    /// Where it listens.
    pub address: SocketAddr,
    /// What it serves.
    pub platform: Arc<Platform>,
    stop: CancellationToken,
    connections: JoinHandle<()>,
    _dev_servers: Option<AbortOnDropHandle<()>>,
    _lock: DataLock,
}

impl Server {
    /// Opens the data, listens, and begins to start the plugins that should run.
    ///
    /// # Errors
    /// What is missing or cannot be used, with what to do.
    pub async fn start(config: &Config) -> anyhow::Result<Self> {
        let data = &config.server.data_path;
        std::fs::create_dir_all(data).with_context(|| format!("the data directory {} cannot be made", data.display()))?;
        let data = data.canonicalize().with_context(|| format!("the data directory {} cannot be used", data.display()))?;
        let lock = DataLock::take(&data)?;
        let layout = Layout::prepare(&data).with_context(|| format!("the data directory {} cannot be used", data.display()))?;
        let running = Arc::new(Running::default());
        let services = open_services(config, &layout, running.clone()).await?;
        mint_platform::secrets::seal_plain(&services).await;
        let listener = TcpListener::bind(config.server.listen)
            .await
            .with_context(|| format!("cannot listen on {}; choose another with MINT_SERVER__LISTEN", config.server.listen))?;
        let address = listener.local_addr()?;

        let registry = Arc::new(Registry::default());
        let cache = config.cache_path();
        std::fs::create_dir_all(&cache)?;
        let cache = cache.canonicalize()?;
        let runtime_directory = runtime_path(config, &data)?;
        let mut processes = subprocess(config, cache.clone(), runtime_directory, address);
        processes.sandbox.private.push(data.clone());
        let isolated = IsolatedRuntime::new(processes, registry.clone()).await?;
        let shared = components(config, &cache, &isolated)?;
        let shared = isolated.with_components(Arc::new(shared));
        let runtimes: BTreeMap<&'static str, Arc<dyn Runtime>> =
            BTreeMap::from([(Mode::Shared.as_str(), Arc::new(shared) as _), (Mode::Isolated.as_str(), Arc::new(isolated) as _)]);
        let public_address = config.public_address(address);
        let platform = Platform::new(Options {
            services,
            running,
            runtimes,
            layout,
            forced: config.forced(),
            python: python(config)?,
            origins: config.origins(),
            tenant_hosts: TenantHosts::below(config.server.tenant_domain.clone()),
            providers: Providers::new(config.auth.providers()).map_err(anyhow::Error::from_boxed)?,
            abort_at: config.abort_at.clone(),
            snapshots: Policy {
                kept: usize::try_from(config.plugins.snapshots_kept.get()).unwrap_or(usize::MAX),
                age: Duration::from_secs(u64::from(config.plugins.snapshot_days.get()) * 24 * 60 * 60),
            },
            unused_for: Duration::from_secs(u64::from(config.server.cache_days) * 24 * 60 * 60),
            credentials: config.auth.policy(public_address.is_secure()),
            public_address,
            share: config.plugins.laboratory.share()?,
            trial: Duration::from_secs(config.plugins.trial_seconds.into()),
            drain: Duration::from_secs(config.plugins.drain_seconds.into()),
            health: HealthOptions {
                interval: Duration::from_secs(config.plugins.health.interval_seconds.get().into()),
                failures_max: config.plugins.health.failures.get(),
            },
            development: config.allows_development(),
            process_id: lock.process_id.clone(),
            address,
            lease: Duration::from_secs(config.server.lease_seconds.get().max(LEASE_SECONDS_MIN).into()),
            // Requests find room beside them.
            jobs_max: (config.plugins.instances / 2).max(1) as usize,
        })?;
        let proxies = config.server.trusted_proxy_cidrs.iter().map(|network| network.0).collect();
        let internal = mint_subprocess::rpc::router(RpcState { registry });
        let site = mint_server::router(State { platform: platform.clone(), proxies }, internal);
        let stop = CancellationToken::new();
        // Plugins call back while they start, so the server answers before it starts them.
        #[expect(clippy::disallowed_methods, reason = "the handle is kept, and awaited in `stop`")]
        let connections = tokio::spawn(mint_server::listen::serve(listener, site, stop.clone()));
        platform.reconcile();
        let dev_servers = config.allows_development().then(|| dev_servers::follow(platform.clone()));
        Ok(Self { address, platform, stop, connections, _dev_servers: dev_servers, _lock: lock })
    }

    /// Lets requests in progress finish, then ends the plugins and closes the database.
    pub async fn stop(self) {
        self.stop.cancel();
        self.platform.end_developments();
        if let Err(error) = self.connections.await {
            tracing::error!(error = %error, "the listener broke");
        }
        self.platform.shut_down().await;
    }
}

/// What every call works with, also for commands that need no server.
///
/// # Errors
/// The database or the files cannot be opened.
pub async fn open_services(config: &Config, layout: &Layout, running: Arc<Running>) -> anyhow::Result<Arc<Services>> {
    let db = Db::open_at(&config.database()).await.context("the database cannot be opened")?;
    let storage = match &config.storage.url {
        None => Storage::local(layout.data()),
        Some(url) => Storage::open(url, &config.storage.credentials()),
    };
    let storage = storage.context("the storage cannot be used")?;
    let secrets = secrets::keys(config).await?;
    Ok(Arc::new(Services {
        tables: PluginTables::beside(&db, &layout.plugin_tables()),
        db,
        blobs: storage.area(OBJECTS),
        bundles: storage.area(BUNDLES),
        snapshots: storage.area(SNAPSHOTS),
        storage,
        clock: Arc::new(SystemClock),
        followers: running,
        plugin_environment: config.plugin_environment.clone(),
        unstored: Unstored::default(),
        secrets,
        visibility: config.access.experiment_visibility_mode,
        jobs: Arc::default(),
    }))
}

/// Shared mode, which compiles in processes of the isolated mode's sandbox.
fn components(config: &Config, cache: &std::path::Path, isolated: &IsolatedRuntime) -> anyhow::Result<WasmRuntime> {
    let key = InstallationKey::open(&config.key_path())?.derive("mint 2026-11-21 compiled components");
    let program = match &config.program {
        Some(program) => program.clone(),
        None => std::env::current_exe().context("this program does not find itself")?,
    };
    let compiler = Apart::new(isolated.chamber(), program, &config.plugins.compile);
    Ok(WasmRuntime::new(&mint_wasm::Options {
        slots: config.plugins.instances,
        reset: config.plugins.reset_path,
        ..mint_wasm::Options::new(cache.join("components"), key, Arc::new(compiler))
    })?)
}

/// What there is for Python plugins: what components carry, and where processes run.
fn python(config: &Config) -> anyhow::Result<PlatformPython> {
    let packages = CARRIED.iter().map(|(name, version)| Ok(((*name).to_owned(), version.parse()?)));
    Ok(PlatformPython {
        component: PYTHON_INSIDE.parse()?,
        packages: packages.collect::<anyhow::Result<_>>()?,
        process: config.plugins.uv.python.as_deref().and_then(|python| python.parse().ok()),
        machine: std::env::consts::ARCH.to_owned(),
        tables_in_files: config.database_url().starts_with("sqlite:"),
    })
}

fn subprocess(config: &Config, cache: PathBuf, runtime_directory: PathBuf, address: SocketAddr) -> SubprocessConfig {
    let uv = &config.plugins.uv;
    // A plugin reaches a server that listens everywhere by loopback.
    let host = if address.ip().is_unspecified() { "127.0.0.1".to_owned() } else { address.ip().to_string() };
    let host = if host.contains(':') { format!("[{host}]") } else { host };
    let url = format!("http://{host}:{}", address.port());
    let mut subprocess = SubprocessConfig::new(cache, runtime_directory, url, config.search_path.clone());
    subprocess.uv.clone_from(&uv.path);
    subprocess.index_url.clone_from(&uv.index_url);
    subprocess.extra_index_urls.clone_from(&uv.extra_index_urls);
    subprocess.offline = uv.offline;
    subprocess.source_builds = uv.source_builds;
    subprocess.tables_in_files = config.database_url().starts_with("sqlite:");
    subprocess.python.clone_from(&uv.python);
    subprocess.pass_environment.clone_from(&config.uv_environment);
    subprocess.warm_parent = config.plugins.warm_parent;
    subprocess.idle_after = (config.plugins.idle_seconds > 0).then(|| Duration::from_secs(config.plugins.idle_seconds.into()));
    let components = &config.plugins.components;
    subprocess.components = ComponentOptions {
        make: components.make,
        tool: components.componentize_py.clone(),
        timeout: Duration::from_secs(components.seconds_max.get().into()),
    };
    let sandbox = &config.plugins.sandbox;
    subprocess.sandbox = SandboxOptions {
        require: sandbox.require.clone(),
        readable: sandbox.readable.clone(),
        private: vec![subprocess.cache_directory.clone(), subprocess.runtime_directory.clone()],
        users: sandbox.users,
        cpus: sandbox.cpus.map(NonZeroU32::get),
    };
    subprocess
}

/// A directory whose sockets have a path that fits: the configured one, `run` in the data directory, or one in the
/// temporary directory that is named after the data directory.
fn runtime_path(config: &Config, data: &std::path::Path) -> anyhow::Result<PathBuf> {
    let beside = data.join("run");
    let path = match &config.server.runtime_path {
        Some(path) => path.clone(),
        None if beside.as_os_str().len() <= RUNTIME_PATH_BYTES_MAX => beside,
        None => {
            let mut hasher = DefaultHasher::new();
            data.hash(&mut hasher);
            let user = rustix::process::getuid().as_raw();
            std::env::temp_dir().join(format!("mint-{user}-{:016x}", hasher.finish()))
        }
    };
    std::fs::create_dir_all(&path).with_context(|| format!("the directory of sockets {} cannot be made", path.display()))?;
    Ok(path.canonicalize()?)
}
