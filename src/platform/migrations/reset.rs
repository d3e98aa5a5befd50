//! Setting tables back: the migrations beyond a revision are taken back, newest first, by the release that knows them, while
//! nobody answers with it. What runs then is for the administrator to say.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use mint_context::{Result, runtime::Release};
use mint_domain::{
    Kind, Permission, Refusal,
    lifecycle::{Event, Failure},
    migration::Migration,
};
use mint_store::{Tx, audit, installations::Installation, operations::Lease};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::History;
use crate::{
    Caller, Platform,
    install::names,
    launch::{Begun, Launch},
    lease::Hold,
    operation::{Change, Step, Stop, Work, nothing_to_undo, said},
    state::advance,
};

pub(crate) const RESET: Change<Resetting> = Change {
    kind: "reset",
    can_stop: false,
    steps: &[
        Step { name: "check", run: check, undo: nothing_to_undo, would: check, may_be_cut: false },
        Step { name: "stop", run: stop, undo: nothing_to_undo, would: |_| said("stops it on every server"), may_be_cut: false },
        Step { name: "revert", run: revert, undo: nothing_to_undo, would: would_revert, may_be_cut: false },
    ],
};

/// How far to set tables back.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Reset {
    /// The last migration that stays; zero for none.
    pub revision: u32,
    /// The plugin's slug, to say that it is meant: what later migrations brought is lost.
    pub confirm: String,
}

/// A reset in progress.
pub(crate) struct Resetting {
    platform: Arc<Platform>,
    caller: Caller,
    lease: Option<Lease>,
    installation: Installation,
    release: Arc<Release>,
    revision: u32,
}

impl Platform {
    /// Begins to set a plugin's tables back. Afterwards the plugin is Failed until it is rolled back or reloaded.
    ///
    /// # Errors
    /// `PERMISSION_DENIED`, `NOT_FOUND`, `VALIDATION_ERROR` without the confirmation, `CONFLICT` while another operation on it runs.
    pub async fn reset(self: &Arc<Self>, caller: Caller, slug: &str, to: Reset, dry_run: bool) -> Result<Begun> {
        let _permit = caller.call(self.services()).permit_person(Permission::PluginsInstall)?;
        let state = Resetting::new(self, caller.clone(), slug, to.revision).await?;
        if !dry_run && to.confirm != slug {
            let message = "What later migrations brought is lost. Give the plugin's slug as `confirm`, to say that it is meant.";
            return Err(Refusal::invalid(message).into());
        }
        let (plugin, input) = (slug.to_owned(), json!({ "revision": to.revision }));
        self.launch(&caller, Launch { plugin, input, change: &RESET, state, on_failure: failed, dry_run }).await
    }

    /// Finishes a reset whose process died.
    pub(crate) async fn resume_reset(self: &Arc<Self>, caller: Caller, slug: &str, input: &Value, hold: Hold) -> Result<()> {
        let revision = input.get("revision").and_then(Value::as_u64).and_then(|revision| u32::try_from(revision).ok());
        let mut resetting = Resetting::new(self, caller, slug, revision.unwrap_or(u32::MAX)).await?;
        self.run_operation(hold, &RESET, &mut resetting, failed).await.map(drop)
    }
}

impl Resetting {
    async fn new(platform: &Arc<Platform>, caller: Caller, slug: &str, revision: u32) -> Result<Self> {
        let (installation, release) = platform.find_installation(&caller, slug).await?;
        Ok(Self { platform: platform.clone(), caller, lease: None, installation, release, revision })
    }

    async fn history(&self) -> Result<Option<History>, Stop> {
        self.platform.runtime(self.installation.mode()).stage(&self.release, &self.installation.grants).await.map_err(unready)?;
        self.platform.history(&self.caller, &self.installation, &self.release).await.map_err(unready)
    }

    /// What is to be taken back, newest first.
    fn beyond(&self, history: &History) -> Vec<Migration> {
        let in_force = history.applied.iter().filter(|one| one.error.is_none()).map(|one| &one.migration);
        let mut beyond: Vec<Migration> = in_force.filter(|one| one.version > self.revision).cloned().collect();
        beyond.sort_by_key(|one| std::cmp::Reverse(one.version));
        beyond
    }

    async fn begin(&self) -> Result<Tx> {
        self.platform.begin_under(self.lease).await
    }

    async fn fail(&self, failure: Failure) -> Result<(), Stop> {
        let mut tx = self.begin().await?;
        let (tenant, id, now) = (self.caller.tenant, self.installation.id, self.platform.services().clock.now());
        advance(&mut tx, tenant, id, |_| vec![Event::Faulted(failure)], now).await?;
        Ok(tx.commit().await?)
    }
}

impl Work for Resetting {
    fn hold(&mut self, lease: Lease) {
        self.lease = Some(lease);
    }
}

fn check(resetting: &mut Resetting) -> BoxFuture<'_, Result<String, Stop>> {
    Box::pin(async move {
        let nothing =
            || Stop::Nothing(format!("The tables are not beyond revision {}; nothing was changed.", resetting.revision));
        let history = resetting.history().await?.ok_or_else(nothing)?;
        let beyond = resetting.beyond(&history);
        let unknown = beyond.iter().find(|one| history.declared.iter().all(|known| known.version != one.version));
        if let Some(unknown) = unknown {
            let message = format!(
                "The release that is installed does not know migration {} (`{}`), and cannot take it back. Install one that knows it.",
                unknown.version, unknown.name
            );
            return Err(Stop::Refused(Refusal::conflict("migration", "version", message)));
        }
        match beyond.last() {
            None => Err(nothing()),
            Some(last) => Ok(format!("{} to take back, down to {} ({})", beyond.len(), last.version, last.name)),
        }
    })
}

fn stop(resetting: &mut Resetting) -> BoxFuture<'_, Result<String, Stop>> {
    Box::pin(async move {
        let reason = format!("Its tables are being set back to revision {}.", resetting.revision);
        resetting.fail(Failure::new("reset", reason, "Wait until the operation has ended.")).await?;
        let (tenant, id) = (resetting.caller.tenant, resetting.installation.id);
        resetting.platform.take_down(tenant, id).await;
        resetting.platform.taken_down_everywhere(id).await?;
        Ok("stopped".to_owned())
    })
}

fn revert(resetting: &mut Resetting) -> BoxFuture<'_, Result<String, Stop>> {
    Box::pin(async move {
        let mut count = 0;
        if let Some(mut history) = resetting.history().await? {
            for migration in resetting.beyond(&history) {
                history.revert(&migration).await.map_err(Stop::Failed)?;
                count += 1;
            }
        }
        let (revision, version) = (resetting.revision, &resetting.release.manifest.plugin.version);
        let reason = format!("Its tables were set back to revision {revision}, which is before what {version} wants.");
        let hint = "Roll back to a release that ends there, or reload it to migrate forward again.";
        resetting.fail(Failure::new("reset", reason, hint)).await?;
        note(resetting).await?;
        Ok(format!("{count} taken back, to revision {revision}"))
    })
}

fn would_revert(resetting: &mut Resetting) -> BoxFuture<'_, Result<String, Stop>> {
    Box::pin(async move {
        let history = resetting.history().await?;
        let beyond = history.map(|history| resetting.beyond(&history)).unwrap_or_default();
        Ok(format!("takes back {}; it does not answer until it is rolled back or reloaded", names(&beyond)))
    })
}

async fn note(resetting: &Resetting) -> Result<()> {
    let (services, caller) = (resetting.platform.services(), &resetting.caller);
    let mut tx = resetting.begin().await?;
    let details = json!({ "revision": resetting.revision });
    let entry = audit::Entry {
        actor: &caller.actor.label(),
        action: "plugin.reset",
        entity: &format!("plugin:{}", resetting.installation.slug),
        request_id: caller.request_id.as_str(),
        details: &details,
    };
    audit::record(&mut tx, caller.tenant, &entry, services.clock.now()).await?;
    Ok(tx.commit().await?)
}

/// Before anything is stopped, what cannot be done is refused.
fn unready(failure: Failure) -> Stop {
    let message = format!("{} {}", failure.reason, failure.hint);
    Stop::Refused(Refusal::new(Kind::Conflict, "plugin.reset_impossible", message))
}

fn failed(resetting: &mut Resetting, failure: Failure) -> BoxFuture<'_, ()> {
    Box::pin(async move {
        if let Err(stop) = resetting.fail(failure).await {
            tracing::error!(installation.id = %resetting.installation.id, error = ?stop, "the state of a plugin that was being reset could not be written");
        }
    })
}
