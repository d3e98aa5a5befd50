//! The configuration: defaults < `config.json` < environment. Read once; every mistake is told, not only the first.
//!
//! [`NAMES`] is the one list of names. The variable of `server.dataPath` is `MINT_SERVER__DATA_PATH`.

mod address;
mod auth;
mod names;
mod secrets;
mod storage;
#[cfg(test)]
mod tests;
mod tree;

use std::{
    collections::BTreeMap,
    env, fs,
    net::SocketAddr,
    num::NonZeroU32,
    path::{Path, PathBuf},
};

use mint_domain::{
    Share, Slug,
    access::Visibility,
    mode::Mode,
    share::{ShareChanges, ShareOutOfRange},
};
use mint_platform::{
    HealthOptions,
    frontends::{Origins, PluginDomain},
    operation::Moment,
};
use mint_store::Place;
use mint_subprocess::{Control, UserRange};
use serde::Deserialize;
use serde_json::Value;

pub use self::address::ExternalUrl;
pub use self::auth::{AuthConfig, Network};
pub use self::names::{Kind, NAMES};
pub use self::secrets::SecretsConfig;
pub use self::storage::StorageConfig;
use self::tree::{set, unknown_keys, value_of, wrong_values};

/// Where a debug build freezes itself.
const FREEZE_AT: &str = "MINT_FREEZE_AT";
/// Read when no other file is named.
const FILE: &str = "config.json";

/// The configuration in force.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Config {
    /// The server.
    pub server: Server,
    /// The database.
    pub database: Database,
    /// Where blobs stand.
    pub storage: StorageConfig,
    /// Credentials.
    pub auth: AuthConfig,
    /// Who sees what.
    pub access: Access,
    /// Keys of secrets that are stored.
    pub secrets: SecretsConfig,
    /// Plugins.
    pub plugins: Plugins,
    /// Logging.
    pub logging: Logging,
    /// `MINT_PLUGIN_…` variables: settings of plugins.
    #[serde(skip)]
    pub plugin_environment: BTreeMap<String, String>,
    /// What uv needs of the environment to reach its index.
    #[serde(skip)]
    pub uv_environment: Vec<(String, String)>,
    /// `PATH`.
    #[serde(skip)]
    pub search_path: String,
    /// The program `mint`, which the server starts anew for what it does in processes of its own; by default the one that runs.
    #[serde(skip)]
    pub program: Option<PathBuf>,
    /// `MINT_ABORT_AT` or `MINT_FREEZE_AT`, such as `upgrade/switch/did`: where a debug build kills or freezes itself, for
    /// tests.
    #[serde(skip)]
    pub abort_at: Option<Moment>,
}

/// The server.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Server {
    /// Address and port.
    pub listen: SocketAddr,
    /// The data directory.
    pub data_path: PathBuf,
    /// The cache directory.
    pub cache_path: Option<PathBuf>,
    /// Days after which something in the cache that nobody uses goes.
    pub cache_days: u32,
    /// Seconds after which what a replica was doing is taken up by another.
    pub lease_seconds: NonZeroU32,
    /// The directory of sockets.
    pub runtime_path: Option<PathBuf>,
    /// The file with the secret of the installation.
    pub key_path: Option<PathBuf>,
    /// The domain of plugins' front-ends.
    pub plugin_domain: Option<PluginDomain>,
    /// The domain of laboratories' own hosts.
    pub tenant_domain: Option<PluginDomain>,
    /// The address by which browsers come.
    pub external_url: Option<ExternalUrl>,
    /// Proxies that are believed when they say for whom they ask.
    pub trusted_proxy_cidrs: Vec<Network>,
}

/// The database.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Database {
    /// Its address.
    pub url: Option<String>,
    /// Its address without a pooler.
    pub direct_url: Option<String>,
}

/// Plugins.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Plugins {
    /// Live instances.
    pub instances: u32,
    /// What all plugins of one laboratory together may take.
    pub laboratory: Laboratory,
    /// How memory of components is made clean.
    pub reset_path: mint_wasm::ResetChoice,
    /// Must run shared.
    pub force_shared: Vec<Slug>,
    /// Must run isolated.
    pub force_isolated: Vec<Slug>,
    /// Snapshots of each installation that are kept.
    pub snapshots_kept: NonZeroU32,
    /// Days after which a snapshot is deleted.
    pub snapshot_days: NonZeroU32,
    /// Seconds that a new release answers before the old one is let go.
    pub trial_seconds: u32,
    /// Seconds for which what answers may go on with what it has begun, when it makes way.
    pub drain_seconds: u32,
    /// Seconds after which an isolated plugin of which nobody wants anything is stopped; 0 for never.
    pub idle_seconds: u32,
    /// Whether imports of isolated Python plugins stay in memory.
    pub warm_parent: bool,
    /// Whether developers' own servers may answer; by default as the server listens.
    pub dev: Option<bool>,
    /// How venvs are made.
    pub uv: Uv,
    /// How often they are asked how they are.
    pub health: Health,
    /// What compiling a component may take.
    pub compile: Compile,
    /// How components are made of wheels.
    pub components: Components,
    /// What isolated plugins are held to.
    pub sandbox: Sandbox,
}

/// What all plugins of one laboratory together may take, where nothing is said of one.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Laboratory {
    /// Requests in progress.
    pub concurrency_max: Option<NonZeroU32>,
    /// Requests that wait.
    pub queue_max: Option<NonZeroU32>,
    /// Requests that begin in a second.
    pub requests_per_second_max: Option<NonZeroU32>,
    /// Jobs in progress.
    pub jobs_max: Option<NonZeroU32>,
}

impl Laboratory {
    /// As a share.
    ///
    /// # Errors
    /// A value that is too great, by name.
    pub fn share(&self) -> Result<Share, ShareOutOfRange> {
        let value = |value: Option<NonZeroU32>| value.map(|value| u64::from(value.get()));
        Share::default().merged(&ShareChanges {
            laboratory_concurrency_max: value(self.concurrency_max),
            laboratory_queue_max: value(self.queue_max),
            laboratory_requests_per_second_max: value(self.requests_per_second_max),
            laboratory_jobs_max: value(self.jobs_max),
        })
    }
}

/// What compiling a component may take.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Compile {
    /// Longest time, in seconds.
    pub seconds_max: NonZeroU32,
    /// Memory, in bytes.
    pub memory_bytes_max: u64,
}

/// How components are made of wheels.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Components {
    /// Whether any are made.
    pub make: bool,
    /// A venv with componentize-py.
    pub componentize_py: Option<PathBuf>,
    /// Longest time for one, in seconds.
    pub seconds_max: NonZeroU32,
}

/// What isolated plugins are held to.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Sandbox {
    /// Without one of these a plugin is not started.
    pub require: Vec<Control>,
    /// What every plugin may read and run.
    pub readable: Vec<PathBuf>,
    /// User ids to give.
    pub users: Option<UserRange>,
    /// Processors of one plugin.
    pub cpus: Option<NonZeroU32>,
}

/// How often plugins are asked how they are.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Health {
    /// Between two questions.
    pub interval_seconds: NonZeroU32,
    /// Unhealthy answers in a row after which one is stopped.
    pub failures: NonZeroU32,
}

impl Default for Health {
    fn default() -> Self {
        let interval = u32::try_from(HealthOptions::INTERVAL.as_secs()).ok();
        Self {
            interval_seconds: interval.and_then(NonZeroU32::new).unwrap_or(NonZeroU32::MIN),
            failures: NonZeroU32::new(HealthOptions::FAILURES_MAX).unwrap_or(NonZeroU32::MIN),
        }
    }
}

/// How venvs are made.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Uv {
    /// The program.
    pub path: PathBuf,
    /// The package index.
    pub index_url: Option<String>,
    /// Further indexes.
    pub extra_index_urls: Vec<String>,
    /// Without network.
    pub offline: bool,
    /// Packages without a wheel are built.
    pub source_builds: bool,
    /// The Python.
    pub python: Option<String>,
}

/// Who sees what.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Access {
    /// Who sees experiments.
    pub experiment_visibility_mode: Visibility,
}

/// Logging.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Logging {
    /// The filter.
    pub level: String,
    /// The form.
    pub format: LogFormat,
}

/// The form of log lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// For programs.
    Json,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8001)),
            data_path: PathBuf::from("data"),
            cache_path: None,
            cache_days: 30,
            lease_seconds: const { NonZeroU32::new(30).unwrap() },
            runtime_path: None,
            key_path: None,
            plugin_domain: None,
            tenant_domain: None,
            external_url: None,
            trusted_proxy_cidrs: Vec::new(),
        }
    }
}

impl Default for Plugins {
    fn default() -> Self {
        Self {
            instances: mint_wasm::Options::SLOTS,
            laboratory: Laboratory::default(),
            reset_path: mint_wasm::ResetChoice::default(),
            force_shared: Vec::new(),
            force_isolated: Vec::new(),
            snapshots_kept: NonZeroU32::new(5).unwrap_or(NonZeroU32::MIN),
            snapshot_days: NonZeroU32::new(30).unwrap_or(NonZeroU32::MIN),
            trial_seconds: 10,
            drain_seconds: 30,
            idle_seconds: 900,
            warm_parent: false,
            dev: None,
            uv: Uv::default(),
            health: Health::default(),
            compile: Compile::default(),
            components: Components::default(),
            sandbox: Sandbox::default(),
        }
    }
}

impl Plugins {
    fn forced_twice(&self) -> impl Iterator<Item = &Slug> {
        self.force_shared.iter().filter(|slug| self.force_isolated.contains(slug))
    }
}

impl Default for Uv {
    fn default() -> Self {
        Self {
            path: PathBuf::from("uv"),
            index_url: None,
            extra_index_urls: Vec::new(),
            offline: false,
            source_builds: false,
            python: None,
        }
    }
}

impl Default for Compile {
    fn default() -> Self {
        Self { seconds_max: const { NonZeroU32::new(60).unwrap() }, memory_bytes_max: 4 << 30 }
    }
}

impl Default for Components {
    fn default() -> Self {
        Self { make: true, componentize_py: None, seconds_max: const { NonZeroU32::new(300).unwrap() } }
    }
}

impl Default for Logging {
    fn default() -> Self {
        Self { level: "info".to_owned(), format: LogFormat::Text }
    }
}

/// Everything that is wrong with the configuration.
#[derive(Debug, thiserror::Error)]
#[error("the configuration has mistakes:{}", .0.iter().map(|mistake| format!("\n  {mistake}")).collect::<String>())]
pub struct Mistakes(Vec<String>);

impl Config {
    /// Reads the file that `path` or `MINT_CONFIG_PATH` names, else `config.json` here if there is one, and the environment.
    ///
    /// # Errors
    /// Every mistake found.
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
    pub fn load(path: Option<&Path>) -> Result<Self, Mistakes> {
        let environment: BTreeMap<String, String> =
            env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?))).collect();
        let named = path.map(Path::to_owned).or_else(|| environment.get("MINT_CONFIG_PATH").map(PathBuf::from));
        let text = match &named {
            Some(path) => fs::read_to_string(path).map_err(|error| Mistakes(vec![format!("{}: {error}", path.display())]))?,
            None => fs::read_to_string(FILE).unwrap_or_else(|_| "{}".to_owned()),
        };
        let name = named.map_or_else(|| FILE.to_owned(), |path| path.display().to_string());
        Self::merge(&name, &text, &environment)
    }

    /// Merges the text of a file with an environment.
    ///
    /// # Errors
    /// Every mistake found.
    pub fn parse(file: &str, environment: &BTreeMap<String, String>) -> Result<Self, Mistakes> {
        Self::merge(FILE, file, environment)
    }

    fn merge(file: &str, text: &str, environment: &BTreeMap<String, String>) -> Result<Self, Mistakes> {
        let mut mistakes = Vec::new();
        let mut tree = match serde_json::from_str(text) {
            Ok(Value::Object(tree)) => tree,
            Ok(_) => return Err(Mistakes(vec![format!("{file}: must be a JSON object")])),
            Err(error) => return Err(Mistakes(vec![format!("{file}: {error}")])),
        };
        unknown_keys(file, &tree, "", &mut mistakes);
        let (plugin_environment, rest): (BTreeMap<_, _>, BTreeMap<_, _>) = environment
            .iter()
            .map(|(name, value)| (name.clone(), value.clone()))
            .partition(|(name, _)| name.starts_with("MINT_PLUGIN_"));
        for (variable, text) in rest.iter().filter(|(name, _)| name.starts_with("MINT_") && name.contains("__")) {
            match NAMES.iter().find(|(name, ..)| variable_of(name) == *variable) {
                Some((name, kind, _)) => match value_of(*kind, text) {
                    Some(value) => set(&mut tree, name, value),
                    None => mistakes.push(format!("{variable}: `{text}` is not {}", kind.article())),
                },
                None => mistakes.push(format!("{variable}: no such setting; see `mint config names`")),
            }
        }
        wrong_values(&tree, &mut mistakes);
        if !mistakes.is_empty() {
            return Err(Mistakes(mistakes));
        }
        let config: Self = serde_json::from_value(Value::Object(tree)).map_err(|error| Mistakes(vec![error.to_string()]))?;
        let twice: Vec<String> = config.plugins.forced_twice().map(|slug| slug.to_string()).collect();
        if !twice.is_empty() {
            let lists = "plugins.forceShared and plugins.forceIsolated";
            return Err(Mistakes(twice.iter().map(|slug| format!("{lists}: both name `{slug}`")).collect()));
        }
        Ok(Self {
            storage: config.storage.within(environment),
            plugin_environment,
            uv_environment: uv_environment(environment),
            search_path: environment.get("PATH").cloned().unwrap_or_default(),
            abort_at: moment(environment),
            ..config
        })
    }

    /// Where front-ends stand.
    pub fn origins(&self) -> Origins {
        match &self.server.plugin_domain {
            Some(domain) => Origins::Domain(domain.clone()),
            None if self.server.listen.ip().is_loopback() => Origins::Loopback,
            None => Origins::Off,
        }
    }

    /// Where compiled components and venvs stand.
    pub fn cache_path(&self) -> PathBuf {
        self.server.cache_path.clone().unwrap_or_else(|| self.server.data_path.join("cache"))
    }

    /// The file with the secret of the installation.
    pub fn key_path(&self) -> PathBuf {
        self.server.key_path.clone().unwrap_or_else(|| self.server.data_path.join("installation.key"))
    }

    /// Where the database is.
    pub fn database(&self) -> Place {
        Place { url: self.database_url(), direct_url: self.database.direct_url.clone() }
    }

    /// The database's address.
    pub fn database_url(&self) -> String {
        let default = || format!("sqlite:{}", self.server.data_path.join("mint.sqlite").display());
        self.database.url.clone().unwrap_or_else(default)
    }

    /// Whether developers' own servers may answer.
    pub fn allows_development(&self) -> bool {
        self.plugins.dev.unwrap_or(self.server.listen.ip().is_loopback())
    }

    /// Plugins that are forced into a mode.
    pub fn forced(&self) -> BTreeMap<String, Mode> {
        let shared = self.plugins.force_shared.iter().map(|slug| (slug.to_string(), Mode::Shared));
        let isolated = self.plugins.force_isolated.iter().map(|slug| (slug.to_string(), Mode::Isolated));
        shared.chain(isolated).collect()
    }
}

fn moment(environment: &BTreeMap<String, String>) -> Option<Moment> {
    let named = |name| environment.get(name).map(|text| (text, name == FREEZE_AT));
    let (text, freezes) = named("MINT_ABORT_AT").or_else(|| named(FREEZE_AT))?;
    let mut words = text.split('/').map(str::to_owned);
    Some(Moment { kind: words.next()?, step: words.next()?, when: words.next()?, freezes })
}

/// `server.dataPath` → `MINT_SERVER__DATA_PATH`.
pub fn variable_of(name: &str) -> String {
    let mut variable = String::from("MINT_");
    for c in name.chars() {
        match c {
            '.' => variable.push_str("__"),
            c if c.is_ascii_uppercase() => variable.extend(['_', c]),
            c => variable.push(c.to_ascii_uppercase()),
        }
    }
    variable
}

/// Proxies, certificates and indexes: what uv reads to reach packages.
fn uv_environment(environment: &BTreeMap<String, String>) -> Vec<(String, String)> {
    const EXACT: &[&str] = &[
        "HOME",
        "XDG_CACHE_HOME",
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "NO_PROXY",
        "ALL_PROXY",
        "http_proxy",
        "https_proxy",
        "no_proxy",
        "all_proxy",
        "SSL_CERT_FILE",
        "SSL_CERT_DIR",
        "UV_INDEX_URL",
        "UV_DEFAULT_INDEX",
        "UV_EXTRA_INDEX_URL",
        "UV_INDEX",
        "UV_INDEX_STRATEGY",
        "UV_NATIVE_TLS",
        "UV_SYSTEM_CERTS",
        "UV_INSECURE_HOST",
        "PIP_INDEX_URL",
        "PIP_EXTRA_INDEX_URL",
    ];
    environment
        .iter()
        .filter(|(name, _)| EXACT.contains(&name.as_str()))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}
