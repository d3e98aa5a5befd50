//! What plugins that were removed left behind: where it stands, and its end.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use futures_util::future::BoxFuture;
use mint_context::{Result, database};
use mint_domain::{ArchiveName, Capability, Grants, Kind, Permission, Refusal, lifecycle::Failure};
use mint_store::{
    archives::{self, Archive},
    installations,
    operations::Lease,
    tables::rename,
};
use serde::Serialize;
use serde_json::{Value, json};
use time::OffsetDateTime;

use crate::{
    Caller, Platform,
    launch::{Begun, Launch},
    lease::Hold,
    operation::{Change, Step, Stop, Work, nothing_to_undo, said},
};

const PURGE: Change<Purge> = Change {
    kind: "purge",
    can_stop: false,
    steps: &[
        Step { name: "files", run: delete, undo: nothing_to_undo, would: would_delete, may_be_cut: false },
        Step {
            name: "remove",
            run: forget,
            undo: nothing_to_undo,
            would: |_| said("forgets the archive and its settings"),
            may_be_cut: false,
        },
    ],
};

/// The deletion of an archive, and the names of its steps.
pub fn change() -> (&'static str, Vec<&'static str>) {
    PURGE.names()
}

/// An archive, as people see it.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct ArchivedPlugin {
    /// Its name.
    #[schema(value_type = String)]
    pub name: ArchiveName,
    /// Slug of the plugin.
    pub plugin: String,
    /// Version of the release that answered last.
    pub version: String,
    /// Whether it has tables.
    pub tables: bool,
    /// Whether it has files.
    pub files: bool,
    /// Who removed the plugin.
    pub archived_by: String,
    /// When.
    #[serde(with = "time::serde::rfc3339")]
    pub archived_at: OffsetDateTime,
}

struct Purge {
    platform: Arc<Platform>,
    caller: Caller,
    lease: Option<Lease>,
    name: ArchiveName,
}

impl Platform {
    /// Archives of the caller's tenant, the latest first.
    ///
    /// # Errors
    /// `PERMISSION_DENIED`.
    pub async fn list_archives(&self, caller: &Caller) -> Result<Vec<ArchivedPlugin>> {
        let _permit = caller.call(self.services()).permit_person(Permission::PluginsView)?;
        let rows = archives::list(&mut self.services().db.read().await?, caller.tenant).await?;
        let shown = rows.into_iter().map(|row| ArchivedPlugin {
            plugin: row.name.plugin().to_string(),
            name: row.name,
            version: row.version,
            tables: row.has_tables,
            files: row.has_files,
            archived_by: row.archived_by,
            archived_at: row.archived_at,
        });
        Ok(shown.collect())
    }

    /// Begins to delete an archive. `confirm` is the slug of its plugin, to say that it is meant.
    ///
    /// # Errors
    /// `PERMISSION_DENIED`, `NOT_FOUND`, `VALIDATION_ERROR` without the confirmation, `CONFLICT` while another operation on
    /// its plugin runs.
    pub async fn purge_archive(
        self: &Arc<Self>,
        caller: Caller,
        name: &ArchiveName,
        confirm: &str,
        dry_run: bool,
    ) -> Result<Begun> {
        let _permit = caller.call(self.services()).permit_person(Permission::PluginsInstall)?;
        let found = archives::find(&mut self.services().db.read().await?, caller.tenant, name).await?;
        let found = found.ok_or_else(|| unknown(name))?;
        self.expect_archived(&found).await?;
        if !dry_run && confirm != name.plugin().as_str() {
            let message = "What the archive holds is lost. Give its plugin's slug as `confirm`, to say that it is meant.";
            return Err(Refusal::invalid(message).into());
        }
        let (plugin, input) = (name.plugin().to_string(), json!({ "archive": name }));
        let state = Purge { platform: self.clone(), caller: caller.clone(), lease: None, name: name.clone() };
        self.launch(&caller, Launch { plugin, input, change: &PURGE, state, on_failure: failed, dry_run }).await
    }

    /// Finishes the deletion of an archive whose process died.
    pub(crate) async fn resume_purge(self: &Arc<Self>, caller: Caller, input: &Value, hold: Hold) -> Result<()> {
        let name = archive_of(input).ok_or_else(|| io::Error::other("an operation does not say which archive it deletes"))?;
        let mut purge = Purge { platform: self.clone(), caller, lease: None, name };
        self.run_operation(hold, &PURGE, &mut purge, failed).await.map(drop)
    }

    /// An archive whose data can be taken up by a plugin that is about to be installed.
    ///
    /// # Errors
    /// `NOT_FOUND`; `CONFLICT` when it is another plugin's, or when there are data already.
    pub(crate) async fn adoptable(&self, caller: &Caller, slug: &str, name: &ArchiveName) -> Result<Archive> {
        if name.plugin().as_str() != slug {
            let message = format!("`{name}` is an archive of `{}`, not of `{slug}`.", name.plugin());
            return Err(Refusal::conflict("archive", "plugin", message).into());
        }
        let mut tx = self.services().db.read().await?;
        let archive = archives::find(&mut tx, caller.tenant, name).await?.ok_or_else(|| unknown(name))?;
        let is_installed = installations::find(&mut tx, caller.tenant, slug).await?.is_some();
        drop(tx);
        let home = self.layout().plugin_data(&caller.tenant_slug, slug);
        let has_files = blocking(move || holds_files(&home)).await?;
        if is_installed || has_files || database::exist(self.services(), &caller.tenant_slug, slug).await? {
            let message = format!(
                "`{slug}` has data of its own already, in whose place those of the archive do not come. Install it without the \
                 archive, and remove it with its data archived or purged."
            );
            return Err(Refusal::conflict("archive", "data", message).into());
        }
        self.expect_archived(&archive).await?;
        Ok(archive)
    }

    /// Passes where the files of an archive stand here, if it has any.
    async fn expect_archived(&self, archive: &Archive) -> Result<()> {
        let needs = if archive.has_files { Grants::new([Capability::Files]) } else { Grants::default() };
        self.expect_files(&needs).await
    }

    /// Gives tables and files of a plugin that does not run the name of an archive. Whether there are tables, and files.
    pub(crate) async fn put_away(&self, caller: &Caller, name: &ArchiveName) -> Result<(bool, bool)> {
        let tables = database::archive(self.services(), &caller.tenant_slug, name).await?;
        let (home, target) = self.homes(caller, name);
        Ok((tables, blocking(move || rename(&home, &target)).await?))
    }

    /// Gives archived tables and files the names back that they had.
    pub(crate) async fn take_out(&self, caller: &Caller, name: &ArchiveName) -> Result<()> {
        database::adopt(self.services(), &caller.tenant_slug, name).await?;
        let (home, source) = self.homes(caller, name);
        blocking(move || {
            // Directories without a file in them, at most: that was looked at.
            if source.is_dir() && home.is_dir() && !holds_files(&home)? {
                fs::remove_dir_all(&home)?;
            }
            rename(&source, &home)
        })
        .await?;
        Ok(())
    }

    /// Where files of a plugin stand, and where those of an archive.
    fn homes(&self, caller: &Caller, name: &ArchiveName) -> (PathBuf, PathBuf) {
        let home = self.layout().plugin_data(&caller.tenant_slug, name.plugin().as_str());
        (home, self.layout().plugin_data(&caller.tenant_slug, &name.to_string()))
    }
}

impl Work for Purge {
    fn hold(&mut self, lease: Lease) {
        self.lease = Some(lease);
    }
}

fn delete(purge: &mut Purge) -> BoxFuture<'_, Result<String, Stop>> {
    Box::pin(async move {
        let (platform, tenant) = (&purge.platform, &purge.caller.tenant_slug);
        database::delete_archived(platform.services(), tenant, &purge.name).await?;
        let (_, files) = platform.homes(&purge.caller, &purge.name);
        blocking(move || match fs::remove_dir_all(files) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            Ok(()) | Err(_) => Ok(()),
        })
        .await?;
        Ok("tables and files are deleted".to_owned())
    })
}

fn would_delete(purge: &mut Purge) -> BoxFuture<'_, Result<String, Stop>> {
    said(format!("deletes the tables and files of {} for good", purge.name))
}

fn forget(purge: &mut Purge) -> BoxFuture<'_, Result<String, Stop>> {
    Box::pin(async move {
        let (caller, now) = (&purge.caller, purge.platform.services().clock.now());
        let mut tx = purge.platform.begin_under(purge.lease).await?;
        archives::delete(&mut tx, caller.tenant, &purge.name).await?;
        caller.note(&mut tx, "archive.purge", purge.name.plugin().as_str(), &json!({ "archive": purge.name }), now).await?;
        tx.commit().await?;
        Ok("removed".to_owned())
    })
}

/// No step of this ends in a plugin's failure.
fn failed(purge: &mut Purge, failure: Failure) -> BoxFuture<'_, ()> {
    tracing::error!(archive = %purge.name, error = %failure, "an archive could not be deleted");
    Box::pin(std::future::ready(()))
}

/// The archive that an operation's input names.
pub(crate) fn archive_of(input: &Value) -> Option<ArchiveName> {
    let name = input.get("archive").or_else(|| input.pointer("/decision/adopt"))?;
    name.as_str()?.parse().ok()
}

fn unknown(name: &ArchiveName) -> Refusal {
    Refusal::new(Kind::NotFound, "NOT_FOUND", format!("There is no archive `{name}`: `mint plugin archives` lists them."))
}

/// Whether anything but directories stands under one.
fn holds_files(directory: &Path) -> io::Result<bool> {
    let entries = match fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        if !entry.file_type()?.is_dir() || holds_files(&entry.path())? {
            return Ok(true);
        }
    }
    Ok(false)
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> Result<T> {
    Ok(tokio::task::spawn_blocking(work).await.map_err(io::Error::other)??)
}
