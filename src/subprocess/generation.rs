//! A started installation: requests, events, health and the end of its process.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use async_trait::async_trait;
use http::{HeaderValue, Request, Response};
use mint_context::{
    Call,
    followers::{SaveEvent, Verdict},
    runtime::{Body, Fault, Generation, Health, HealthStatus, HookKind},
    socket::Opened,
};
use mint_domain::{ExperimentId, lifecycle::Failure};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::{
    events::Event,
    incarnation::{Incarnation, Setup},
    launch::Launch,
    proxy::{Paths, Proxy},
    shim::{self, About},
    supervisor::Supervisor,
};

/// A supervised process.
#[derive(Debug)]
pub(crate) struct IsolatedGeneration {
    setup: Arc<Setup>,
    supervisor: Supervisor,
    proxy: Proxy,
}

impl IsolatedGeneration {
    /// Starts the process and waits until it answers.
    ///
    /// # Errors
    /// A [`Failure`] with its own words.
    pub(crate) async fn start(setup: Setup) -> Result<Self, Failure> {
        let broken = |_| Failure::new("start", "The plugin's prefix cannot stand in a header.", "Change `routes_prefix`.");
        let proxy = Proxy {
            session: Arc::clone(&setup.session),
            limits: setup.activation.authority.limits.clone(),
            forwarded_prefix: HeaderValue::from_str(&setup.public_prefix).map_err(broken)?,
            paths: Paths::new(&setup.public_prefix, setup.launch.own_prefix()),
            is_mld: setup.launch.is_mld(),
        };
        let setup = Arc::new(setup);
        let supervisor = Supervisor::start(Arc::clone(&setup)).await?;
        Ok(Self { setup, supervisor, proxy })
    }

    async fn tell(&self, call: &Call, event: Event) -> Result<Verdict, Fault> {
        let Some(path) = self.about().and_then(|about| about.path_of(event.kind())) else { return Ok(Verdict::Accept) };
        self.proxy.tell(self.ready(call).await?.peer(), path, call, &event).await
    }

    fn about(&self) -> Option<&About> {
        self.setup.about.get()
    }

    async fn ready(&self, call: &Call) -> Result<Arc<Incarnation>, Fault> {
        let until = call.deadline.min(Instant::now() + self.setup.config.restart_wait);
        self.supervisor.ready(until).await
    }
}

#[async_trait]
impl Generation for IsolatedGeneration {
    async fn handle(&self, call: Call, request: Request<Body>) -> Result<Response<Body>, Fault> {
        let incarnation = self.ready(&call).await?;
        incarnation.served.note(&call.actor);
        self.proxy.forward(incarnation.peer(), &call, request).await
    }

    async fn open(&self, call: Call, request: Request<Body>) -> Result<Opened, Fault> {
        let incarnation = self.ready(&call).await?;
        incarnation.served.note(&call.actor);
        self.proxy.open(incarnation.peer(), &call, request).await
    }

    fn follows(&self) -> BTreeSet<HookKind> {
        self.about().map(About::follows).unwrap_or_default()
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

    /// An executable has no way to say how it feels; that it answers is what can be known.
    async fn check_health(&self) -> Health {
        let began = Instant::now();
        let incarnation = match self.supervisor.ready(began + self.setup.config.restart_wait).await {
            Ok(incarnation) => incarnation,
            Err(fault) => return Health::unhealthy(fault.to_string()),
        };
        let silent = |silence| Health::unhealthy(format!("Its process does not answer: {silence}."));
        if let Launch::Python(_) = self.setup.launch {
            return shim::health(incarnation.peer()).await.unwrap_or_else(silent);
        }
        match shim::probe(incarnation.peer(), &self.setup).await {
            Ok((status, _)) if status.is_server_error() => {
                Health::unhealthy(format!("Its process answers with the status {status}."))
            }
            Ok((status, _)) => Health {
                status: HealthStatus::Healthy,
                message: Some("Its process answers.".to_owned()),
                details: json!({ "status": status.as_u16(), "answered_after_ms": began.elapsed().as_millis() as u64 }),
            },
            Err(silence) => silent(silence),
        }
    }

    /// The running process takes them, or a new one reads them and takes its place, as its SDK allows.
    async fn apply_settings(&self, settings: Value) -> Result<(), String> {
        if self.setup.session.is_own_change(&settings) {
            return Ok(());
        }
        self.supervisor.apply(settings).await
    }

    async fn failed(&self) -> Failure {
        self.supervisor.failed().await
    }

    fn status(&self) -> Value {
        let mut status = self.supervisor.status();
        if let Some(status) = status.as_object_mut() {
            status.insert("sandbox".to_owned(), self.setup.level.as_json());
        }
        status
    }

    async fn stop(&self, grace: Duration) {
        self.supervisor.stop(grace).await;
    }
}
