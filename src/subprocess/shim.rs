//! What the platform asks of a Python plugin beside its requests: the paths that `shim.py` puts next to the plugin's own.
//! Executables have none of them; they are asked only whether they answer.

use std::{collections::BTreeSet, time::Duration};

use http::{HeaderValue, Method, Request, StatusCode, header::CONTENT_TYPE, header::HOST};
use http_body_util::{BodyExt, Full, Limited};
use mint_context::{
    headers,
    runtime::{Health, HealthStatus, HookKind},
    settings::ALLOWED_TYPES,
};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{events, incarnation::Setup, launch::Launch, link::LinkError, peer::Peer, upload::Upload};

/// The program that loads a plugin.
pub const TEXT: &str = concat!(
    include_str!("shim_calls.py"),
    "\n\n",
    include_str!("shim_tables.py"),
    "\n\n",
    include_str!("shim_migrations.py"),
    "\n\n",
    include_str!("shim_driver.py"),
    "\n\n",
    include_str!("shim_revisions.py"),
    "\n\n",
    include_str!("shim.py")
);

/// Takes events that the SDK has no route for.
pub(crate) const HOOK: &str = "/__platform/hook";
const ABOUT: &str = "/__platform/about";
const HEALTH: &str = "/__platform/health";
const SETTINGS: &str = "/__platform/settings";
const WORK: &str = "/__platform/work";

/// Longest wait for a sign of life.
const PROBE_PATIENCE: Duration = Duration::from_secs(5);
/// Longest wait for an opinion: what the plugin has for it, and some for the way.
const HEALTH_PATIENCE: Duration = Duration::from_secs(7);
/// Longest wait for a plugin that takes new settings.
const SETTINGS_PATIENCE: Duration = Duration::from_secs(10);
/// Most bytes of an answer.
const ANSWER_BYTES_MAX: usize = 64 << 10;

/// What a plugin's class and its SDK have. An executable has nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub(crate) struct About {
    #[serde(default)]
    settings: SettingsWay,
    /// Events that the SDK's own route takes.
    routed: Vec<String>,
    /// Events that a method of the class takes.
    methods: Vec<String>,
    /// Names one start of the process; empty where the shim did not load it.
    #[serde(default)]
    boot: String,
}

/// How settings come to a plugin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum SettingsWay {
    /// It reads them at its start and keeps them: new ones need a new process.
    #[default]
    Own,
    /// It reads them at its start, and takes new ones.
    Live,
    /// It is given them, after its start and later.
    Handed,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Silence {
    /// No connection, or it broke.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// It took too long.
    #[error("it did not answer within {0:?}")]
    Late(Duration),
    /// It cannot be read.
    #[error("its answer cannot be read: {0}")]
    Garbage(String),
}

/// Why settings were not taken.
#[derive(Debug)]
pub(crate) enum NotTaken {
    /// The plugin said no, in these words.
    Refused(String),
    /// It did not say.
    Silent(Silence),
}

impl About {
    /// The path that takes an event; none when the plugin does not follow it.
    pub(crate) fn path_of(&self, kind: HookKind) -> Option<&'static str> {
        let has = |events: &[String]| events.iter().any(|event| event == events::name(kind));
        match () {
            () if has(&self.routed) => Some(events::ROUTE),
            () if has(&self.methods) => Some(HOOK),
            () => None,
        }
    }

    /// Names one start of the process; empty where nothing does.
    pub(crate) fn boot(&self) -> &str {
        &self.boot
    }

    /// Events that it follows.
    pub(crate) fn follows(&self) -> BTreeSet<HookKind> {
        let kinds = [HookKind::BeforeSave, HookKind::AfterSave, HookKind::StatusChanged];
        kinds.into_iter().filter(|kind| self.path_of(*kind).is_some()).collect()
    }

    /// Whether its running process takes new settings.
    pub(crate) fn takes_settings(&self) -> bool {
        self.settings != SettingsWay::Own
    }

    /// Whether somebody has to give it its settings after a start.
    pub(crate) fn awaits_settings(&self) -> bool {
        self.settings == SettingsWay::Handed
    }
}

/// Asks whether a process answers, and what it has. Of an executable any status is an answer.
///
/// # Errors
/// [`Silence`]: not yet, or no more.
pub(crate) async fn probe(peer: &Peer, setup: &Setup) -> Result<(StatusCode, About), Silence> {
    let path = match &setup.launch {
        Launch::Python(_) => ABOUT.to_owned(),
        Launch::Executable { .. } => format!("{}/_mint/runtime", setup.public_prefix),
    };
    let (status, body) = ask(peer, Method::GET, &path, None, PROBE_PATIENCE).await?;
    match &setup.launch {
        Launch::Python(_) => Ok((status, parsed(status, &body)?)),
        Launch::Executable { .. } => Ok((status, About::default())),
    }
}

/// Asks whoever may be behind `peer` the same: a plugin that the shim loads, one that its SDK loads itself, which has
/// nothing but the route for events, or anything else, of which every answer counts.
///
/// # Errors
/// [`Silence`]: not yet, or no more.
pub(crate) async fn look(peer: &Peer) -> Result<About, Silence> {
    let (status, body) = ask(peer, Method::GET, ABOUT, None, PROBE_PATIENCE).await?;
    if status == StatusCode::OK
        && let Ok(about) = serde_json::from_slice(&body)
    {
        return Ok(about);
    }
    let nothing = json!({ "event": "platform.look", "payload": {}, "request_id": null, "actor": null });
    let (_, body) = ask(peer, Method::POST, events::ROUTE, Some(&nothing), PROBE_PATIENCE).await?;
    let said: Value = serde_json::from_slice(&body).unwrap_or_default();
    let kinds = [HookKind::BeforeSave, HookKind::AfterSave, HookKind::StatusChanged].into_iter().map(events::name);
    let routed = kinds.filter(|_| said.get("handled").is_some()).map(str::to_owned).collect();
    Ok(About { routed, ..About::default() })
}

/// How the plugin sees itself.
pub(crate) async fn health(peer: &Peer) -> Result<Health, Silence> {
    #[derive(Deserialize)]
    struct Said {
        status: String,
        message: Option<String>,
        #[serde(default)]
        details: Option<Value>,
    }
    let (status, body) = ask(peer, Method::GET, HEALTH, None, HEALTH_PATIENCE).await?;
    let said: Said = parsed(status, &body)?;
    let status = match said.status.as_str() {
        "healthy" => HealthStatus::Healthy,
        "degraded" => HealthStatus::Degraded,
        "unhealthy" => HealthStatus::Unhealthy,
        _ => HealthStatus::Unknown,
    };
    let details = said.details.filter(Value::is_object).unwrap_or_else(|| Health::unknown().details);
    Ok(Health { status, message: said.message, details })
}

/// How many jobs the plugin's process has begun, or is going to.
pub(crate) async fn jobs(peer: &Peer) -> Result<u64, Silence> {
    #[derive(Deserialize)]
    struct Said {
        jobs: u64,
    }
    let (status, body) = ask(peer, Method::GET, WORK, None, PROBE_PATIENCE).await?;
    Ok(parsed::<Said>(status, &body)?.jobs)
}

/// Gives the plugin new settings. It goes back to `previous` itself when it refuses them.
///
/// # Errors
/// [`NotTaken`].
pub(crate) async fn apply(peer: &Peer, settings: &Value, previous: Option<&Value>) -> Result<(), NotTaken> {
    let body = json!({ "settings": of_plugin(settings), "previous": previous.map(of_plugin) });
    let answer = ask(peer, Method::POST, SETTINGS, Some(&body), SETTINGS_PATIENCE).await;
    let (status, body) = answer.map_err(NotTaken::Silent)?;
    if status.is_success() {
        return Ok(());
    }
    let said: Option<Value> = serde_json::from_slice(&body).ok();
    let words = said.as_ref().and_then(|said| said.get("message")?.as_str()).unwrap_or("It gave no reason.");
    Err(NotTaken::Refused(words.to_owned()))
}

/// Without what belongs to the platform.
fn of_plugin(settings: &Value) -> Value {
    let mut settings = settings.clone();
    if let Some(values) = settings.as_object_mut() {
        values.remove(ALLOWED_TYPES);
    }
    settings
}

fn parsed<'a, T: Deserialize<'a>>(status: StatusCode, body: &'a [u8]) -> Result<T, Silence> {
    if status != StatusCode::OK {
        return Err(Silence::Garbage(format!("it has the status {status}")));
    }
    serde_json::from_slice(body).map_err(|error| Silence::Garbage(error.to_string()))
}

async fn ask(
    peer: &Peer,
    method: Method,
    path: &str,
    body: Option<&Value>,
    patience: Duration,
) -> Result<(StatusCode, Vec<u8>), Silence> {
    let body = Full::from(body.map(Value::to_string).unwrap_or_default()).map_err(|never| match never {}).boxed_unsync();
    let mut request = Request::new(Upload::new(body, u64::MAX));
    *request.method_mut() = method;
    *request.uri_mut() = path.parse().map_err(|error| Silence::Garbage(format!("its path is malformed: {error}")))?;
    let sent = request.headers_mut();
    sent.insert(HOST, HeaderValue::from_static("localhost"));
    sent.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    sent.extend(peer.token().map(|token| (headers::INTERNAL_TOKEN, token.clone())));
    let answer = async {
        let (head, body) = peer.pool().send(request).await?.into_parts();
        // Taken to its end: a server may complain about a client that hangs up.
        let said = Limited::new(body, ANSWER_BYTES_MAX).collect().await;
        let said = said.map_err(|error| Silence::Garbage(error.to_string()))?;
        Ok((head.status, said.to_bytes().to_vec()))
    };
    tokio::time::timeout(patience, answer).await.unwrap_or(Err(Silence::Late(patience)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_plugin_has_decides_where_it_is_told() {
        let text = r#"{"settings": "handed", "routed": ["experiment.after_save"], "methods": ["experiment.before_save"]}"#;
        let about: About = serde_json::from_str(text).unwrap();
        assert_eq!(about.path_of(HookKind::AfterSave), Some(events::ROUTE));
        assert_eq!(about.path_of(HookKind::BeforeSave), Some(HOOK));
        assert_eq!(about.path_of(HookKind::StatusChanged), None);
        assert!(about.takes_settings() && about.awaits_settings());
        assert!(!About::default().takes_settings() && About::default().path_of(HookKind::AfterSave).is_none());
    }

    #[test]
    fn what_belongs_to_the_platform_is_not_handed_over() {
        assert_eq!(of_plugin(&json!({ "a": 1, "allowed_experiment_types": ["x"] })), json!({ "a": 1 }));
    }
}
