//! Takes out what browsers get, so that it is there before the plugin runs, and while it does not.

use std::{fs, io, path::Path, time::SystemTime};

use futures_util::future::BoxFuture;
use mint_bundle::{FrontendBounds, take_frontend};
use mint_context::{Result, runtime::Release};

use super::{Install, verify::refused};
use crate::operation::{Step, Stop, nothing_to_undo};

pub(super) const STEP: Step<Install> = Step { name: "frontend", run, undo: nothing_to_undo, may_be_cut: false };

fn run(install: &mut Install) -> BoxFuture<'_, Result<String, Stop>> {
    Box::pin(async move {
        let release = install.release()?.clone();
        let now = install.platform.services().clock.now().into();
        let target = install.platform.layout().frontend(&release.digest);
        let taken = tokio::task::spawn_blocking(move || take_once(&release, &target, now)).await.map_err(io::Error::other)??;
        Ok(if taken { "taken" } else { "there is none" }.to_owned())
    })
}

/// Takes it beside the target and renames, so that what stands there is whole. Two at once end with the same files.
fn take_once(release: &Release, target: &Path, now: SystemTime) -> Result<bool> {
    if target.exists() {
        // Nobody takes it for a leftover while this install goes on.
        fs::File::open(target)?.set_modified(now)?;
        return Ok(true);
    }
    let parent = target.parent().unwrap_or(target);
    let beside = tempfile::Builder::new().prefix(".unpacking-").tempdir_in(parent)?;
    let fresh = beside.path().join("frontend");
    if !take_frontend(&release.directory, &release.manifest, &fresh, &FrontendBounds::default()).map_err(refused)? {
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
