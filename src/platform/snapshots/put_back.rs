//! What a snapshot holds, in the place of what an installation holds.

use std::path::PathBuf;

use mint_bundle::archive::Archive;
use mint_context::{Error, Result, database};
use mint_domain::{Digest, Kind, Refusal};
use mint_store::snapshots::Snapshot;
use tempfile::TempDir;

use super::{
    about::About,
    files,
    keep::UPLOADED,
    take::{blocking, refused},
};
use crate::{Caller, Platform, install::Upload};

/// Bytes of an archive, unpacked.
pub(super) const UNPACKED_BYTES_MAX: u64 = 64 << 30;

/// An archive that was read to its end; its files go with the value.
#[derive(Debug)]
pub(crate) struct Unpacked {
    pub(crate) about: About,
    /// Whether it came as a file from somewhere.
    foreign: bool,
    directory: TempDir,
}

impl Unpacked {
    fn entries(&self) -> PathBuf {
        self.directory.path().join("entries")
    }
}

impl Platform {
    /// Reads an archive through, and lays out what it holds.
    ///
    /// # Errors
    /// `plugin.snapshot_broken`, `plugin.no_room`.
    pub(crate) async fn unpack_snapshot(&self, slug: &str, snapshot: &Snapshot) -> Result<Unpacked> {
        let directory = tempfile::Builder::new().prefix("restore-").tempdir_in(self.layout().uploads())?;
        let (path, digest, target) = (directory.path().join("archive"), snapshot.sha256, directory.path().join("entries"));
        self.services().snapshots.get_file(&snapshot.file, &path).await?;
        let about = unpack(path, Some(digest), target, slug).await?;
        Ok(Unpacked { about, foreign: snapshot.reason == UPLOADED, directory })
    }

    /// The same of a file that is not among the snapshots.
    ///
    /// # Errors
    /// As [`Platform::unpack_snapshot`].
    pub(crate) async fn unpack_backup(&self, slug: &str, upload: &Upload) -> Result<Unpacked> {
        let directory = tempfile::Builder::new().prefix("restore-").tempdir_in(self.layout().uploads())?;
        let about = unpack(upload.0.to_path_buf(), None, directory.path().join("entries"), slug).await?;
        Ok(Unpacked { about, foreign: true, directory })
    }

    /// Puts tables and files in the place of those that an installation has. It must not run. Safe to repeat.
    ///
    /// # Errors
    /// As [`Platform::take_snapshot`]. The tables are then as they were or as they are to be, and so are the files.
    pub(crate) async fn put_back(&self, caller: &Caller, slug: &str, unpacked: &Unpacked) -> Result<()> {
        let entries = unpacked.entries();
        database::restore(self.services(), &caller.tenant_slug, slug, &unpacked.about.tables, &entries, unpacked.foreign).await?;
        let (home, saved) = (self.layout().plugin_data(&caller.tenant_slug, slug), unpacked.about.files.clone());
        let put_back = blocking(move || files::put_back(&home, &saved, &entries)).await?;
        put_back.map_err(|error| refused_files(error, slug))
    }
}

async fn unpack(path: PathBuf, digest: Option<Digest>, target: PathBuf, slug: &str) -> Result<About> {
    let unpacked =
        blocking(move || Archive::<About>::open(&path, digest, UNPACKED_BYTES_MAX).and_then(|archive| archive.unpack(&target)));
    let about = unpacked.await?.map_err(refused)?;
    if about.plugin != slug {
        let message = format!("The snapshot is one of `{}`, not of `{slug}`.", about.plugin);
        return Err(Refusal::new(Kind::Conflict, "plugin.snapshot_broken", message).into());
    }
    Ok(about)
}

fn refused_files(error: std::io::Error, slug: &str) -> Error {
    let path = PathBuf::from(format!("the files of `{slug}`"));
    refused(mint_bundle::Error::Io { path, source: error })
}
