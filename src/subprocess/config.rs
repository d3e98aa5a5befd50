//! What the composition root decides.

use std::{fmt, num::NonZeroUsize, path::PathBuf, time::Duration};

use crate::SandboxOptions;

/// How isolated plugins are built and run. Read from the configuration once; nothing here comes from a plugin.
#[derive(Clone)]
pub struct SubprocessConfig {
    /// The program `uv`: a path, or a name to look up in `search_path`.
    pub uv: PathBuf,
    /// Where packages come from, if not from uv's default.
    pub index_url: Option<String>,
    /// Further indexes.
    pub extra_index_urls: Vec<String>,
    /// Use only bundled wheels and what uv has in its cache.
    pub offline: bool,
    /// Build packages that have no wheel. Their authors' code then runs at install, with the platform's rights.
    pub source_builds: bool,
    /// Environment of uv only, such as proxy and certificate settings. Plugins never see it.
    pub pass_environment: Vec<(String, String)>,
    /// Whether tables of plugins are in files, for drivers of SQLite, and not on a server of PostgreSQL.
    pub tables_in_files: bool,
    /// Python to use: a version, a path or a name. By default what the wheel's `Requires-Python` asks for.
    pub python: Option<String>,
    /// `PATH` of uv, where it looks for interpreters, and of plugins.
    pub search_path: String,
    /// Venvs, executables and uv's cache stand under it.
    pub cache_directory: PathBuf,
    /// Private directories with sockets stand under it. Short: a socket's path has at most 107 bytes.
    pub runtime_directory: PathBuf,
    /// Where plugins find the platform, without `/api`; it must be listening before a plugin starts.
    pub platform_url: String,
    /// What plugins are held to.
    pub sandbox: SandboxOptions,
    /// How components are made of wheels.
    pub components: ComponentOptions,
    /// Longest start of a process until it answers.
    pub start_timeout: Duration,
    /// Longest build of a venv.
    pub build_timeout: Duration,
    /// How long a request waits for a process that is being started again.
    pub restart_wait: Duration,
    /// After how long a process of which nobody wants anything is stopped; none for never.
    pub idle_after: Option<Duration>,
    /// Whether Python plugins are imported once for each generation, by a process that is copied for every start.
    pub warm_parent: bool,
    /// Processes started at once, of all plugins together.
    pub starts_at_once: NonZeroUsize,
    /// How long a process may act for a person after their last request: the longest job.
    pub acts_after: Duration,
}

/// How components are made of wheels.
#[derive(Clone, Debug)]
pub struct ComponentOptions {
    /// Whether any are made.
    pub make: bool,
    /// A venv with componentize-py; by default one that uv makes.
    pub tool: Option<PathBuf>,
    /// Longest time for one.
    pub timeout: Duration,
}

impl Default for ComponentOptions {
    fn default() -> Self {
        Self { make: true, tool: None, timeout: Duration::from_secs(300) }
    }
}

impl SubprocessConfig {
    /// Longest start by default.
    pub const START_TIMEOUT: Duration = Duration::from_secs(30);
    /// Longest build by default.
    pub const BUILD_TIMEOUT: Duration = Duration::from_secs(600);
    /// Longest wait for a restart by default.
    pub const RESTART_WAIT: Duration = Duration::from_secs(5);
    /// Longest idleness by default.
    pub const IDLE_AFTER: Duration = Duration::from_secs(15 * 60);
    /// Starts at once by default.
    pub const STARTS_AT_ONCE: NonZeroUsize = NonZeroUsize::new(4).unwrap();
    /// Longest job by default.
    pub const ACTS_AFTER: Duration = Duration::from_secs(60 * 60);

    /// A configuration with uv's default index and the default times.
    pub fn new(cache_directory: PathBuf, runtime_directory: PathBuf, platform_url: String, search_path: String) -> Self {
        Self {
            uv: PathBuf::from("uv"),
            index_url: None,
            extra_index_urls: Vec::new(),
            offline: false,
            source_builds: false,
            pass_environment: Vec::new(),
            tables_in_files: true,
            python: None,
            search_path,
            cache_directory,
            runtime_directory,
            platform_url,
            sandbox: SandboxOptions::default(),
            components: ComponentOptions::default(),
            start_timeout: Self::START_TIMEOUT,
            build_timeout: Self::BUILD_TIMEOUT,
            restart_wait: Self::RESTART_WAIT,
            idle_after: Some(Self::IDLE_AFTER),
            warm_parent: false,
            starts_at_once: Self::STARTS_AT_ONCE,
            acts_after: Self::ACTS_AFTER,
        }
    }
}

impl fmt::Debug for SubprocessConfig {
    /// Without what may carry credentials: index URLs and the environment.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SubprocessConfig")
            .field("uv", &self.uv)
            .field("offline", &self.offline)
            .field("cache_directory", &self.cache_directory)
            .field("runtime_directory", &self.runtime_directory)
            .field("platform_url", &self.platform_url)
            .finish_non_exhaustive()
    }
}
