//! A started installation: requests, events, health and the end of its process.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use http::{HeaderValue, Response};
use mint_context::{
    Call, Incoming,
    followers::{SaveEvent, Verdict},
    runtime::{Body, Fault, Generation, Health, HealthStatus, HookKind, Work, Worked},
    socket::Opened,
};
use mint_domain::{ExperimentId, Unsealed, lifecycle::Failure};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::{
    activity::InUse,
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
    last_health: Mutex<Option<Health>>,
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
            authority: Arc::clone(&setup.activation.authority),
            forwarded_prefix: HeaderValue::from_str(&setup.public_prefix).map_err(broken)?,
            paths: Paths::new(&setup.public_prefix, setup.launch.own_prefix()),
            is_mld: setup.launch.is_mld(),
        };
        let setup = Arc::new(setup);
        let supervisor = Supervisor::start(Arc::clone(&setup)).await?;
        Ok(Self { setup, supervisor, proxy, last_health: Mutex::default() })
    }

    async fn tell(&self, call: &Call, event: Event) -> Result<Verdict, Fault> {
        let Some(path) = self.about().and_then(|about| about.path_of(event.kind())) else { return Ok(Verdict::Accept) };
        let process = self.process(call).await?;
        let peer = Arc::clone(process.peer());
        self.proxy.tell(&peer, Some(process), path, call, &event).await
    }

    fn about(&self) -> Option<&About> {
        self.setup.about.get()
    }

    async fn process(&self, call: &Call) -> Result<InUse, Fault> {
        self.supervisor.ready(call.deadline, self.setup.config.restart_wait).await
    }

    /// Asks a process how it is. An executable has no way to say how it feels; that it answers is what can be known.
    async fn ask(&self, incarnation: &Incarnation) -> Health {
        let began = Instant::now();
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

    /// How it was when it was last asked. That it was unhealthy then says nothing of the process that is started next.
    fn last_health(&self) -> Health {
        let last = self.last_health.lock().unwrap_or_else(PoisonError::into_inner).clone();
        last.filter(|health| health.status != HealthStatus::Unhealthy).unwrap_or_else(|| Health {
            message: Some("Nobody wanted anything of it, so its process was stopped. It starts when somebody does.".to_owned()),
            ..Health::unknown()
        })
    }
}

#[async_trait]
impl Generation for IsolatedGeneration {
    async fn handle(&self, call: Call, incoming: Incoming) -> Result<Response<Body>, Fault> {
        let process = self.process(&call).await?;
        process.served.note(&call.actor);
        let peer = Arc::clone(process.peer());
        self.proxy.forward(&peer, Some(process), &call, incoming.presented(&call)).await
    }

    async fn open(&self, call: Call, incoming: Incoming) -> Result<Opened, Fault> {
        let process = self.process(&call).await?;
        process.served.note(&call.actor);
        let peer = Arc::clone(process.peer());
        self.proxy.open(&peer, Some(process), &call, incoming.presented(&call)).await
    }

    fn frontend(&self) -> Option<&str> {
        self.setup.launch.frontend()
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

    async fn run_job(&self, call: Call, work: Work) -> Result<Worked, Fault> {
        let Some(job) = call.job.clone() else { return Err(Fault::Host("a job without a claim".to_owned())) };
        let process = self.process(&call).await?;
        process.served.note(&call.actor);
        let peer = Arc::clone(process.peer());
        self.proxy.work(&peer, Some(process), &call, &job, &work).await
    }

    /// An idle process is not started for it, and is as it was.
    async fn check_health(&self) -> Health {
        let incarnation = match self.supervisor.look(self.setup.config.restart_wait).await {
            Ok(Some(incarnation)) => incarnation,
            Ok(None) => return self.last_health(),
            Err(fault) => return Health::unhealthy(fault.to_string()),
        };
        let health = self.ask(&incarnation).await;
        if health.status == HealthStatus::Unhealthy && !self.supervisor.is_up(&incarnation) {
            // It was stopped while it was asked.
            if let Ok(None) = self.supervisor.look(Duration::ZERO).await {
                return self.last_health();
            }
        }
        *self.last_health.lock().unwrap_or_else(PoisonError::into_inner) = Some(health.clone());
        health
    }

    async fn prepare(&self, deadline: Instant) -> Result<(), Fault> {
        self.supervisor.ready(deadline, self.setup.config.restart_wait).await.map(drop)
    }

    /// The running process takes them, or a new one reads them and takes its place, as its SDK allows.
    async fn apply_settings(&self, settings: Unsealed) -> Result<(), String> {
        if self.setup.session.is_own_change(&settings) {
            return Ok(());
        }
        self.supervisor.apply(settings).await
    }

    async fn is_at_work(&self) -> bool {
        let Launch::Python(_) = self.setup.launch else { return false };
        match self.supervisor.look(Duration::ZERO).await {
            Ok(Some(process)) => shim::jobs(process.peer()).await.is_ok_and(|jobs| jobs > 0),
            Ok(None) | Err(_) => false,
        }
    }

    async fn failed(&self) -> Failure {
        self.supervisor.failed().await
    }

    fn status(&self) -> Value {
        let mut status = self.supervisor.status();
        if let Some(status) = status.as_object_mut() {
            status.insert("sandbox".to_owned(), self.setup.level.as_json());
            if self.setup.config.warm_parent {
                status.insert("warm_parent".to_owned(), self.setup.warm.status());
            }
        }
        status
    }

    async fn stop(&self, grace: Duration) {
        self.supervisor.stop(grace).await;
    }
}
