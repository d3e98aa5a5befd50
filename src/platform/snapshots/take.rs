//! Takes a snapshot, while the plugin goes on.

use std::{io, path::Path, sync::Arc};

use mint_bundle::archive::{ArchiveWriter, Written};
use mint_context::{Error, Result, database, secrets::keys_of};
use mint_domain::{Digest, Kind, Refusal, SnapshotId};
use mint_store::{
    installations::{self, Installation},
    operations::Lease,
    snapshots::{self, NewSnapshot},
    tables::saved::Part,
};
use rand::Rng as _;
use serde_json::json;
use tokio::sync::mpsc;

use super::{about::About, files};
use crate::{Caller, Platform, progress::Meter};

/// What a snapshot leaves to everybody else.
const ROOM_BYTES: u64 = 64 << 20;
/// Pieces on their way to the disk.
const PIECES: usize = 8;

/// Why a snapshot is taken, by which operation, and of which release the data are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Occasion<'a> {
    pub(crate) reason: &'static str,
    pub(crate) lease: Lease,
    pub(crate) version: &'a str,
    pub(crate) digest: Digest,
}

impl Platform {
    /// Writes tables, files and settings of an installation into an archive, and records it. Gives its id and its bytes.
    ///
    /// # Errors
    /// `plugin.no_room`, `plugin.unsaveable`, or the operation is another server's by now; then nothing was changed.
    pub(crate) async fn take_snapshot(
        &self,
        caller: &Caller,
        installation: &Installation,
        occasion: Occasion<'_>,
    ) -> Result<(SnapshotId, u64)> {
        let directory = self.layout().uploads();
        let meter = self.meter(occasion.lease.operation);
        meter.expect(self.expect_room(caller, installation, &directory).await?);
        let scratch = tempfile::Builder::new().prefix("snapshot-").tempdir_in(&directory)?;
        let archive = scratch.path().join("archive");
        let (about, written) = self.write_archive(caller, installation, occasion, (scratch.path(), &archive, meter)).await?;
        let name = format!("{:032x}.zip", rand::rng().random::<u128>());
        self.services().snapshots.put_file(name.clone(), &archive).await.map_err(full)?;
        let mut tx = self.begin_under(occasion.lease).await?;
        let new = NewSnapshot {
            installation: installation.id,
            release: installation.release_id,
            operation: Some(occasion.lease.operation),
            reason: occasion.reason,
            taken_by: &caller.actor.label(),
            file: &name,
            sha256: written.digest,
            size: i64::try_from(written.bytes).unwrap_or(i64::MAX),
            secret_keys: &keys_of(&about.settings),
        };
        let id = snapshots::insert(&mut tx, caller.tenant, &new, about.taken_at).await?;
        tx.commit().await?;
        Ok((id, written.bytes))
    }

    /// Refuses before anything is written what would fill the disk. Gives the bytes of tables and files.
    async fn expect_room(&self, caller: &Caller, installation: &Installation, directory: &Path) -> Result<u64> {
        let home = self.layout().plugin_data(&caller.tenant_slug, &installation.slug);
        let files = blocking(move || files::size(&home)).await??;
        let tables = database::size(self.services(), &caller.tenant_slug, &installation.slug).await?;
        // A copy of the tables, the archive, and the archive in the storage, which may be on the same disk.
        let needed = files.saturating_mul(2).saturating_add(tables.saturating_mul(3)).saturating_add(ROOM_BYTES);
        let disk = rustix::fs::statvfs(directory).map_err(io::Error::from)?;
        let free = disk.f_bavail.saturating_mul(disk.f_frsize);
        if free >= needed {
            return Ok(files.saturating_add(tables));
        }
        let message = format!(
            "The snapshot may need {} MiB, and {} MiB are free on the disk of {}. Make room, or delete older snapshots.",
            needed >> 20,
            free >> 20,
            directory.display()
        );
        Err(Refusal::new(Kind::QuotaExceeded, "plugin.no_room", message).with(json!({ "needed": needed, "free": free })).into())
    }

    async fn write_archive(
        &self,
        caller: &Caller,
        installation: &Installation,
        occasion: Occasion<'_>,
        (scratch, archive, meter): (&Path, &Path, Arc<Meter>),
    ) -> Result<(About, Written)> {
        let (tenant, slug) = (&caller.tenant_slug, &installation.slug);
        let (parts, received) = mpsc::channel(PIECES);
        let target = archive.to_owned();
        let writing = blocking(move || receive(&target, received, &meter));
        let reading = async {
            let tables = database::save(self.services(), tenant, slug, &scratch.join("tables"), &parts).await?;
            let home = self.layout().plugin_data(tenant, slug);
            let files = blocking(move || files::save(&home, &parts)).await??;
            let mut tx = self.services().db.read().await?;
            let row = installations::get(&mut tx, installation.tenant_id, installation.id).await?;
            let settings = row.ok_or_else(|| Refusal::not_found("installation", installation.id))?.settings;
            let about = About {
                plugin: slug.clone(),
                version: occasion.version.to_owned(),
                digest: occasion.digest,
                taken_at: self.services().clock.now(),
                settings,
                tables,
                files,
            };
            Ok::<_, Error>(about)
        };
        let (writer, about) = tokio::join!(writing, reading);
        // Why it was not written is the cause of why nothing more was handed out.
        let (writer, about) = (writer?.map_err(refused)?, about?);
        let described = about.clone();
        let written = blocking(move || writer.finish(described)).await?.map_err(refused)?;
        Ok((about, written))
    }
}

/// Writes what comes, until nothing comes any more.
fn receive(path: &Path, mut received: mpsc::Receiver<Part>, meter: &Meter) -> mint_bundle::Result<ArchiveWriter> {
    let mut writer = ArchiveWriter::create(path)?;
    while let Some(part) = received.blocking_recv() {
        match part {
            Part::Entry(name) => writer.entry(&name)?,
            Part::Bytes(bytes) => {
                writer.write(&bytes)?;
                meter.add(bytes.len() as u64);
            }
        }
    }
    Ok(writer)
}

/// What a full disk means for whoever asked.
pub(crate) fn refused(error: mint_bundle::Error) -> Error {
    match error {
        mint_bundle::Error::Io { path, source } => {
            if matches!(source.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge) {
                let message = format!("There is no room on the disk of {}. Make some, and try again.", path.display());
                return Refusal::new(Kind::QuotaExceeded, "plugin.no_room", message).into();
            }
            io::Error::new(source.kind(), format!("{}: {source}", path.display())).into()
        }
        other => Refusal::new(Kind::Conflict, "plugin.snapshot_broken", format!("The snapshot cannot be used: {other}.")).into(),
    }
}

/// A storage whose disk is full.
fn full(error: Error) -> Error {
    let causes = std::iter::successors(std::error::Error::source(&error), |cause| cause.source());
    let mut disks = causes.filter_map(|cause| cause.downcast_ref::<io::Error>());
    if !disks.any(|error| matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)) {
        return error;
    }
    let message = "There is no room in the storage of snapshots. Make some, and try again.";
    Refusal::new(Kind::QuotaExceeded, "plugin.no_room", message).into()
}

/// Does `work` where it may block.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    Ok(tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?)
}
