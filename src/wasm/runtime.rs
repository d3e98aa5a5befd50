//! `Runtime` for components: stage is compile and check, start is link and initialize.

use std::{fmt, io, path::PathBuf, sync::Arc, time::Duration};

use async_trait::async_trait;
use mint_context::{
    Call,
    logs::PluginLog,
    runtime::{self, Activation, Fault, Generation, Release, Runtime},
};
use mint_domain::{Capability, Digest, Grants, lifecycle::Failure};
use tokio::{
    task::{JoinSet, spawn_blocking},
    time::Instant,
};
use tokio_util::task::TaskTracker;

use crate::{
    artifact::{Artifact, Artifacts},
    compiler::Compiler,
    engine::{Engine, ResetChoice, ResetPath},
    files::{Files, FilesInUse},
    generation::Component,
    guest::Guests,
    host::linker::Linkers,
    instance::{Instances, Neighbours},
    lifecycle,
    migrations::Migrations,
    store::Plugin,
};

/// Longest time for `initialize`.
const INITIALIZE_TIMEOUT: Duration = Duration::from_secs(30);
/// How often warm instances are looked through.
const SWEEP_INTERVAL: Duration = Duration::from_secs(30);

/// How to make the runtime.
#[derive(Clone)]
pub struct Options {
    /// Where compiled components are kept. Only the server's user may write there.
    pub cache_directory: PathBuf,
    /// Live instances of all installations together.
    pub slots: u32,
    /// How a place of the pool is made clean.
    pub reset: ResetChoice,
    /// Makes machine code of components.
    pub compiler: Arc<dyn Compiler>,
    /// Vouches for what stands in `cache_directory`: without it, nobody can put code there that this server would run. Servers
    /// that share the directory share the key.
    pub cache_key: [u8; 32],
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not the key.
        f.debug_struct("Options")
            .field("cache_directory", &self.cache_directory)
            .field("slots", &self.slots)
            .finish_non_exhaustive()
    }
}

impl Options {
    /// Room for live instances that suits most machines: each reserves address space and, while used, its own memory.
    pub const SLOTS: u32 = 256;

    /// Compiled components in `cache_directory`, and what suits most machines for the rest.
    pub fn new(cache_directory: PathBuf, cache_key: [u8; 32], compiler: Arc<dyn Compiler>) -> Self {
        Self { cache_directory, slots: Self::SLOTS, reset: ResetChoice::Auto, compiler, cache_key }
    }
}

/// Why shared mode cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The engine does not run here.
    #[error("the engine for components does not start: {0}")]
    Engine(String),
    /// The cache cannot be used.
    #[error("the directory for compiled components cannot be used")]
    Cache(#[from] io::Error),
}

/// Runs components in this process.
pub struct WasmRuntime {
    engine: Engine,
    artifacts: Artifacts,
    linkers: Linkers,
    neighbours: Arc<Neighbours>,
    files_in_use: Arc<FilesInUse>,
    _sweeper: JoinSet<()>,
}

impl WasmRuntime {
    /// The engine, its pool and its cache. One per process; call it inside of a tokio runtime.
    ///
    /// # Errors
    /// [`StartError`].
    pub fn new(options: &Options) -> Result<Self, StartError> {
        let engine = Engine::new(options.slots, options.reset).map_err(|error| StartError::Engine(format!("{error:#}")))?;
        let artifacts = Artifacts::open(engine.clone(), options)?;
        let linkers = Linkers::new(engine.clone());
        let neighbours = Arc::new(Neighbours::default());
        let mut sweeper = JoinSet::new();
        sweeper.spawn(sweep(Arc::clone(&neighbours)));
        Ok(Self { engine, artifacts, linkers, neighbours, files_in_use: Arc::default(), _sweeper: sweeper })
    }

    /// How a place of the pool is made clean for the next instance on this machine.
    pub fn reset_path(&self) -> ResetPath {
        self.engine.reset_path()
    }

    async fn artifact(&self, release: &Release, grants: &Grants) -> Result<Arc<Artifact>, Failure> {
        let (path, digest) = component_of(release)?;
        self.artifacts.get(&path, digest, &importable(release, grants)).await
    }

    /// The directories of an installation, where it was granted some.
    async fn files(&self, activation: &Activation) -> Result<Option<Arc<Files>>, Failure> {
        if !activation.authority.grants().allow(&Capability::Files) {
            return Ok(None);
        }
        let (in_use, directory) = (Arc::clone(&self.files_in_use), activation.data_directory.clone());
        let (limits, meters) = (activation.authority.limits(), Arc::clone(&activation.authority.meters));
        let opened = spawn_blocking(move || in_use.get(&directory, &limits, &meters)).await.map_err(io::Error::from).flatten();
        opened.map(Some).map_err(|error| {
            let reason = format!("The plugin's directories cannot be used: {}: {error}.", activation.data_directory.display());
            Failure::new("start", reason, "Check the disk and the rights of the data directory.")
        })
    }

    /// What runs the component of an activation, and its digest.
    async fn guests(&self, activation: &Activation) -> Result<(Arc<Guests>, Digest), Failure> {
        let artifact = self.artifact(&activation.release, &activation.authority.grants()).await?;
        let files = self.files(activation).await?;
        let instances = self.instances(&artifact, activation, files).map_err(|error| {
            let reason = format!("The component cannot be linked: {error:#}.");
            Failure::new("start", reason, "Build it against the WIT of this platform's version.")
        })?;
        Ok((Guests::new(instances), artifact.digest))
    }

    fn instances(
        &self,
        artifact: &Artifact,
        activation: &Activation,
        files: Option<Arc<Files>>,
    ) -> wasmtime::Result<Arc<Instances>> {
        let authority = Arc::clone(&activation.authority);
        let pre =
            self.linkers.get(&importable(&activation.release, &authority.grants()))?.instantiate_pre(&artifact.component)?;
        let clock = Arc::clone(&activation.call.services.clock);
        let plugin = Plugin::new(authority, Arc::clone(&activation.log), clock, files, activation.settings.clone());
        let policy = activation.release.manifest.instances;
        Instances::new(self.engine.clone(), pre, Arc::new(plugin), policy, Arc::clone(&self.neighbours))
    }
}

async fn sweep(neighbours: Arc<Neighbours>) {
    let mut interval = tokio::time::interval(SWEEP_INTERVAL);
    loop {
        interval.tick().await;
        neighbours.drop_stale();
    }
}

/// What opens interfaces to a component: what is granted, and what was, when it was installed. An administrator may have taken
/// some of that away, which every function of such an interface says when it is called; without the interface the component
/// could not start at all.
fn importable(release: &Release, grants: &Grants) -> Grants {
    Grants::new(grants.iter().chain(release.manifest.requested()).cloned())
}

fn component_of(release: &Release) -> Result<(PathBuf, Digest), Failure> {
    let entry = release.manifest.component.as_ref();
    let named = entry.and_then(|entry| Some((release.directory.join(entry), *release.manifest.files.get(entry)?)));
    named.ok_or_else(|| {
        Failure::new(
            "stage",
            "The bundle has no component.",
            "Install it in isolated mode, or build a component with `mint build`.",
        )
    })
}

impl fmt::Debug for WasmRuntime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WasmRuntime").field("engine", &self.engine).field("artifacts", &self.artifacts).finish_non_exhaustive()
    }
}

#[async_trait]
impl Runtime for WasmRuntime {
    async fn stage(&self, release: &Release, grants: &Grants) -> Result<(), Failure> {
        self.artifact(release, grants).await.map(drop)
    }

    async fn tidy(&self, unused_for: Duration) -> io::Result<usize> {
        self.artifacts.tidy(unused_for).await
    }

    async fn migrations(&self, activation: Activation) -> Result<Option<Box<dyn runtime::Migrations>>, Failure> {
        let (guests, _) = self.guests(&activation).await?;
        Ok(Migrations::of(guests, activation.call).map(|migrations| Box::new(migrations) as Box<dyn runtime::Migrations>))
    }

    async fn start(&self, activation: Activation) -> Result<Arc<dyn Generation>, Failure> {
        let (guests, digest) = self.guests(&activation).await?;
        let call = Call { deadline: Instant::now() + INITIALIZE_TIMEOUT, ..activation.call.clone() };
        match lifecycle::initialize(&guests, call, INITIALIZE_TIMEOUT).await {
            Ok(Ok(())) => {}
            Ok(Err(words)) => return Err(initialize_failed(&format!("The plugin says: {words}"), &activation.log)),
            Err(fault) => return Err(initialize_failed(&said(&fault), &activation.log)),
        }
        Ok(Arc::new(Component {
            guests,
            call: activation.call,
            digest,
            reset_path: self.engine.reset_path(),
            tails: TaskTracker::new(),
        }))
    }
}

/// A fault, in a sentence for the administrator.
pub(crate) fn said(fault: &Fault) -> String {
    let text = fault.to_string();
    format!("{}.", text.lines().next().unwrap_or_default().trim_end_matches('.'))
}

fn initialize_failed(reason: &str, log: &PluginLog) -> Failure {
    let mut failure =
        Failure::new("initialize", reason, "Correct its settings or grants and reload it, or install another release.");
    failure.log_excerpt = log.recent();
    failure
}
