//! Removing a plugin. Its results and objects belong to the experiments and stay; its own files and tables stay unless
//! purged.

use std::{io, sync::Arc};

use futures_util::future::BoxFuture;
use mint_context::{Result, database};
use mint_domain::{
    ArchiveName, Permission, Refusal, State,
    lifecycle::{Event, Failure},
};
use mint_store::{
    Tx,
    archives::{self, Archive},
    history,
    installations::{self, Installation},
    operations::Lease,
    releases,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    Caller, Platform,
    launch::{Begun, Launch},
    lease::Hold,
    operation::{Change, Step, Stop, Work, nothing_to_undo, said},
    state::advance,
};

const UNINSTALL: Change<Uninstall> = Change {
    kind: "uninstall",
    can_stop: false,
    steps: &[
        Step { name: "stop", run: stop, undo: fail, would: |_| said("stops it on every server"), may_be_cut: false },
        Step { name: "files", run: files, undo: put_back, would: would_move, may_be_cut: false },
        Step { name: "remove", run: remove, undo: nothing_to_undo, would: would_remove, may_be_cut: false },
    ],
};

/// The removal of an installation, and the names of its steps.
pub fn change() -> (&'static str, Vec<&'static str>) {
    UNINSTALL.names()
}

/// What becomes of the plugin's own files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DataAction {
    /// They stay, and are there again when the plugin is installed again.
    #[default]
    Keep,
    /// They get names of an archive, with the settings, from which a later installation can adopt them.
    Archive,
    /// They are deleted.
    Purge,
}

struct Uninstall {
    platform: Arc<Platform>,
    caller: Caller,
    lease: Option<Lease>,
    installation: Installation,
    version: String,
    input: Input,
    /// Whether tables and files are in the archive.
    put_away: (bool, bool),
}

/// What an interrupted removal must know to be finished.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Input {
    data: DataAction,
    /// What they are archived as.
    #[serde(default)]
    archive: Option<ArchiveName>,
}

impl Platform {
    /// Begins to remove a plugin.
    ///
    /// # Errors
    /// `PERMISSION_DENIED`, `NOT_FOUND`, `VALIDATION_ERROR` for a purge that `confirm` does not say to be meant, `CONFLICT` while
    /// another operation on it runs.
    pub async fn uninstall(
        self: &Arc<Self>,
        caller: Caller,
        slug: &str,
        data: DataAction,
        confirm: &str,
        dry_run: bool,
    ) -> Result<Begun> {
        let _permit = caller.call(self.services()).permit_person(Permission::PluginsInstall)?;
        let archive = slug.parse().ok().filter(|_| data == DataAction::Archive);
        let archive = archive.map(|slug| ArchiveName::new(slug, self.services().clock.now()));
        let state = Uninstall::new(self, caller.clone(), slug, Input { data, archive }).await?;
        if data == DataAction::Purge && !dry_run && confirm != slug {
            let message =
                "What the plugin holds is lost. Give its slug as `confirm`, to say that it is meant, or archive its data.";
            return Err(Refusal::invalid(message).into());
        }
        if data != DataAction::Keep {
            self.expect_files(&state.installation.grants).await?;
        }
        let (plugin, input) = (slug.to_owned(), json!(state.input));
        self.launch(&caller, Launch { plugin, input, change: &UNINSTALL, state, on_failure: failed, dry_run }).await
    }

    /// Finishes an uninstall whose process died.
    pub(crate) async fn resume_uninstall(self: &Arc<Self>, caller: Caller, slug: &str, input: Value, hold: Hold) -> Result<()> {
        let input = serde_json::from_value(input).unwrap_or(Input { data: DataAction::Keep, archive: None });
        let mut uninstall = Uninstall::new(self, caller, slug, input).await?;
        self.run_operation(hold, &UNINSTALL, &mut uninstall, failed).await.map(drop)
    }
}

impl Uninstall {
    async fn new(platform: &Arc<Platform>, caller: Caller, slug: &str, input: Input) -> Result<Self> {
        let (installation, release) = platform.find_installation(&caller, slug).await?;
        let version = release.manifest.plugin.version.clone();
        Ok(Self { platform: platform.clone(), caller, lease: None, installation, version, input, put_away: (false, false) })
    }

    fn archive(&self, name: &ArchiveName) -> Archive {
        let (has_tables, has_files) = self.put_away;
        Archive {
            tenant_id: self.installation.tenant_id,
            name: name.clone(),
            version: self.version.clone(),
            settings: self.installation.settings.clone(),
            has_tables,
            has_files,
            archived_by: self.caller.actor.label(),
            archived_at: self.platform.services().clock.now(),
        }
    }

    /// Begins a transaction that counts only while this process has the operation in hand.
    async fn begin(&self) -> Result<Tx> {
        self.platform.begin_under(self.lease).await
    }
}

impl Work for Uninstall {
    fn hold(&mut self, lease: Lease) {
        self.lease = Some(lease);
    }
}

fn stop(uninstall: &mut Uninstall) -> BoxFuture<'_, Result<String, Stop>> {
    Box::pin(async move {
        let (tenant, id) = (uninstall.installation.tenant_id, uninstall.installation.id);
        let events = |state: &State| if *state == State::Uninstalling { Vec::new() } else { vec![Event::UninstallBegan] };
        let mut tx = uninstall.begin().await?;
        advance(&mut tx, tenant, id, events, uninstall.platform.services().clock.now()).await?;
        tx.commit().await?;
        uninstall.platform.take_down(tenant, id).await;
        uninstall.platform.taken_down_everywhere(id).await?;
        Ok("stopped".to_owned())
    })
}

fn files(uninstall: &mut Uninstall) -> BoxFuture<'_, Result<String, Stop>> {
    Box::pin(async move {
        match (uninstall.input.data, uninstall.input.archive.clone()) {
            (DataAction::Archive, Some(name)) => {
                uninstall.put_away = uninstall.platform.put_away(&uninstall.caller, &name).await?;
                return Ok(format!("the plugin's own files, tables and settings are archived as {name}"));
            }
            (DataAction::Keep | DataAction::Archive, _) => return Ok("the plugin's own files and tables are kept".to_owned()),
            (DataAction::Purge, _) => {}
        }
        let (tenant, services) = (&uninstall.caller.tenant_slug, uninstall.platform.services());
        database::delete(services, tenant, &uninstall.installation.slug).await?;
        let directory = uninstall.platform.layout().plugin_data(&uninstall.caller.tenant_slug, &uninstall.installation.slug);
        match tokio::fs::remove_dir_all(&directory).await {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error.into()),
            Ok(()) | Err(_) => Ok("the plugin's own files and tables are deleted".to_owned()),
        }
    })
}

fn would_move(uninstall: &mut Uninstall) -> BoxFuture<'_, Result<String, Stop>> {
    said(match (uninstall.input.data, &uninstall.input.archive) {
        (DataAction::Archive, Some(_)) => "archives its tables, files and settings for a later installation",
        (DataAction::Purge, _) => "deletes its tables and files for good",
        _ => "keeps its tables and files",
    })
}

fn would_remove(uninstall: &mut Uninstall) -> BoxFuture<'_, Result<String, Stop>> {
    let settings = if uninstall.input.archive.is_some() { "" } else { ", its settings" };
    said(format!("forgets the installation of {}{settings}, its snapshots and the releases that only it uses", uninstall.version))
}

/// What was archived has its names again.
fn put_back(uninstall: &mut Uninstall) -> BoxFuture<'_, ()> {
    Box::pin(async move {
        let Some(name) = &uninstall.input.archive else { return };
        if let Err(error) = uninstall.platform.take_out(&uninstall.caller, name).await {
            tracing::error!(archive = %name, error = &error as &dyn std::error::Error,
                "data that were archived could not be given their names back; uninstall the plugin again");
        }
    })
}

/// It is still there, and does not run.
fn fail(uninstall: &mut Uninstall) -> BoxFuture<'_, ()> {
    Box::pin(async move {
        let (tenant, id) = (uninstall.installation.tenant_id, uninstall.installation.id);
        let failure = Failure::new("uninstall", "It could not be removed.", "Reload it, or uninstall it again.");
        let events = |state: &State| if *state == State::Uninstalling { vec![Event::Faulted(failure)] } else { Vec::new() };
        let undone = async {
            let mut tx = uninstall.begin().await?;
            advance(&mut tx, tenant, id, events, uninstall.platform.services().clock.now()).await?;
            Ok::<_, mint_context::Error>(tx.commit().await?)
        };
        if let Err(error) = undone.await {
            tracing::error!(installation.id = %id, error = %error, "the state of a plugin that could not be removed could not be written");
        }
    })
}

fn remove(uninstall: &mut Uninstall) -> BoxFuture<'_, Result<String, Stop>> {
    Box::pin(async move {
        let (caller, installation) = (&uninstall.caller, &uninstall.installation);
        let mut tx = uninstall.begin().await?;
        let kept = history::list(&mut tx, installation.id).await?;
        if let Some(name) = &uninstall.input.archive {
            archives::insert(&mut tx, &uninstall.archive(name)).await?;
        }
        installations::delete(&mut tx, installation.tenant_id, installation.id).await?;
        for reign in kept {
            releases::delete_unused(&mut tx, reign.release_id).await?;
        }
        let now = uninstall.platform.services().clock.now();
        caller.note(&mut tx, "plugin.uninstall", &installation.slug, &json!(uninstall.input), now).await?;
        tx.commit().await?;
        Ok("removed".to_owned())
    })
}

/// No step of an uninstall ends in a plugin's failure.
fn failed(uninstall: &mut Uninstall, failure: Failure) -> BoxFuture<'_, ()> {
    tracing::error!(plugin.slug = uninstall.installation.slug, error = %failure, "an uninstall failed");
    Box::pin(std::future::ready(()))
}
