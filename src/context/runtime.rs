//! The whole contract between the platform and the two ways to run a plugin.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    net::SocketAddr,
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use http::Response;
use http_body_util::combinators::UnsyncBoxBody;
use mint_domain::{
    Digest, ExperimentId, Grants, Kind, Manifest, Refusal, Unsealed,
    lifecycle::Failure,
    migration::{AppliedMigration, Direction, Migration},
};
use serde::Serialize;
use serde_json::Value;
use tokio::time::Instant;

use crate::{
    Call, Incoming, PluginAuthority,
    followers::{SaveEvent, Verdict},
    logs::PluginLog,
    migration_ops::MigrationOps,
    socket::Opened,
};

/// An error in the middle of a body.
pub type BodyError = Box<dyn std::error::Error + Send + Sync>;

/// A streamed body, of a request or a response.
pub type Body = UnsyncBoxBody<Bytes, BodyError>;

/// An unpacked, verified release. Its files never change.
#[derive(Clone, Debug)]
pub struct Release {
    /// What the bundle says of itself.
    pub manifest: Arc<Manifest>,
    /// Digest of the bundle.
    pub digest: Digest,
    /// Where its entries stand, under their own names.
    pub directory: PathBuf,
}

/// What to start.
#[derive(Clone, Debug)]
pub struct Activation {
    /// The release.
    pub release: Arc<Release>,
    /// What it may do, and for whom.
    pub authority: Arc<PluginAuthority>,
    /// Counts up with every start of the installation, so that old and new can stand side by side.
    pub generation: u64,
    /// The settings in force.
    pub settings: Unsealed,
    /// A directory of the installation's own: `artifacts/` and `cache/` stand in it.
    pub data_directory: PathBuf,
    /// Where its lines go.
    pub log: Arc<PluginLog>,
    /// A call without a person, for `initialize`, health checks and shutdown. Its deadline is renewed by the runtime.
    pub call: Call,
}

/// A server of a developer's own, which is to answer like a started plugin.
#[derive(Clone, Debug)]
pub struct Attachment {
    /// Where it listens, or will.
    pub address: SocketAddr,
    /// The name by which it calls back, where that is not its slug.
    pub name: Option<String>,
    /// Where it has its routes, with `/api`, where that is not its public path.
    pub own_prefix: Option<String>,
    /// Whether its SDK is from before MINT's first release.
    pub is_mld: bool,
    /// Whether it gets a secret, by which it calls back and knows the platform.
    pub calls_back: bool,
}

/// A developer's server that answers, or will.
#[derive(Debug)]
pub struct Attached {
    /// The server.
    pub generation: Arc<dyn Generation>,
    /// The variables that it is to be started with; none where it does not call back.
    pub environment: BTreeMap<String, String>,
}

/// One way to run plugins.
#[async_trait]
pub trait Runtime: Send + Sync + fmt::Debug {
    /// Whether it makes what it runs of a bundle's wheels, where the bundle has nothing else for it.
    ///
    /// # Errors
    /// Why not, in a sentence for the administrator.
    async fn makes_components(&self) -> Result<(), String> {
        Err("This server makes none.".to_owned())
    }

    /// Makes whatever can be made before a start, once per release: compiles, or builds a venv. Safe to repeat, and safe
    /// to be cut off: a half-made result is never used. `grants` are those that the installation will have.
    ///
    /// # Errors
    /// A [`Failure`] that tells the administrator what the release needs.
    async fn stage(&self, release: &Release, grants: &Grants) -> Result<(), Failure>;

    /// Removes from its caches what nothing uses, and nothing has used for that long. Gives how many things.
    ///
    /// # Errors
    /// When the cache cannot be changed.
    async fn tidy(&self, unused_for: Duration) -> std::io::Result<usize>;

    /// Starts a staged release and waits until it can answer.
    ///
    /// # Errors
    /// A [`Failure`] with the plugin's own words where it said some. Nothing is left running.
    async fn start(&self, activation: Activation) -> Result<Arc<dyn Generation>, Failure>;

    /// The history of a staged release's tables; none for one without. The limits of the activation are those for migrations.
    ///
    /// # Errors
    /// A [`Failure`]; nothing is left running.
    async fn migrations(&self, activation: Activation) -> Result<Option<Box<dyn Migrations>>, Failure>;

    /// Takes a server of a developer's own in the place of a started release, whether or not it answers yet. Of the
    /// activation's release only the manifest counts.
    ///
    /// # Errors
    /// A [`Failure`]; where plugins of this mode have no server, always.
    async fn attach(&self, _activation: Activation, _attachment: Attachment) -> Result<Attached, Failure> {
        Err(Failure::new("start", "Plugins of this mode have no server of their own.", "Use isolated mode."))
    }
}

/// The history of a release's tables: its code, which nobody else uses meanwhile.
#[async_trait]
pub trait Migrations: Send + Sync + fmt::Debug {
    /// All of it, as the release declares it; the caller checks it.
    ///
    /// # Errors
    /// A [`Failure`] when it does not say.
    async fn list(&self) -> Result<Vec<Migration>, Failure>;

    /// Does one, or takes it back, by `ops` and nothing else. The caller finishes them, or takes them back.
    ///
    /// # Errors
    /// Why it failed, in words for the administrator.
    async fn apply(&self, migration: &Migration, direction: Direction, ops: MigrationOps) -> Result<(), String>;

    /// Looks at tables, of which `applied` is known, before anything is applied or when nothing is left to be: gives how many of the
    /// first migrations they had before anybody wrote that down.
    ///
    /// # Errors
    /// Why the release cannot go on from them, in words for the administrator.
    async fn look(&self, _applied: &[AppliedMigration], _ops: MigrationOps) -> Result<usize, String> {
        Ok(0)
    }
}

/// A started installation: a loaded component, or a supervised process.
#[async_trait]
pub trait Generation: Send + Sync + fmt::Debug {
    /// Answers a request. The caller has authorised and admitted it.
    ///
    /// # Errors
    /// A [`Fault`] of this one request, when no response was begun. A fault after that ends the body with an error.
    async fn handle(&self, call: Call, incoming: Incoming) -> Result<Response<Body>, Fault>;

    /// Where in its main wheel the plugin says that its front-end stands; none where it leaves that to the platform.
    fn frontend(&self) -> Option<&str> {
        None
    }

    /// Answers a request for a WebSocket, whose handshake was checked, under the same conditions.
    ///
    /// # Errors
    /// A [`Fault`] as for any request; [`Fault::NoSockets`] where plugins of this kind cannot have one.
    async fn open(&self, _call: Call, _incoming: Incoming) -> Result<Opened, Fault> {
        Err(Fault::NoSockets)
    }

    /// Waits until it can answer, where it has to be started first. Whoever gives the plugin little time asks for this before,
    /// so that the time is the plugin's own.
    ///
    /// # Errors
    /// A [`Fault`] when it cannot by `deadline`.
    async fn prepare(&self, _deadline: Instant) -> Result<(), Fault> {
        Ok(())
    }

    /// Which events it follows.
    fn follows(&self) -> BTreeSet<HookKind>;

    /// Asks about a design that is about to be saved.
    ///
    /// # Errors
    /// A [`Fault`], which the caller takes as a veto.
    async fn before_save(&self, call: Call, event: SaveEvent) -> Result<Verdict, Fault>;

    /// Tells of a design that was saved.
    ///
    /// # Errors
    /// A [`Fault`], which the caller logs.
    async fn after_save(&self, call: Call, event: SaveEvent) -> Result<(), Fault>;

    /// Tells of a change of status.
    ///
    /// # Errors
    /// A [`Fault`], which the caller logs.
    async fn status_changed(&self, call: Call, experiment: ExperimentId, old: &str, new: &str) -> Result<(), Fault>;

    /// Does a job, in the time that the caller gives: it cuts it off by dropping this.
    ///
    /// # Errors
    /// A [`Fault`] when the plugin did not say how it ended.
    async fn run_job(&self, _call: Call, _work: Work) -> Result<Worked, Fault> {
        Ok(Worked::no_jobs())
    }

    /// How the plugin sees itself; [`Health::unknown`] when it does not say.
    async fn check_health(&self) -> Health;

    /// Hands over new, valid settings.
    ///
    /// # Errors
    /// The plugin's own words when it refuses them.
    async fn apply_settings(&self, settings: Unsealed) -> Result<(), String>;

    /// Takes note that other grants and limits are in force, which stand in its authority already.
    fn obey(&self) {}

    /// Waits until it has stopped being able to answer for good, and tells why. Never returns while it can.
    async fn failed(&self) -> Failure;

    /// Whether it has something to do that nobody waits for, such as jobs. What cannot tell is not.
    async fn is_at_work(&self) -> bool {
        false
    }

    /// What an administrator sees of it right now.
    fn status(&self) -> Value;

    /// Tells the plugin to end, and ends it after `grace`. Requests in progress were drained by the caller.
    async fn stop(&self, grace: Duration);
}

/// A job that a plugin is to do. Which one stands in the call.
#[derive(Clone, Debug)]
pub struct Work {
    /// What is to be done, in the plugin's words.
    pub kind: String,
    /// With what: a JSON document.
    pub payload: String,
}

/// How a plugin says that an attempt at a job ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Worked {
    /// It is done, and this JSON document came of it.
    Done(Option<String>),
    /// It failed.
    Failed {
        /// In words for the person who waits for it.
        message: String,
        /// Whether another attempt would fail in the same way.
        is_final: bool,
    },
}

impl Worked {
    /// Of a plugin that has nothing to do jobs by.
    pub fn no_jobs() -> Self {
        Self::Failed { message: "This release of the plugin does no jobs.".to_owned(), is_final: true }
    }
}

/// An event of an experiment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum HookKind {
    /// Before a design is saved.
    BeforeSave,
    /// After a design was saved.
    AfterSave,
    /// After a status changed.
    StatusChanged,
}

/// How a plugin sees itself.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Health {
    /// In one word.
    pub status: HealthStatus,
    /// In a sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// As data.
    pub details: Value,
}

/// Health in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum HealthStatus {
    /// All well.
    Healthy,
    /// Works with less.
    Degraded,
    /// Does not work.
    Unhealthy,
    /// Does not say.
    Unknown,
}

impl Health {
    /// A plugin that does not say.
    pub fn unknown() -> Self {
        Self { status: HealthStatus::Unknown, message: None, details: Value::Object(serde_json::Map::new()) }
    }

    /// A plugin that does not work, with the reason.
    pub fn unhealthy(message: impl Into<String>) -> Self {
        Self { status: HealthStatus::Unhealthy, message: Some(message.into()), ..Self::unknown() }
    }
}

/// Why one request got no answer from the plugin.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The plugin broke: a trap, an exit, a panic.
    #[error("the plugin broke: {0}")]
    Broke(String),
    /// It reached one of its limits.
    #[error("the plugin reached its limit {limit}: {message}")]
    Limit {
        /// Name of the limit, as in [`mint_domain::limit::TABLE`].
        limit: &'static str,
        /// With figures.
        message: String,
    },
    /// It did not answer in time.
    #[error("the plugin did not answer within {0:?}")]
    Timeout(Duration),
    /// It answered something that is not a response, or nothing.
    #[error("the plugin did not answer properly: {0}")]
    Garbage(String),
    /// It is not running.
    #[error("the plugin is not running: {0}")]
    Down(String),
    /// It was stopped because nobody wanted anything of it, and does not start again.
    #[error("the plugin does not start: {0}")]
    NotStarted(String),
    /// A developer's server does not answer.
    #[error("the development server does not answer: {0}")]
    Away(String),
    /// This server runs as many instances as it can, of all plugins together.
    #[error("no place for another instance became free")]
    Full,
    /// Plugins of this kind have no WebSockets.
    #[error("the client asked for a WebSocket")]
    NoSockets,
    /// The client's request broke off or was malformed.
    #[error("the client's request broke off: {0}")]
    Client(String),
    /// The platform itself failed.
    #[error("the platform failed: {0}")]
    Host(String),
}

/// Who has to do something about a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Blame {
    /// The plugin's author.
    Plugin,
    /// The operator.
    Host,
    /// Whoever sent the request.
    Client,
}

impl Fault {
    /// Who has to do something about it.
    pub fn blame(&self) -> Blame {
        match self {
            Self::Broke(_)
            | Self::Limit { .. }
            | Self::Timeout(_)
            | Self::Garbage(_)
            | Self::Down(_)
            | Self::NotStarted(_)
            | Self::Away(_) => Blame::Plugin,
            Self::Client(_) | Self::NoSockets => Blame::Client,
            Self::Full | Self::Host(_) => Blame::Host,
        }
    }

    /// What the client may read of it. The plugin's own words stay in its log.
    pub fn public(&self) -> Refusal {
        match self {
            Self::Broke(_) => {
                Refusal::new(Kind::Unavailable, "plugin.broke", "The plugin broke while it answered. Its log tells why.")
            }
            Self::Limit { limit, message } => {
                Refusal::new(Kind::QuotaExceeded, "plugin.limit", message.clone()).with(serde_json::json!({ "limit": limit }))
            }
            Self::Timeout(after) => Refusal::new(
                Kind::Timeout,
                "plugin.timeout",
                format!("The plugin did not answer within {} s.", after.as_secs_f64()),
            )
            .with(serde_json::json!({ "limit": "wall_ms_max" })),
            Self::Garbage(_) => Refusal::new(Kind::Unavailable, "plugin.garbage", "The plugin did not give a proper answer."),
            Self::Down(_) => {
                Refusal::new(Kind::Unavailable, "plugin.down", "The plugin is not running at the moment.").retry_after(1)
            }
            Self::NotStarted(reason) => {
                Refusal::new(Kind::Unavailable, "plugin.down", format!("The plugin does not start. {reason}")).retry_after(1)
            }
            Self::Away(_) => Refusal::new(
                Kind::Unavailable,
                "plugin.dev_server_away",
                "The development server of this plugin does not answer at the moment: it is starting, or its code has a \
                 mistake. The terminal of `mint dev` tells.",
            )
            .retry_after(1),
            Self::Full => Refusal::new(
                Kind::Busy,
                "server.busy",
                "All places for running plugins are taken on this server. Try again in a moment.",
            )
            .retry_after(1),
            Self::NoSockets => Refusal::new(
                Kind::Invalid,
                "feature.not_implemented",
                "This plugin runs in shared mode, where it cannot be reached by WebSocket. Use plain requests.",
            ),
            Self::Client(_) => Refusal::new(Kind::Invalid, "request.bad_request", "The request broke off or was malformed."),
            Self::Host(_) => Refusal::new(
                Kind::Unavailable,
                "internal.error",
                "The platform failed. The operator finds it under the request id.",
            ),
        }
    }
}
