//! A developer's server in the place of a process: somebody else starts it, ends it, and starts it again with new code.
//! The platform looks now and then whether it answers, and what it has.

use std::{
    collections::BTreeSet,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use http::{HeaderValue, Response};
use mint_context::{
    Call, Incoming,
    followers::{SaveEvent, Verdict},
    runtime::{Activation, Attached, Attachment, Body, Fault, Generation, Health, HealthStatus, HookKind},
    settings,
    socket::Opened,
};
use mint_domain::{ExperimentId, Unsealed, lifecycle::Failure};
use serde_json::{Map, Value, json};
use tokio::{sync::watch, time::Instant};
use tokio_util::task::AbortOnDropHandle;

use crate::{
    SubprocessConfig,
    activity::Activity,
    environment,
    events::Event,
    exit::Exit,
    incarnation::PHASE,
    launch,
    link::Pool,
    peer::Peer,
    proxy::{Paths, Proxy},
    registry::{Bearer, Registration, Registry, Session, Token},
    served::Served,
    shim::{self, About, NotTaken},
    task,
};

/// Between two looks at a server that answers.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);
/// The same where looking is a request like others, which the developer sees.
const SEEN_LOOK_INTERVAL: Duration = Duration::from_secs(10);
/// Between two looks at one that does not.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// A server that somebody else runs.
#[derive(Debug)]
struct AttachedGeneration {
    address: SocketAddr,
    restart_wait: Duration,
    session: Arc<Session>,
    proxy: Proxy,
    peer: Arc<Peer>,
    served: Arc<Served>,
    standing: watch::Receiver<Standing>,
    held: Mutex<Option<Held>>,
}

/// What ends with the generation.
#[derive(Debug)]
struct Held {
    _registration: Option<Registration>,
    _exit: watch::Sender<Option<Exit>>,
    _watching: AbortOnDropHandle<()>,
}

/// How it stood at the last look.
#[derive(Clone, Debug)]
enum Standing {
    /// It answered, and has this.
    Up(About),
    /// It did not, for this reason.
    Away(String),
}

/// Takes a developer's server for a plugin.
///
/// # Errors
/// A [`Failure`] when its prefix cannot be used.
pub(crate) fn attach(
    config: &SubprocessConfig,
    registry: &Arc<Registry>,
    activation: Activation,
    attachment: Attachment,
) -> Result<Attached, Failure> {
    let unusable = |error: &dyn std::fmt::Display| {
        Failure::new(PHASE, format!("The plugin's prefix cannot be used: {error}."), "Give it another `routes_prefix`.")
    };
    let manifest = &activation.authority.manifest;
    let public = manifest.prefix().map_err(|error| unusable(&error))?.public();
    let name = attachment.name.as_deref().filter(|name| launch::fits_header(name));
    let takes_new_keys = attachment.is_mld.then_some(false);
    let session = Session::new(activation.call.clone(), manifest.plugin.slug.clone(), name, takes_new_keys);
    let served = Served::new(config.acts_after);
    let token = attachment.calls_back.then(Token::random);
    let registration = token.as_ref().map(|token| {
        let bearer = Bearer {
            session: Arc::clone(&session),
            served: Arc::clone(&served),
            activity: Activity::new(),
            trial_settings: None,
        };
        registry.register(token, bearer)
    });
    let environment = token.as_ref().map(|token| environment::of_attached(&config.platform_url, token, session.name()));
    let (exit, exit_seen) = watch::channel(None);
    let peer = Arc::new(Peer::new(Pool::of_port(attachment.address), token.as_ref(), exit_seen));
    let (standing, standing_seen) = watch::channel(Standing::Away("nobody has looked yet".to_owned()));
    let proxy = Proxy {
        session: Arc::clone(&session),
        authority: Arc::clone(&activation.authority),
        forwarded_prefix: HeaderValue::from_str(&public).map_err(|error| unusable(&error))?,
        paths: Paths::new(&public, attachment.own_prefix.as_deref()),
        is_mld: attachment.is_mld,
    };
    let watching = task::owned(look_on(Arc::clone(&peer), Arc::clone(&session), standing));
    let generation = AttachedGeneration {
        address: attachment.address,
        restart_wait: config.restart_wait,
        session,
        proxy,
        peer,
        served,
        standing: standing_seen,
        held: Mutex::new(Some(Held { _registration: registration, _exit: exit, _watching: watching })),
    };
    Ok(Attached { generation: Arc::new(generation), environment: environment.unwrap_or_default() })
}

/// Looks again and again, and gives each new start of the server its settings where it does not read them itself.
async fn look_on(peer: Arc<Peer>, session: Arc<Session>, standing: watch::Sender<Standing>) {
    let mut boot = String::new();
    loop {
        let pause = match shim::look(&peer).await {
            Ok(about) => {
                if about.awaits_settings() && about.boot() != boot {
                    hand_over_settings(&peer, &session).await;
                }
                about.boot().clone_into(&mut boot);
                standing.send_replace(Standing::Up(about));
                if boot.is_empty() { SEEN_LOOK_INTERVAL } else { LOOK_INTERVAL }
            }
            Err(silence) => {
                standing.send_replace(Standing::Away(silence.to_string()));
                LOOK_AGAIN
            }
        };
        tokio::time::sleep(pause).await;
    }
}

async fn hand_over_settings(peer: &Peer, session: &Session) {
    let handed = match settings::load(session.call()).await {
        Ok(stored) if stored.settings.as_object().is_none_or(Map::is_empty) => Ok(()),
        Ok(stored) => shim::apply(peer, &stored.settings, None).await.map_err(words),
        Err(error) => Err(error.public().message),
    };
    if let Err(reason) = handed {
        tracing::warn!(plugin.slug = %session.slug(), reason, "a development server did not take its settings");
    }
}

fn words(not_taken: NotTaken) -> String {
    match not_taken {
        NotTaken::Refused(words) => words,
        NotTaken::Silent(silence) => silence.to_string(),
    }
}

impl AttachedGeneration {
    /// Waits a moment for a server that does not answer: it may be loading new code.
    async fn ready(&self, deadline: Instant) -> Result<About, Fault> {
        let mut standing = self.standing.clone();
        let until = deadline.min(Instant::now() + self.restart_wait);
        let up = standing.wait_for(|standing| matches!(standing, Standing::Up(_)));
        let found = tokio::time::timeout_at(until, up).await;
        let found = found.map(|up| up.map(|standing| standing.clone()));
        match found.ok().and_then(Result::ok) {
            Some(Standing::Up(about)) => Ok(about),
            Some(Standing::Away(_)) | None => Err(Fault::Away(self.why_away())),
        }
    }

    fn why_away(&self) -> String {
        match &*self.standing.borrow() {
            Standing::Up(_) => "it was ended".to_owned(),
            Standing::Away(why) => why.clone(),
        }
    }

    fn about(&self) -> Option<About> {
        match &*self.standing.borrow() {
            Standing::Up(about) => Some(about.clone()),
            Standing::Away(_) => None,
        }
    }

    async fn tell(&self, call: &Call, event: Event) -> Result<Verdict, Fault> {
        let about = self.ready(call.deadline).await?;
        let Some(path) = about.path_of(event.kind()) else { return Ok(Verdict::Accept) };
        self.proxy.tell(&self.peer, None, path, call, &event).await.map_err(away)
    }
}

/// What is said of a process that is not running, said of a server that somebody else runs.
fn away(fault: Fault) -> Fault {
    match fault {
        Fault::Down(why) => Fault::Away(why),
        other => other,
    }
}

#[async_trait]
impl Generation for AttachedGeneration {
    async fn handle(&self, call: Call, incoming: Incoming) -> Result<Response<Body>, Fault> {
        self.ready(call.deadline).await?;
        self.served.note(&call.actor);
        self.proxy.forward(&self.peer, None, &call, incoming.presented(&call)).await.map_err(away)
    }

    async fn open(&self, call: Call, incoming: Incoming) -> Result<Opened, Fault> {
        self.ready(call.deadline).await?;
        self.served.note(&call.actor);
        self.proxy.open(&self.peer, None, &call, incoming.presented(&call)).await.map_err(away)
    }

    fn follows(&self) -> BTreeSet<HookKind> {
        // Without a secret it cannot know that it is the platform who asks.
        let is_trusted = self.peer.token().is_some();
        self.about().filter(|_| is_trusted).map(|about| about.follows()).unwrap_or_default()
    }

    async fn before_save(&self, call: Call, event: SaveEvent) -> Result<Verdict, Fault> {
        self.tell(&call, Event::BeforeSave(event)).await
    }

    async fn after_save(&self, call: Call, event: SaveEvent) -> Result<(), Fault> {
        self.tell(&call, Event::AfterSave(event)).await.map(drop)
    }

    async fn status_changed(&self, call: Call, experiment: ExperimentId, old: &str, new: &str) -> Result<(), Fault> {
        let event = Event::StatusChanged { experiment, old: old.to_owned(), new: new.to_owned() };
        self.tell(&call, event).await.map(drop)
    }

    async fn check_health(&self) -> Health {
        let silent = |why: String| Health::unhealthy(format!("The development server does not answer: {why}."));
        match self.about() {
            None => silent(self.why_away()),
            Some(about) if about.boot().is_empty() => {
                let message = Some("The development server answers.".to_owned());
                Health { status: HealthStatus::Healthy, message, ..Health::unknown() }
            }
            Some(_) => shim::health(&self.peer).await.unwrap_or_else(|silence| silent(silence.to_string())),
        }
    }

    /// A server that reads its settings when it starts has the new ones after its next reload.
    async fn apply_settings(&self, settings: Unsealed) -> Result<(), String> {
        if self.session.is_own_change(&settings) || !self.about().is_some_and(|about| about.takes_settings()) {
            return Ok(());
        }
        shim::apply(&self.peer, &settings, None).await.map_err(words)
    }

    /// It may come back as long as somebody holds it.
    async fn failed(&self) -> Failure {
        std::future::pending().await
    }

    fn status(&self) -> Value {
        let answers = self.about().is_some();
        json!({
            "server": if answers { "up" } else { "away" },
            "address": self.address.to_string(),
            "reason": (!answers).then(|| self.why_away()),
            "calls_after_requests": self.served.under_way(),
        })
    }

    /// The server itself is its developer's to end; it is forgotten here.
    async fn stop(&self, _grace: Duration) {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).take();
        self.peer.pool().close();
    }
}
