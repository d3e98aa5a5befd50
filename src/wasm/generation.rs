//! A started component.

use std::{collections::BTreeSet, fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use http::Response;
use mint_context::{
    Call, Incoming,
    followers::{SaveEvent, Verdict},
    runtime::{Blame, Body, Fault, Generation, Health, HookKind, Work, Worked},
};
use mint_domain::{Capability, Digest, ExperimentId, Unsealed, lifecycle::Failure};
use serde_json::{Value, json};
use tokio::time::Instant;
use tokio_util::task::TaskTracker;

use crate::{engine::ResetPath, guest::Guests, http::handle, jobs, lifecycle};

/// Longest time for a component to say how it is.
const HEALTH_TIMEOUT: Duration = Duration::from_secs(5);

/// A started component of one installation.
pub(crate) struct Component {
    /// What runs its calls.
    pub guests: Arc<Guests>,
    /// A call without a person.
    pub call: Call,
    /// The digest of the component.
    pub digest: Digest,
    /// How slots are made clean.
    pub reset_path: ResetPath,
    /// Guests that finish something after their response.
    pub tails: TaskTracker,
}

impl Component {
    /// A call without a person that ends in time.
    fn own_call(&self, patience: Duration) -> Call {
        Call { deadline: Instant::now() + patience, ..self.call.clone() }
    }

    fn patience(&self) -> Duration {
        Duration::from_millis(self.guests.instances.plugin.authority.limits().wall_ms_max)
    }
}

impl fmt::Debug for Component {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Component").field("digest", &self.digest).field("call", &self.call).finish_non_exhaustive()
    }
}

#[async_trait]
impl Generation for Component {
    async fn handle(&self, call: Call, incoming: Incoming) -> Result<Response<Body>, Fault> {
        handle(&self.guests, &self.tails, call, incoming).await
    }

    fn follows(&self) -> BTreeSet<HookKind> {
        // Designs are for those who may read them.
        let instances = &self.guests.instances;
        match &instances.exports.hooks {
            Some(_) if instances.plugin.authority.grants().allow(&Capability::ExperimentsRead) => {
                BTreeSet::from([HookKind::BeforeSave, HookKind::AfterSave, HookKind::StatusChanged])
            }
            Some(_) | None => BTreeSet::new(),
        }
    }

    async fn before_save(&self, call: Call, event: SaveEvent) -> Result<Verdict, Fault> {
        lifecycle::before_save(&self.guests, call, self.patience(), event).await
    }

    async fn after_save(&self, call: Call, event: SaveEvent) -> Result<(), Fault> {
        lifecycle::after_save(&self.guests, call, self.patience(), event).await
    }

    async fn status_changed(&self, call: Call, experiment: ExperimentId, old: &str, new: &str) -> Result<(), Fault> {
        lifecycle::status_changed(&self.guests, call, self.patience(), experiment.0, old.to_owned(), new.to_owned()).await
    }

    async fn run_job(&self, call: Call, work: Work) -> Result<Worked, Fault> {
        jobs::run(&self.guests, call, work).await
    }

    async fn check_health(&self) -> Health {
        let said = lifecycle::check_health(&self.guests, self.own_call(HEALTH_TIMEOUT), HEALTH_TIMEOUT).await;
        said.unwrap_or_else(|fault| match fault.blame() {
            Blame::Plugin => Health::unhealthy(fault.public().message),
            Blame::Host | Blame::Client => Health { message: Some(fault.public().message), ..Health::unknown() },
        })
    }

    async fn apply_settings(&self, settings: Unsealed) -> Result<(), String> {
        let patience = self.patience();
        let applied = lifecycle::apply_settings(&self.guests, self.own_call(patience), patience, settings.to_string()).await;
        applied.map_err(|fault| fault.public().message)??;
        // Instances that are warm may remember the old ones.
        self.guests.instances.plugin.set_settings(settings);
        self.guests.instances.renew();
        Ok(())
    }

    /// Whatever is not asked at every call stands in warm instances, and in the account of the files.
    fn obey(&self) {
        let plugin = &self.guests.instances.plugin;
        if let Some(files) = &plugin.files {
            files.limit(&plugin.authority.limits());
        }
        self.guests.instances.renew();
    }

    async fn failed(&self) -> Failure {
        self.guests.failed().await
    }

    fn status(&self) -> Value {
        let instances = &self.guests.instances;
        json!({
            "component": self.digest.to_string(),
            "exports": {
                "routes": instances.exports.routes.is_some(),
                "lifecycle": instances.exports.lifecycle.is_some(),
                "experiment_hooks": instances.exports.hooks.is_some(),
                "jobs": instances.exports.jobs.is_some(),
            },
            "warm_instances": instances.idle(),
            "faults_within_a_minute": self.guests.faults(),
            "reset_path": self.reset_path.as_str(),
        })
    }

    async fn stop(&self, grace: Duration) {
        let deadline = Instant::now() + grace;
        if let Err(fault) = lifecycle::shutdown(&self.guests, self.own_call(grace), grace).await {
            tracing::info!(plugin.slug = %self.guests.instances.plugin.authority.slug(), fault = %fault, "a component did not shut down by itself");
        }
        self.guests.instances.renew();
        self.tails.close();
        // What is not done by then is cut off by its own limits.
        let _done_or_not = tokio::time::timeout_at(deadline, self.tails.wait()).await;
    }
}
