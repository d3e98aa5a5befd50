//! Unpacks the bundle, checking every entry against the manifest, to where its digest says. Opening it has checked its
//! form already.

use std::{fs, io, path::Path, time::SystemTime};

use futures_util::future::BoxFuture;
use mint_bundle::{Bounds, Bundle};
use mint_context::{Result, runtime::Release};
use mint_domain::Refusal;

use super::{Install, out_of_order};
use crate::operation::{Step, Stop, nothing_to_undo};

pub(super) const STEP: Step<Install> = Step { name: "verify", run, undo: nothing_to_undo, may_be_cut: false };

/// Opens an uploaded bundle.
pub(crate) async fn open(path: &Path) -> Result<Bundle> {
    let path = path.to_owned();
    let opened = tokio::task::spawn_blocking(move || Bundle::open(&path, &Bounds::default())).await;
    opened.map_err(io::Error::other)?.map_err(refused)
}

fn run(install: &mut Install) -> BoxFuture<'_, Result<String, Stop>> {
    Box::pin(async move {
        let bundle = install.bundle.take().ok_or_else(|| out_of_order("bundle"))?;
        let manifest = std::sync::Arc::new(bundle.manifest().clone());
        let (digest, directory) = (bundle.digest(), install.platform.layout().release(&bundle.digest()));
        let (target, now) = (directory.clone(), install.platform.services().clock.now().into());
        tokio::task::spawn_blocking(move || unpack_once(bundle, &target, now)).await.map_err(io::Error::other)??;
        let note = format!("{} {} {digest}", manifest.plugin.slug, manifest.plugin.version);
        install.release = Some(std::sync::Arc::new(Release { manifest, digest, directory }));
        install.upload = None;
        Ok(note)
    })
}

/// Unpacks beside the target and renames, so that what stands there is whole. Two at once end with the same files.
fn unpack_once(bundle: Bundle, target: &Path, now: SystemTime) -> Result<()> {
    if target.exists() {
        // Nobody takes it for a leftover while this install goes on.
        return Ok(fs::File::open(target)?.set_modified(now)?);
    }
    let parent = target.parent().unwrap_or(target);
    let beside = tempfile::Builder::new().prefix(".unpacking-").tempdir_in(parent)?;
    let fresh = beside.path().join("release");
    bundle.unpack(&fresh).map_err(refused)?;
    match fs::rename(&fresh, target) {
        Err(error) if !target.exists() => Err(error.into()),
        Ok(()) | Err(_) => Ok(fs::File::open(parent)?.sync_all()?),
    }
}

/// The refusal of a bundle, by name.
pub(crate) fn refused(error: mint_bundle::Error) -> mint_context::Error {
    match error {
        mint_bundle::Error::Io { source, path } => io::Error::new(source.kind(), format!("{}: {source}", path.display())).into(),
        other => Refusal::invalid(format!("This is not a bundle that can be installed: {other}.")).into(),
    }
}
