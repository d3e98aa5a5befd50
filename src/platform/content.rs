//! The files of releases. The bundle stands in the storage, by its digest, for every server; what is unpacked from it stands
//! beside each of them, and is made again where it is missing.

use std::{fs, io, path::Path, time::SystemTime};

use mint_bundle::{Bounds, Bundle, FrontendBounds, frontend_place, take_frontend};
use mint_context::{Result, runtime::Release};
use mint_domain::{Digest, Manifest, Refusal, lifecycle::Failure};

use crate::Platform;

/// Phase of a start in which the files are fetched.
pub(crate) const FETCH: &str = "fetch";

/// The name of a bundle in the storage.
pub(crate) fn bundle_name(digest: &Digest) -> String {
    format!("{}.mint", digest.hex())
}

/// Opens a bundle, checking its form.
///
/// # Errors
/// What is wrong with it.
pub(crate) async fn open(path: &Path) -> Result<Bundle> {
    let path = path.to_owned();
    let opened = tokio::task::spawn_blocking(move || Bundle::open(&path, &Bounds::default())).await;
    opened.map_err(io::Error::other)?.map_err(refused)
}

/// Unpacks beside the target and renames, so that what stands there is whole. Two at once end with the same files.
pub(crate) fn unpack_once(bundle: Bundle, target: &Path, now: SystemTime) -> Result<()> {
    if target.exists() {
        // Nobody takes it for a leftover while this install goes on.
        return Ok(fs::File::open(target)?.set_modified(now)?);
    }
    put_whole(target, |fresh| bundle.unpack(fresh).map_err(refused).map(|()| true)).map(drop)
}

/// Takes out what browsers get, in the same way. False when there is nothing.
pub(crate) fn take_once(release: &Path, manifest: &Manifest, target: &Path, now: SystemTime) -> Result<bool> {
    if target.exists() {
        fs::File::open(target)?.set_modified(now)?;
        return Ok(true);
    }
    put_whole(target, |fresh| take_frontend(release, manifest, fresh, None, &FrontendBounds::default()).map_err(refused))
}

/// Takes out what browsers get from the place that a plugin named, instead of what was taken. False when nothing is there.
fn take_again(release: &Path, manifest: &Manifest, target: &Path, place: &str) -> Result<bool> {
    if manifest.frontend.is_some() || frontend_place(target).as_deref() == Some(place) {
        return Ok(true);
    }
    let parent = target.parent().unwrap_or(target);
    let beside = tempfile::Builder::new().prefix(".unpacking-").tempdir_in(parent)?;
    let (fresh, old) = (beside.path().join("whole"), beside.path().join("old"));
    if !take_frontend(release, manifest, &fresh, Some(place), &FrontendBounds::default()).map_err(refused)? {
        return Ok(false);
    }
    if target.exists() {
        fs::rename(target, &old)?;
    }
    fs::rename(&fresh, target)?;
    fs::File::open(parent)?.sync_all()?;
    Ok(true)
}

/// Makes a directory beside the target, and gives it its name when it is whole. False when `make` made nothing.
fn put_whole(target: &Path, make: impl FnOnce(&Path) -> Result<bool>) -> Result<bool> {
    let parent = target.parent().unwrap_or(target);
    let beside = tempfile::Builder::new().prefix(".unpacking-").tempdir_in(parent)?;
    let fresh = beside.path().join("whole");
    if !make(&fresh)? {
        return Ok(false);
    }
    match fs::rename(&fresh, target) {
        Err(error) if !target.exists() => Err(error.into()),
        Ok(()) | Err(_) => {
            fs::File::open(parent)?.sync_all()?;
            Ok(true)
        }
    }
}

/// The refusal of a bundle, by name.
pub(crate) fn refused(error: mint_bundle::Error) -> mint_context::Error {
    match error {
        mint_bundle::Error::Io { source, path } => io::Error::new(source.kind(), format!("{}: {source}", path.display())).into(),
        other => Refusal::invalid(format!("This is not a bundle that can be installed: {other}.")).into(),
    }
}

impl Platform {
    /// Fetches and unpacks the files of a release that another server installed, where they are not here.
    ///
    /// # Errors
    /// That there is no such bundle, or that the storage does not answer.
    pub(crate) async fn bring(&self, release: &Release) -> Result<(), Failure> {
        if release.directory.exists() {
            return Ok(());
        }
        self.fetch(release).await.map_err(|error| {
            tracing::error!(release.digest = %release.digest, error = &error as &dyn std::error::Error, "a release could not be fetched");
            let reason = format!("The files of the release are not here, and could not be fetched: {}", error.public().message);
            Failure::new(FETCH, reason, "Look at the storage. `mint fsck` tells what is missing; the same bundle can be installed again.")
        })
    }

    /// Gives browsers the front-end that the plugin of a release says is its own.
    ///
    /// # Errors
    /// What is wrong with it, by name.
    pub(crate) async fn follow_frontend(&self, release: &Release, place: String) -> Result<bool> {
        let (directory, target) = (release.directory.clone(), self.layout().frontend(&release.digest));
        let manifest = release.manifest.clone();
        // One after the other: plugins of several tenants start at once, on the same release.
        let _turn = self.front_ends().lock().await;
        let taken = tokio::task::spawn_blocking(move || take_again(&directory, &manifest, &target, &place));
        taken.await.map_err(io::Error::other)?
    }

    async fn fetch(&self, release: &Release) -> Result<()> {
        let fetched = tempfile::Builder::new().prefix("fetched-").tempfile_in(self.layout().uploads())?.into_temp_path();
        self.services().bundles.get_file(&bundle_name(&release.digest), &fetched).await?;
        let bundle = open(&fetched).await?;
        if bundle.digest() != release.digest {
            return Err(Refusal::invalid("What the storage has under its digest is something else.").into());
        }
        let (directory, frontend) = (release.directory.clone(), self.layout().frontend(&release.digest));
        let (manifest, now) = (release.manifest.clone(), self.services().clock.now().into());
        let unpacked = tokio::task::spawn_blocking(move || {
            // The release last: where it stands, its front-end does.
            put_whole(&directory, |fresh| {
                bundle.unpack(fresh).map_err(refused)?;
                take_once(fresh, &manifest, &frontend, now)?;
                Ok(true)
            })
        });
        unpacked.await.map_err(io::Error::other)??;
        tracing::info!(release.digest = %release.digest, "a release was fetched from the storage");
        Ok(())
    }
}
