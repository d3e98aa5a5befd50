//! Isolated mode as the platform sees it.

use std::{
    io,
    sync::{Arc, OnceLock},
    time::Duration,
};

use async_trait::async_trait;
use mint_context::runtime::{self, Activation, Attached, Attachment, Generation, Release, Runtime};
use mint_domain::{Capability, Grants, lifecycle::Failure};
use tokio::{sync::Semaphore, task::spawn_blocking};

use crate::{
    Registry, SubprocessConfig, attached,
    census::Census,
    chamber::Chamber,
    component::{ComponentRuntime, Workshop},
    directory,
    egress::WayOut,
    executable,
    generation::IsolatedGeneration,
    incarnation::Setup,
    launch::Launch,
    migrations::Migrations,
    registry::Session,
    sandbox::{Network, Sandbox},
    spawn::Spawner,
    unused::{self, InUse},
    venv,
    warm::Warm,
};

/// Runs plugins as supervised processes.
#[derive(Debug)]
pub struct IsolatedRuntime {
    config: Arc<SubprocessConfig>,
    registry: Arc<Registry>,
    spawner: Spawner,
    census: Arc<Census>,
    starts: Arc<Semaphore>,
    sandbox: Arc<Sandbox>,
}

impl IsolatedRuntime {
    /// Ends what an earlier run of the platform left behind, and is then ready to start plugins. `registry` is the one that
    /// [`crate::rpc::router`] asks who calls.
    ///
    /// # Errors
    /// When the runtime directory cannot be cleaned, or the system gives no thread.
    pub async fn new(config: SubprocessConfig, registry: Arc<Registry>) -> io::Result<Self> {
        let root = config.runtime_directory.clone();
        spawn_blocking(move || directory::sweep(&root)).await.map_err(io::Error::other)??;
        let config = Arc::new(config);
        let wanted = Arc::clone(&config);
        let sandbox = spawn_blocking(move || Sandbox::detect(&wanted)).await.map_err(io::Error::other)??;
        let starts = Arc::new(Semaphore::new(config.starts_at_once.get()));
        Ok(Self { config, registry, spawner: Spawner::new()?, census: Arc::default(), starts, sandbox: Arc::new(sandbox) })
    }

    /// Shared mode by `components`, which also takes bundles with pure wheels only: their components are made in the sandbox
    /// of this runtime.
    pub fn with_components(&self, components: Arc<dyn Runtime>) -> ComponentRuntime {
        let make = || Workshop::new(Arc::clone(&self.config), self.spawner.clone(), Arc::clone(&self.sandbox));
        ComponentRuntime::new(components, self.config.components.make.then(make))
    }

    /// Where programs of the platform's own work on what strangers made.
    pub fn chamber(&self) -> Chamber {
        Chamber::new(self.spawner.clone(), Arc::clone(&self.sandbox), self.config.cache_directory.join("work"))
    }

    async fn ensure(&self, release: &Release, grants: &Grants) -> Result<Launch, Failure> {
        let manifest = &release.manifest;
        match (&manifest.wheels, &manifest.process) {
            (Some(wheels), _) => {
                let has_tables = grants.allow(&Capability::Database);
                venv::ensure(&self.config, &self.spawner, &self.sandbox, release, wheels, has_tables).await
            }
            (None, Some(process)) => executable::ensure(&self.config, release, process).await,
            (None, None) => Err(Failure::new(
                "stage",
                "The bundle has neither wheels nor an executable, so nothing of it can run in a process of its own.",
                "Run it in shared mode.",
            )),
        }
    }
}

#[async_trait]
impl Runtime for IsolatedRuntime {
    async fn stage(&self, release: &Release, grants: &Grants) -> Result<(), Failure> {
        // A class is loaded to describe itself, which is the plugin's code running.
        self.sandbox.permit(&Network::of(grants, self.sandbox.own_proxy_port().unwrap_or_default()))?;
        self.ensure(release, grants).await.map(drop)
    }

    async fn tidy(&self, unused_for: Duration) -> io::Result<usize> {
        let cache = self.config.cache_directory.clone();
        let kinds = ["venvs", "executables", "made"].map(|kind| cache.join(kind));
        let swept = spawn_blocking(move || kinds.iter().map(|kind| unused::sweep(kind, unused_for)).sum());
        swept.await.map_err(io::Error::other)?
    }

    async fn start(&self, activation: Activation) -> Result<Arc<dyn Generation>, Failure> {
        let manifest = &activation.release.manifest;
        let prefix = manifest.prefix().map_err(|error| {
            Failure::new("start", format!("The plugin has no usable prefix: {error}."), "Give it another `routes_prefix`.")
        })?;
        // The cache may have been emptied since the release was staged.
        let grants = &activation.authority.grants();
        let mut launch = self.ensure(&activation.release, grants).await?;
        let in_use = InUse::of(launch.place()).map_err(|error| {
            let reason = format!("{} cannot be used: {error}.", launch.place().display());
            Failure::new("start", reason, "Make the cache directory writable for the platform's user, then reload the plugin.")
        })?;
        if !launch.place().exists() {
            // Removed in the moment before.
            launch = self.ensure(&activation.release, grants).await?;
        }
        let session = Session::new(activation.call.clone(), manifest.plugin.slug.clone(), launch.name(), launch.takes_new_keys());
        let way_out = WayOut::open(&self.config, &self.sandbox, &activation, &session).map_err(|error| {
            let reason = format!("Its way to the hosts that were granted cannot be opened: {error}.");
            Failure::new("start", reason, "Reload the plugin.")
        })?;
        let network = way_out.as_ref().map_or(Network::Platform, |way_out| Network::Proxy(way_out.port()));
        let level = self.sandbox.permit(&network)?;
        let setup = Setup {
            config: Arc::clone(&self.config),
            spawner: self.spawner.clone(),
            registry: Arc::clone(&self.registry),
            census: Arc::clone(&self.census),
            starts: Arc::clone(&self.starts),
            session,
            launch,
            _in_use: in_use,
            sandbox: Arc::clone(&self.sandbox),
            network,
            way_out,
            level,
            warm: Warm::default(),
            public_prefix: prefix.public(),
            about: OnceLock::new(),
            activation,
        };
        Ok(Arc::new(IsolatedGeneration::start(setup).await?))
    }

    async fn migrations(&self, activation: Activation) -> Result<Option<Box<dyn runtime::Migrations>>, Failure> {
        let Launch::Python(launch) = self.ensure(&activation.release, &activation.authority.grants()).await? else {
            return Ok(None);
        };
        let in_hand = (&self.spawner, &self.sandbox);
        let found = Migrations::of(in_hand, &launch, &activation).await?;
        Ok(found.map(|migrations| Box::new(migrations) as Box<dyn runtime::Migrations>))
    }

    async fn attach(&self, activation: Activation, attachment: Attachment) -> Result<Attached, Failure> {
        attached::attach(&self.config, &self.registry, activation, attachment)
    }
}
