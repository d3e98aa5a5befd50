//! Puts a snapshot back: tables, files, settings and release as they were. The plugin does not answer meanwhile; what goes
//! wrong puts back what was there before.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use mint_context::{Error, Result, runtime::Release};
use mint_domain::{Kind, OperationId, Permission, Refusal, SnapshotId, State, lifecycle::Event};
use mint_store::{
    operations::{self, Lease},
    releases, snapshots,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    super::Install, STAGE, START, approve, changed_back, compare, mark, migrate, replace, retire, snapshot, trial, unexpected,
};
use crate::{
    Caller, Platform,
    install::{Decision, Upload, out_of_order},
    launch::{Begun, Foreseen, Launch},
    operation::{Change, Step, Stop, nothing_to_undo, said},
    state::advance,
};

const UNPACK: Step<Install> = Step { name: "unpack", run: unpack, undo: nothing_to_undo, would: unpack, may_be_cut: true };
const STOP: Step<Install> =
    Step { name: "stop", run: stop, undo: start_again, would: |_| said("stops it on every server"), may_be_cut: false };
const PUT_BACK: Step<Install> = Step {
    name: "restore",
    run: put_back,
    undo: put_forth,
    would: |_| said("puts the tables, files and settings of the snapshot in the place of what it has"),
    may_be_cut: false,
};
const MIGRATE: Step<Install> = Step {
    name: "migrate",
    run: catch_up,
    undo: nothing_to_undo,
    would: |_| said("applies those migrations that the tables of then do not have, if there are any"),
    may_be_cut: false,
};

pub(in crate::install) const RESTORE: Change<Install> = Change {
    kind: "restore",
    can_stop: true,
    steps: &[
        UNPACK,
        compare::STEP,
        approve::STEP,
        mark::STEP,
        STAGE,
        snapshot::STEP,
        STOP,
        PUT_BACK,
        MIGRATE,
        START,
        replace::STEP,
        trial::STEP,
        retire::STEP,
    ],
};

/// What is taken when nothing else is changed.
pub(in crate::install) const SNAPSHOT: Change<Install> = Change {
    kind: "snapshot",
    can_stop: false,
    steps: &[snapshot::STEP, Step { name: "prune", run: prune, undo: nothing_to_undo, would: would_prune, may_be_cut: false }],
};

/// What to put back.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Restore {
    /// The snapshot.
    #[schema(value_type = i64)]
    pub snapshot: SnapshotId,
    /// What is granted on top of what is.
    #[serde(default)]
    #[schema(value_type = Vec<String>)]
    pub grants: Vec<mint_domain::Capability>,
    /// Lets migrations that the data lack take away what earlier releases use.
    #[serde(default)]
    pub allow_destructive: bool,
}

/// What an interrupted operation must know to be undone by another process.
#[derive(Debug, Serialize, Deserialize)]
struct Input {
    snapshot: SnapshotId,
    version: String,
    generation: i64,
    previous: State,
}

impl Platform {
    /// Begins to take a snapshot. The operation runs on after this returns.
    ///
    /// # Errors
    /// `PERMISSION_DENIED`, `NOT_FOUND`, `CONFLICT` while another operation on this plugin runs.
    pub async fn snapshot_plugin(self: &Arc<Self>, caller: Caller, slug: &str, dry_run: bool) -> Result<Begun> {
        let _permit = caller.call(self.services()).permit_person(Permission::PluginsInstall)?;
        let mut install = Install::resume(self.clone(), caller.clone(), slug).await?;
        install.reason = "asked";
        let (plugin, input) = (slug.to_owned(), json!({}));
        self.launch(&caller, Launch { plugin, input, change: &SNAPSHOT, state: install, on_failure: unexpected, dry_run }).await
    }

    /// Begins to put a snapshot back.
    ///
    /// # Errors
    /// `PERMISSION_DENIED`, `NOT_FOUND`, `CONFLICT` while another operation on this plugin runs.
    pub async fn restore_snapshot(self: &Arc<Self>, caller: Caller, slug: &str, to: Restore, dry_run: bool) -> Result<Begun> {
        let _permit = caller.call(self.services()).permit_person(Permission::PluginsInstall)?;
        let mut install = Install::resume(self.clone(), caller.clone(), slug).await?;
        let installation = install.installation.clone().ok_or_else(|| crate::operation::not_installed(slug))?;
        let snapshot = self.snapshot(&installation, to.snapshot).await?;
        let input = Input {
            snapshot: snapshot.id,
            version: snapshot.version.clone(),
            generation: installation.generation,
            previous: installation.state.clone(),
        };
        install.reason = "restore";
        install.snapshot = Some(snapshot);
        install.decision = Decision { grants: to.grants, allow_destructive: to.allow_destructive, ..Decision::default() };
        let (plugin, input) = (slug.to_owned(), json!(input));
        self.launch(&caller, Launch { plugin, input, change: &RESTORE, state: install, on_failure: unexpected, dry_run }).await
    }

    /// Tells what it would do to put back a backup that comes as a file. Nothing is kept of it.
    ///
    /// # Errors
    /// `PERMISSION_DENIED`, `NOT_FOUND`, `plugin.snapshot_broken`, `CONFLICT` while another operation on this plugin runs.
    pub async fn foresee_restore(
        self: &Arc<Self>,
        caller: &Caller,
        slug: &str,
        upload: Upload,
        allow_destructive: bool,
    ) -> Result<Foreseen> {
        let _permit = caller.call(self.services()).permit_person(Permission::PluginsInstall)?;
        let (_, release) = self.whose_backup(caller, slug, &upload).await?;
        let mut install = Install::resume(self.clone(), caller.clone(), slug).await?;
        install.reason = "restore";
        install.unpacked = Some(self.unpack_backup(slug, &upload).await?);
        install.of_release = Some(release);
        install.decision = Decision { allow_destructive, ..Decision::default() };
        self.foresee(caller, slug.to_owned(), &RESTORE, &mut install).await
    }

    /// Ends a restore whose process died: it is done if the release was switched, else what was there before is put back.
    pub(crate) async fn end_restore(
        &self,
        caller: &Caller,
        slug: &str,
        input: Value,
        lease: Lease,
    ) -> Result<(&'static str, Value)> {
        let Ok(Input { version, generation, previous, .. }) = serde_json::from_value(input) else {
            return Ok(("undone", json!({ "code": "plugin.interrupted", "message": "The server stopped in the middle of it." })));
        };
        let (installation, _) = self.find_installation(caller, slug).await?;
        if installation.generation > generation {
            return Ok(("done", json!({ "changed": true })));
        }
        let mut tx = self.services().db.read().await?;
        let before = snapshots::before(&mut tx, caller.tenant, lease.operation).await?;
        let changed = operations::steps(&mut tx, lease.operation).await?.iter().any(|step| step.name == PUT_BACK.name);
        drop(tx);
        if let Some(before) = before {
            if changed {
                let unpacked = self.unpack_snapshot(slug, &before).await?;
                self.put_back(caller, slug, &unpacked).await?;
            }
            self.forget_snapshot(caller.tenant, installation.id, &before).await?;
        }
        let mut tx = self.begin_under(lease).await?;
        let back = |state: &State| changed_back(state, previous);
        advance(&mut tx, installation.tenant_id, installation.id, back, self.services().clock.now()).await?;
        if let Some(unused) = releases::find(&mut tx, slug, &version).await? {
            releases::delete_unused(&mut tx, unused.id).await?;
        }
        tx.commit().await?;
        let message = "The server stopped before the snapshot was put back. Everything is as it was.";
        Ok(("undone", json!({ "code": "plugin.interrupted", "message": message })))
    }

    /// Forgets the snapshot that an interrupted change took, since nothing was changed.
    pub(crate) async fn forget_snapshot_before(&self, caller: &Caller, slug: &str, id: OperationId) -> Result<()> {
        let (installation, _) = self.find_installation(caller, slug).await?;
        let mut tx = self.services().db.read().await?;
        let before = snapshots::before(&mut tx, caller.tenant, id).await?;
        drop(tx);
        match before {
            Some(before) => self.forget_snapshot(caller.tenant, installation.id, &before).await,
            None => Ok(()),
        }
    }
}

fn unpack(install: &mut Install) -> BoxFuture<'_, Result<String, Stop>> {
    Box::pin(async move {
        let platform = install.platform.clone();
        let (unpacked, release) = match (install.unpacked.take(), install.of_release) {
            (Some(unpacked), Some(release)) => (unpacked, release),
            _ => {
                let snapshot = install.snapshot.clone().ok_or_else(|| out_of_order("snapshot"))?;
                let slug = install.installation()?.slug.clone();
                (platform.unpack_snapshot(&slug, &snapshot).await?, snapshot.release_id)
            }
        };
        let mut tx = platform.services().db.read().await?;
        let row = releases::get(&mut tx, release).await?.ok_or_else(|| out_of_order("release row"))?;
        drop(tx);
        let directory = platform.layout().release(&row.digest);
        let files = unpacked.about.files.iter().filter(|file| file.entry.is_some()).count();
        let note = format!("{} of {}, {files} files", row.version, unpacked.about.taken_at);
        install.release = Some(Arc::new(Release { manifest: Arc::new(row.manifest), digest: row.digest, directory }));
        install.unpacked = Some(unpacked);
        Ok(note)
    })
}

fn stop(install: &mut Install) -> BoxFuture<'_, Result<String, Stop>> {
    Box::pin(async move {
        let (tenant, id) = (install.caller.tenant, install.installation()?.id);
        // Not a state in which any replica lets it answer.
        install.advance(|state| if *state == State::Upgrading { vec![Event::Staged] } else { Vec::new() }).await?;
        install.platform.take_down(tenant, id).await;
        install.platform.taken_down_everywhere(id).await?;
        install.stopped = true;
        Ok("does not answer".to_owned())
    })
}

fn start_again(install: &mut Install) -> BoxFuture<'_, ()> {
    Box::pin(async move {
        let Some(old) = install.replaced.clone().filter(|old| install.stopped && old.state.serves()) else { return };
        let starting = install.platform.running().begin_starting(old.id).await;
        match install.platform.find_installation(&install.caller, &old.slug).await {
            Ok((_, release)) => install.platform.bring_up(&starting, &install.caller, old, &release).await,
            Err(error) => {
                tracing::warn!(
                    plugin.slug = old.slug,
                    error = &error as &dyn std::error::Error,
                    "a plugin could not be started yet"
                );
            }
        }
    })
}

fn put_back(install: &mut Install) -> BoxFuture<'_, Result<String, Stop>> {
    Box::pin(async move {
        install.touched = true;
        let unpacked = install.unpacked.as_ref().ok_or_else(|| out_of_order("snapshot"))?;
        let slug = &install.installation()?.slug;
        install.platform.put_back(&install.caller, slug, unpacked).await?;
        Ok("tables and files are as they were".to_owned())
    })
}

/// Does to older data what the release does to its tables. Newer data, it refuses.
fn catch_up(install: &mut Install) -> BoxFuture<'_, Result<String, Stop>> {
    Box::pin(async move {
        let version = install.release()?.manifest.plugin.version.clone();
        migrate::restored(install).await.map_err(|stop| match stop {
            Stop::Failed(failure) => {
                let message =
                    format!("The data do not fit {version}. {} {} Everything is as it was.", failure.reason, failure.hint);
                let refusal = Refusal::new(Kind::Conflict, "plugin.data_unfit", message);
                Stop::Refused(refusal.with(json!({ "failure": failure })))
            }
            other => other,
        })
    })
}

/// What was there before the snapshot was put back.
fn put_forth(install: &mut Install) -> BoxFuture<'_, ()> {
    Box::pin(async move {
        let (Some(id), Some(old), true) = (install.taken, install.replaced.clone(), install.touched) else { return };
        let restored = async {
            let before = install.platform.snapshot(&old, id).await?;
            let unpacked = install.platform.unpack_snapshot(&old.slug, &before).await?;
            install.platform.put_back(&install.caller, &old.slug, &unpacked).await?;
            Ok::<_, Error>(())
        };
        if let Err(error) = restored.await {
            // The snapshot stays, so that a person can put it back.
            install.taken = None;
            tracing::error!(plugin.slug = old.slug, snapshot.id = %id, error = &error as &dyn std::error::Error,
                "what was there before a restore could not be put back; restore this snapshot");
        }
    })
}

fn would_prune(install: &mut Install) -> BoxFuture<'_, Result<String, Stop>> {
    said(format!("deletes the oldest of more than {} snapshots", install.platform.snapshot_policy().kept))
}

fn prune(install: &mut Install) -> BoxFuture<'_, Result<String, Stop>> {
    Box::pin(async move {
        let (tenant, id) = (install.caller.tenant, install.installation()?.id);
        install.platform.prune_snapshots(tenant, id).await?;
        let kept = install.platform.snapshot_policy().kept;
        Ok(format!("at most {kept} are kept"))
    })
}
