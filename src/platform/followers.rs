//! Tells running plugins of experiments. Before a save they are asked one after the other, by slug; each sees what the
//! one before made of the design. Everything else they are told, and their failures change nothing.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use mint_context::{
    Call,
    followers::{Followers, SaveEvent, Verdict},
    runtime::{Fault, HookKind},
};
use mint_domain::{ExperimentId, InstallationId, Kind, Refusal, Unsealed, experiment::ExperimentStatus};
use serde_json::{Value, json};
use tokio::time::{Instant, timeout_at};

use crate::running::{Active, Running};

/// How long one plugin may think about one event.
const HOOK_TIMEOUT: Duration = Duration::from_secs(5);

#[async_trait]
impl Followers for Running {
    async fn before_save(&self, call: &Call, event: SaveEvent) -> Result<Value, Refusal> {
        let Some(_saving) = self.begin_saving(call.tenant, event.experiment) else {
            return Err(Refusal::conflict(
                "design",
                "experiment_id",
                "A design of this experiment is being saved right now. Try again in a moment.",
            ));
        };
        let mut event = event;
        for active in self.following(call, HookKind::BeforeSave) {
            let asked = event.clone();
            let verdict = hooked(call, &active, |plugin_call| active.plugin.before_save(plugin_call, asked)).await;
            match verdict {
                Ok(Verdict::Accept) => {}
                Ok(Verdict::Amend(data)) => event.data = data,
                Ok(Verdict::Veto(message)) => return Err(veto(&active, message)),
                Err(fault) => {
                    tracing::warn!(plugin.slug = %active.slug(), request.id = %call.request_id, error = %fault, "before_save failed, which is a veto");
                    return Err(veto(&active, "Plugin validation failed".to_owned()));
                }
            }
        }
        Ok(event.data)
    }

    async fn after_save(&self, call: &Call, event: SaveEvent) {
        for active in self.following(call, HookKind::AfterSave) {
            let told = event.clone();
            note(call, &active, hooked(call, &active, |plugin_call| active.plugin.after_save(plugin_call, told)).await);
        }
    }

    async fn status_changed(&self, call: &Call, experiment: ExperimentId, old: ExperimentStatus, new: ExperimentStatus) {
        for active in self.following(call, HookKind::StatusChanged) {
            let (old, new) = (old.as_str(), new.as_str());
            let told = hooked(call, &active, |plugin_call| active.plugin.status_changed(plugin_call, experiment, old, new)).await;
            note(call, &active, told);
        }
    }

    async fn settings_changed(&self, _call: &Call, installation: InstallationId, settings: Unsealed) -> Result<(), Refusal> {
        let Some(active) = self.get(installation) else { return Ok(()) };
        active.plugin.apply_settings(settings.clone()).await.map_err(|words| {
            Refusal::invalid(format!("The plugin refused the settings: {words}")).with(json!({ "plugin": active.slug() }))
        })?;
        active.given.took(settings);
        Ok(())
    }
}

impl Running {
    fn following(&self, call: &Call, kind: HookKind) -> Vec<Arc<Active>> {
        self.of_tenant(call.tenant).into_iter().filter(|active| active.plugin.follows().contains(&kind)).collect()
    }
}

/// Runs a hook with the follower's own authority, through its gate, and within its time.
async fn hooked<T, F>(call: &Call, active: &Active, hook: impl FnOnce(Call) -> F) -> Result<T, Fault>
where
    F: Future<Output = Result<T, Fault>>,
{
    let admission = call.deadline.min(Instant::now() + HOOK_TIMEOUT);
    let admitted = active.admission.enter_within(admission).await.map_err(|refusal| Fault::Down(refusal.message))?;
    let Some(_admitted) = admitted else { return Err(Fault::Down("it was being replaced".to_owned())) };
    // That it has to be started is no fault of the plugin: its time begins when it can answer.
    active.plugin.prepare(call.deadline).await?;
    let deadline = call.deadline.min(Instant::now() + HOOK_TIMEOUT);
    let plugin_call = Call { plugin: Some(active.authority.clone()), service: None, deadline, ..call.clone() };
    match timeout_at(deadline, hook(plugin_call)).await {
        Ok(outcome) => outcome,
        Err(_) => Err(Fault::Timeout(HOOK_TIMEOUT)),
    }
}

fn veto(active: &Active, message: String) -> Refusal {
    Refusal::new(Kind::Unprocessable, "EVENT_VETO", message).with(json!({ "plugin": active.slug() }))
}

fn note(call: &Call, active: &Active, told: Result<(), Fault>) {
    if let Err(fault) = told {
        active.usage.fault(fault.blame());
        tracing::warn!(plugin.slug = %active.slug(), request.id = %call.request_id, error = %fault, "a plugin failed to take an event");
    }
}
