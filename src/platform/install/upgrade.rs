//! Putting another release in the place of one that answers. Until the new one has answered for a while, the old one is
//! there to answer again; what goes wrong before that leaves everything as it was.

mod compare;
mod contract;
mod mark;
mod replace;
mod restore;
mod retire;
mod snapshot;
mod trial;

use std::sync::Arc;

use futures_util::future::BoxFuture;
use mint_context::{Result, runtime::Release};
use mint_domain::{
    Kind, Permission, Refusal, State,
    lifecycle::{Event, Failure},
};
use mint_store::{
    history, installations,
    operations::Lease,
    releases::{self, Release as ReleaseRow},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use time::OffsetDateTime;

pub use self::restore::Restore;
pub(super) use self::restore::{RESTORE, SNAPSHOT};
use super::{Decision, Install, Upload, approve, frontend, migrate, stage, start, verify};
use crate::{
    Caller, Platform, content,
    launch::{Begun, Launch},
    operation::{Change, Step, Stop, not_installed, nothing_to_undo},
    state::advance,
};

const STAGE: Step<Install> =
    Step { name: "stage", run: stage_beside, undo: nothing_to_undo, would: stage::would, may_be_cut: true };
const MIGRATE: Step<Install> =
    Step { name: "migrate", run: migrate_beside, undo: nothing_to_undo, would: would_migrate, may_be_cut: true };
const START: Step<Install> = Step { name: "start", run: start_beside, undo: start::undo, would: start::would, may_be_cut: true };

pub(super) const UPGRADE: Change<Install> = Change {
    kind: "upgrade",
    can_stop: true,
    steps: &[
        verify::STEP,
        frontend::STEP,
        compare::STEP,
        approve::STEP,
        mark::STEP,
        STAGE,
        snapshot::STEP,
        MIGRATE,
        START,
        replace::STEP,
        trial::STEP,
        retire::STEP,
        contract::STEP,
    ],
};

/// As an upgrade, for a release that is here already.
pub(super) const ROLL_BACK: Change<Install> = Change {
    kind: "rollback",
    can_stop: true,
    steps: &[
        compare::STEP,
        approve::STEP,
        mark::STEP,
        STAGE,
        snapshot::STEP,
        MIGRATE,
        START,
        replace::STEP,
        trial::STEP,
        retire::STEP,
        contract::STEP,
    ],
};

/// Where to go back to.
#[derive(Clone, Debug, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RollBack {
    /// The version; the one before the present one where none is given.
    pub version: Option<String>,
    /// What is granted on top of what is.
    #[schema(value_type = Vec<String>)]
    pub grants: Vec<mint_domain::Capability>,
}

/// A release that answered for an installation.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct KeptRelease {
    /// Its version.
    pub version: String,
    /// Since when it answered.
    #[serde(with = "time::serde::rfc3339")]
    pub began_at: OffsetDateTime,
    /// Until when; null for the active one.
    #[serde(with = "time::serde::rfc3339::option")]
    pub ended_at: Option<OffsetDateTime>,
}

/// What an interrupted operation must know to be ended by another process.
#[derive(Debug, Serialize, Deserialize)]
struct Input {
    version: String,
    digest: mint_domain::Digest,
    previous: State,
    decision: Decision,
}

impl Platform {
    /// Passes if there is such a plugin, and the caller may change it.
    ///
    /// # Errors
    /// `PERMISSION_DENIED`, `NOT_FOUND`.
    pub async fn expect_installed(&self, caller: &Caller, slug: &str) -> Result<()> {
        let _permit = caller.call(self.services()).permit_person(Permission::PluginsInstall)?;
        self.find_installation(caller, slug).await.map(drop)
    }

    /// Begins to put another release in the place of the active one. The operation runs on after this returns.
    ///
    /// # Errors
    /// `PERMISSION_DENIED`, `NOT_FOUND`, `CONFLICT` while another operation on this plugin runs, or what is wrong with the
    /// bundle.
    pub async fn upgrade(
        self: &Arc<Self>,
        caller: Caller,
        slug: &str,
        upload: Upload,
        decision: Decision,
        dry_run: bool,
    ) -> Result<Begun> {
        let _permit = caller.call(self.services()).permit_person(Permission::PluginsInstall)?;
        let bundle = content::open(&upload.0).await?;
        let plugin = &bundle.manifest().plugin;
        if plugin.slug.as_str() != slug {
            return Err(Refusal::invalid(format!("The bundle is one of `{}`, not of `{slug}`.", plugin.slug)).into());
        }
        if decision.adopt.is_some() {
            let message = "An archive is adopted when a plugin is installed, not when it is upgraded.";
            return Err(Refusal::invalid(message).into());
        }
        let mut install = Install::resume(self.clone(), caller.clone(), slug).await?;
        let previous = install.installation().map_err(|_| not_installed(slug))?.state.clone();
        let input = Input { version: plugin.version.clone(), digest: bundle.digest(), previous, decision: decision.clone() };
        install.upload = Some(upload);
        install.decision = decision;
        install.bundle = Some(bundle);
        let (plugin, input) = (slug.to_owned(), json!(input));
        self.launch(&caller, Launch { plugin, input, change: &UPGRADE, state: install, on_failure: unexpected, dry_run }).await
    }

    /// Begins to put an earlier release back in its place.
    ///
    /// # Errors
    /// `PERMISSION_DENIED`, `NOT_FOUND` also for a release that is not kept, `CONFLICT` while another operation on this
    /// plugin runs.
    pub async fn roll_back(self: &Arc<Self>, caller: Caller, slug: &str, to: RollBack, dry_run: bool) -> Result<Begun> {
        let _permit = caller.call(self.services()).permit_person(Permission::PluginsInstall)?;
        let mut install = Install::resume(self.clone(), caller.clone(), slug).await?;
        let installation = install.installation().map_err(|_| not_installed(slug))?;
        let row = self.kept(installation, to.version.as_deref()).await?;
        let decision = Decision { grants: to.grants, ..Decision::default() };
        let previous = installation.state.clone();
        let input = Input { version: row.version.clone(), digest: row.digest, previous, decision: decision.clone() };
        let directory = self.layout().release(&row.digest);
        install.release = Some(Arc::new(Release { manifest: Arc::new(row.manifest), digest: row.digest, directory }));
        install.decision = decision;
        install.reason = "rollback";
        let (plugin, input) = (slug.to_owned(), json!(input));
        self.launch(&caller, Launch { plugin, input, change: &ROLL_BACK, state: install, on_failure: unexpected, dry_run }).await
    }

    /// The releases of a plugin that it can go back to, after the active one.
    ///
    /// # Errors
    /// `PERMISSION_DENIED`, `NOT_FOUND`.
    pub async fn kept_releases(&self, caller: &Caller, slug: &str) -> Result<Vec<KeptRelease>> {
        let _permit = caller.call(self.services()).permit_person(Permission::PluginsView)?;
        let (installation, _) = self.find_installation(caller, slug).await?;
        let mut tx = self.services().db.read().await?;
        let reigns = history::list(&mut tx, installation.id).await?;
        let kept =
            |reign: history::Reign| KeptRelease { version: reign.version, began_at: reign.began_at, ended_at: reign.ended_at };
        Ok(reigns.into_iter().map(kept).collect())
    }

    async fn kept(&self, installation: &installations::Installation, version: Option<&str>) -> Result<ReleaseRow> {
        let mut tx = self.services().db.read().await?;
        let reigns = history::list(&mut tx, installation.id).await?;
        let earlier = reigns.iter().filter(|reign| reign.release_id != installation.release_id);
        let found = match version {
            Some(version) => reigns.iter().find(|reign| reign.version == version),
            None => earlier.clone().next(),
        };
        let nothing = || {
            let known: Vec<_> = earlier.clone().map(|reign| reign.version.as_str()).collect();
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            let message = format!("There is no such release of `{}` to go back to. Kept: {known}.", installation.slug);
            Refusal::new(Kind::NotFound, "NOT_FOUND", message)
        };
        let reign = found.ok_or_else(nothing)?;
        Ok(releases::get(&mut tx, reign.release_id).await?.ok_or_else(nothing)?)
    }

    /// Ends an upgrade or a roll back whose process died: it is done if the release was replaced, else it never was.
    pub(crate) async fn end_upgrade(
        &self,
        caller: &Caller,
        slug: &str,
        input: Value,
        lease: Lease,
    ) -> Result<(&'static str, Value)> {
        let Ok(Input { version, digest, previous, decision }) = serde_json::from_value(input) else {
            return Ok(("undone", json!({ "code": "plugin.interrupted", "message": "The server stopped in the middle of it." })));
        };
        let (installation, release) = self.find_installation(caller, slug).await?;
        if release.digest == digest {
            if decision.allow_destructive {
                self.contract(caller, &installation, &release, &self.meter(lease.operation)).await;
            }
            return Ok(("done", json!({ "changed": true })));
        }
        self.forget_snapshot_before(caller, slug, lease.operation).await?;
        let mut tx = self.begin_under(lease).await?;
        let back = |state: &State| changed_back(state, previous);
        advance(&mut tx, installation.tenant_id, installation.id, back, self.services().clock.now()).await?;
        if let Some(unused) = releases::find(&mut tx, slug, &version).await? {
            releases::delete_unused(&mut tx, unused.id).await?;
        }
        tx.commit().await?;
        let message = "It was interrupted before the release was replaced. The one that was there is in its place.";
        Ok(("undone", json!({ "code": "plugin.interrupted", "message": message })))
    }
}

/// The events that give an installation the state back that it had before it was changed.
fn changed_back(state: &State, previous: State) -> Vec<Event> {
    match state {
        State::Upgrading | State::Migrating | State::Initializing => as_before(previous),
        _ => Vec::new(),
    }
}

/// The event that gives an installation the state back that it had before it was Upgrading.
fn as_before(previous: State) -> Vec<Event> {
    match previous {
        State::Failed(failure) => vec![Event::Faulted(failure)],
        State::Disabled => vec![Event::DisableAsked],
        _ => vec![Event::UpgradeUndone],
    }
}

fn stage_beside(install: &mut Install) -> BoxFuture<'_, Result<String, Stop>> {
    Box::pin(async move { (stage::STEP.run)(install).await.map_err(refused) })
}

fn migrate_beside(install: &mut Install) -> BoxFuture<'_, Result<String, Stop>> {
    Box::pin(async move { migrate::beside(install).await.map_err(refused) })
}

fn would_migrate(install: &mut Install) -> BoxFuture<'_, Result<String, Stop>> {
    Box::pin(async move { migrate::would_beside(install).await.map_err(refused) })
}

fn start_beside(install: &mut Install) -> BoxFuture<'_, Result<String, Stop>> {
    Box::pin(async move { (start::STEP.run)(install).await.map_err(refused) })
}

/// A release that cannot run is no failure of the installation: the old one goes on.
fn refused(stop: Stop) -> Stop {
    match stop {
        Stop::Failed(failure) => Stop::Refused(unfit(failure)),
        other => other,
    }
}

fn unfit(failure: Failure) -> Refusal {
    let message = format!("The new release does not run. {} {} The old one is in its place.", failure.reason, failure.hint);
    Refusal::new(Kind::Conflict, "plugin.release_failed", message).with(json!({ "failure": failure }))
}

/// No step of these ends in the installation's failure.
fn unexpected(install: &mut Install, failure: Failure) -> BoxFuture<'_, ()> {
    tracing::error!(plugin.slug = install.installation.as_ref().map(|row| row.slug.as_str()), error = %failure, "an upgrade failed");
    Box::pin(std::future::ready(()))
}
