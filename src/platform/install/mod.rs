//! Installing a plugin, and starting one again. The lists below are the whole of it; each step stands in a file of its own.
//!
//! What is wrong with the bundle itself is refused and nothing stays. What goes wrong when it is prepared or started
//! leaves the installation Failed, with the reason; a reload tries again from there.

mod adopt;
mod approve;
mod enable;
mod fallback;
mod frontend;
mod migrate;
mod plan;
mod register;
mod stage;
mod start;
mod switch;
mod upgrade;
mod verify;

use std::sync::Arc;

use futures_util::{FutureExt as _, future::BoxFuture};
use mint_bundle::Bundle;
use mint_context::{Result, runtime::Release};
use mint_domain::{
    ArchiveName, Capability, Grants, Mode, Permission, Plan, Refusal, ReleaseId, SnapshotId, State,
    lifecycle::{Event, Failure},
    limit::LimitChanges,
};
use mint_store::{Tx, archives::Archive, installations::Installation, operations::Lease, snapshots::Snapshot};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tempfile::TempDir;

pub(crate) use self::migrate::names;
pub use self::upgrade::{KeptRelease, Restore, RollBack};
use crate::{
    Caller, Platform, content,
    launch::{Begun, Launch},
    lease::Hold,
    migrations::RESET,
    operation::{Change, Step, Stop, Work},
    progress::Meter,
    running::Active,
    snapshots::Unpacked,
    state::advance,
};

const INSTALL: Change<Install> = Change {
    kind: "install",
    can_stop: true,
    steps: &[
        verify::STEP,
        frontend::STEP,
        plan::STEP,
        approve::STEP,
        register::STEP,
        stage::STEP,
        migrate::STEP,
        start::STEP,
        switch::STEP,
    ],
};

const START: &[Step<Install>] = &[stage::STEP, migrate::STEP, start::STEP, switch::STEP];
/// As an administrator asked for it.
const RELOAD: Change<Install> = Change { kind: "reload", can_stop: false, steps: START };
/// As the time of a quarantined plugin came.
const PROBE: Change<Install> = Change { kind: "probe", can_stop: false, steps: START };

fn all() -> [&'static Change<Install>; 9] {
    [
        &INSTALL,
        &adopt::INSTALL_WITH,
        &RELOAD,
        &PROBE,
        &enable::ENABLE,
        &upgrade::UPGRADE,
        &upgrade::ROLL_BACK,
        &upgrade::RESTORE,
        &upgrade::SNAPSHOT,
    ]
}

/// Every kind of change of an installation's releases, and the names of its steps.
pub fn changes() -> Vec<(&'static str, Vec<&'static str>)> {
    all().map(Change::names).into_iter().chain([RESET.names()]).collect()
}

/// Whether operations of a kind can be stopped before their switch.
pub(crate) fn can_be_stopped(kind: &str) -> bool {
    all().iter().any(|change| change.kind == kind && change.can_stop)
}

/// What an administrator decides when installing.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Decision {
    /// What is granted.
    #[serde(default)]
    pub grants: Vec<Capability>,
    /// Grants everything that the bundle asks for.
    #[serde(default)]
    pub grant_requested: bool,
    /// Limits that differ from the defaults.
    #[serde(default)]
    pub limits: LimitChanges,
    /// Runs it in this mode or not at all.
    #[serde(default)]
    pub mode: Option<Mode>,
    /// Gives it what an earlier installation of it left behind. Nothing for an upgrade.
    #[serde(default)]
    pub adopt: Option<ArchiveName>,
    /// Lets migrations take away what code of before may use, once none of it runs any more.
    #[serde(default)]
    pub allow_destructive: bool,
}

/// How to start a plugin again.
#[derive(Clone, Copy, Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct Reload {
    /// Lets migrations take away what code of before may use.
    #[param(required = false)]
    pub allow_destructive: bool,
    /// Only tells what it would do.
    #[param(required = false)]
    pub dry_run: bool,
}

/// A change in progress: what was asked for, and what the steps found out.
pub(crate) struct Install {
    platform: Arc<Platform>,
    caller: Caller,
    lease: Option<Lease>,
    upload: Option<Upload>,
    /// Where the bundle is unpacked when it is only asked what would be done.
    scratch: Option<TempDir>,
    decision: Decision,
    bundle: Option<Bundle>,
    release: Option<Arc<Release>>,
    plan: Option<Plan>,
    grants: Grants,
    installation: Option<Installation>,
    /// What was there of the plugin before it was installed.
    kept: Kept,
    started: Option<Arc<Active>>,
    old: Option<Arc<Active>>,
    /// Why it is started, where it is started again.
    asked: Event,
    /// The installation as it was, where another release takes the place of one.
    replaced: Option<Installation>,
    /// Why a snapshot is taken.
    reason: &'static str,
    /// The snapshot that was taken before anything was changed.
    taken: Option<SnapshotId>,
    /// The snapshot to put back.
    snapshot: Option<Snapshot>,
    unpacked: Option<Unpacked>,
    /// The release of what was unpacked already.
    of_release: Option<ReleaseId>,
    /// The archive whose data became its own.
    adopted: Option<Archive>,
    /// Whether the plugin was stopped, and whether its data were touched.
    stopped: bool,
    touched: bool,
}

/// What an earlier installation left to the next one. It is not to be taken away with what was made for this one.
#[derive(Clone, Copy, Debug)]
struct Kept {
    tables: bool,
    files: bool,
}

/// A bundle on its way in; its file goes with the value.
#[derive(Debug)]
pub struct Upload(pub tempfile::TempPath);

impl Platform {
    /// Begins to install a bundle. The operation runs on after this returns, and after the client has gone.
    ///
    /// # Errors
    /// `PERMISSION_DENIED`, `CONFLICT` while another operation on this plugin runs, or what is wrong with the bundle.
    pub async fn install(self: &Arc<Self>, caller: Caller, upload: Upload, decision: Decision, dry_run: bool) -> Result<Begun> {
        let _permit = caller.call(self.services()).permit_person(Permission::PluginsInstall)?;
        let bundle = content::open(&upload.0).await?;
        let plugin = &bundle.manifest().plugin;
        let input = json!({ "slug": plugin.slug, "version": plugin.version, "digest": bundle.digest(), "decision": decision });
        let slug = plugin.slug.clone();
        let change = match &decision.adopt {
            Some(archive) => {
                self.adoptable(&caller, slug.as_str(), archive).await?;
                &adopt::INSTALL_WITH
            }
            None => &INSTALL,
        };
        let mut install = Install::new(self.clone(), caller.clone());
        install.upload = Some(upload);
        install.decision = decision;
        install.bundle = Some(bundle);
        let plugin = slug.to_string();
        self.launch(&caller, Launch { plugin, input, change, state: install, on_failure: failed, dry_run }).await
    }

    /// Begins to start a plugin again, from whatever state it is in.
    ///
    /// # Errors
    /// `PERMISSION_DENIED`, `NOT_FOUND`, `CONFLICT` while another operation on it runs.
    pub async fn reload(self: &Arc<Self>, caller: Caller, slug: &str, how: Reload) -> Result<Begun> {
        let _permit = caller.call(self.services()).permit_person(Permission::PluginsInstall)?;
        self.begin_reload(caller, slug, how).await
    }

    /// The same, for whoever was permitted already.
    pub(crate) async fn begin_reload(self: &Arc<Self>, caller: Caller, slug: &str, how: Reload) -> Result<Begun> {
        self.start_again(caller, slug, &RELOAD, Event::ReloadAsked, how).await
    }

    /// Begins to start a quarantined plugin again.
    pub(crate) async fn probe(self: &Arc<Self>, caller: Caller, slug: &str) -> Result<Begun> {
        self.start_again(caller, slug, &PROBE, Event::ProbeDue, Reload::default()).await
    }

    async fn start_again(
        self: &Arc<Self>,
        caller: Caller,
        slug: &str,
        change: &'static Change<Install>,
        asked: Event,
        how: Reload,
    ) -> Result<Begun> {
        let mut install = Install::resume(self.clone(), caller.clone(), slug).await?;
        if install.installation.as_ref().is_some_and(|row| row.state == State::Disabled) && asked != Event::EnableAsked {
            let message = format!("Plugin `{slug}` is disabled. Enable it: that starts it again.");
            return Err(Refusal::conflict("installation", "state", message).into());
        }
        install.asked = asked;
        install.decision.allow_destructive = how.allow_destructive;
        let (plugin, input) = (slug.to_owned(), json!({}));
        self.launch(&caller, Launch { plugin, input, change, state: install, on_failure: failed, dry_run: how.dry_run }).await
    }

    /// Finishes an install or reload whose process died.
    pub(crate) async fn resume_install(self: &Arc<Self>, caller: Caller, slug: &str, hold: Hold) -> Result<()> {
        let mut install = Install::resume(self.clone(), caller, slug).await?;
        self.run_operation(hold, &RELOAD, &mut install, failed).await.map(drop)
    }
}

impl Install {
    fn new(platform: Arc<Platform>, caller: Caller) -> Self {
        Self {
            platform,
            caller,
            lease: None,
            upload: None,
            scratch: None,
            decision: Decision::default(),
            bundle: None,
            release: None,
            plan: None,
            grants: Grants::default(),
            installation: None,
            kept: Kept { tables: true, files: true },
            started: None,
            old: None,
            asked: Event::ReloadAsked,
            replaced: None,
            reason: "upgrade",
            taken: None,
            snapshot: None,
            unpacked: None,
            of_release: None,
            adopted: None,
            stopped: false,
            touched: false,
        }
    }

    /// A change of an installation that is registered already.
    async fn resume(platform: Arc<Platform>, caller: Caller, slug: &str) -> Result<Self> {
        let (installation, release) = platform.find_installation(&caller, slug).await?;
        let mut install = Self::new(platform, caller);
        install.plan = Some(installation.plan());
        install.grants = installation.grants.clone();
        install.release = Some(release);
        install.installation = Some(installation);
        Ok(install)
    }

    fn installation(&self) -> Result<&Installation, Stop> {
        self.installation.as_ref().ok_or_else(|| out_of_order("installation"))
    }

    fn release(&self) -> Result<&Arc<Release>, Stop> {
        self.release.as_ref().ok_or_else(|| out_of_order("release"))
    }

    fn plan(&self) -> Result<&Plan, Stop> {
        self.plan.as_ref().ok_or_else(|| out_of_order("plan"))
    }

    /// Begins a transaction that counts only while this process has the operation in hand.
    ///
    /// # Errors
    /// It has not; the database's.
    async fn begin(&self) -> Result<Tx, mint_context::Error> {
        self.platform.begin_under(self.lease).await
    }

    /// What counts how far its step is.
    fn meter(&self) -> Arc<Meter> {
        self.lease.map(|lease| self.platform.meter(lease.operation)).unwrap_or_default()
    }

    /// Lets something happen to the installation.
    async fn advance(&mut self, events: impl FnOnce(&State) -> Vec<Event> + Send) -> Result<(), Stop> {
        let (tenant, id) = (self.caller.tenant, self.installation()?.id);
        let mut tx = self.begin().await?;
        let state = advance(&mut tx, tenant, id, events, self.platform.services().clock.now()).await?;
        tx.commit().await?;
        if let (Some(installation), Some(state)) = (&mut self.installation, state) {
            installation.state = state;
        }
        Ok(())
    }
}

impl Work for Install {
    fn hold(&mut self, lease: Lease) {
        self.lease = Some(lease);
    }

    fn let_go(&mut self) -> BoxFuture<'_, ()> {
        async move {
            self.upload = None;
            let Some(active) = self.started.take() else { return };
            // One that answers already is the reconciler's from now on.
            let up = self.platform.running().get(active.authority.installation);
            match up.is_some_and(|up| Arc::ptr_eq(&up, &active)) {
                true => self.platform.watch(&active),
                false => active.plugin.stop(start::GRACE).await,
            }
            if let Some(old) = self.old.take() {
                self.platform.drain(old).await;
            }
        }
        .boxed()
    }
}

/// The installation cannot run: it stays, with the reason, and what still runs of it is stopped.
fn failed(install: &mut Install, failure: Failure) -> BoxFuture<'_, ()> {
    Box::pin(async move {
        let Ok(installation) = install.installation() else { return };
        let (tenant, id) = (installation.tenant_id, installation.id);
        install.platform.take_down(tenant, id).await;
        if let Err(stop) = install.advance(|_| vec![Event::Faulted(failure)]).await {
            tracing::error!(installation.id = %id, error = ?stop, "the state of a failed plugin could not be written");
        }
    })
}

fn out_of_order(what: &'static str) -> Stop {
    Stop::Error(std::io::Error::other(format!("a step ran before the one that gives its {what}")).into())
}
