//! Keeps the bundle in the storage, for every server, and unpacks it, checking every entry against the manifest, to where its
//! digest says. Opening it has checked its form already.

use std::{io, sync::Arc};

use futures_util::future::BoxFuture;
use mint_context::runtime::Release;

use super::{Install, out_of_order};
use crate::{
    content::{bundle_name, refused, unpack_once},
    operation::{Step, Stop, nothing_to_undo},
};

pub(super) const STEP: Step<Install> = Step { name: "verify", run, undo: nothing_to_undo, would, may_be_cut: false };

fn run(install: &mut Install) -> BoxFuture<'_, Result<String, Stop>> {
    Box::pin(async move {
        let bundle = install.bundle.take().ok_or_else(|| out_of_order("bundle"))?;
        let manifest = Arc::new(bundle.manifest().clone());
        let (digest, directory) = (bundle.digest(), install.platform.layout().release(&bundle.digest()));
        let (target, now) = (directory.clone(), install.platform.services().clock.now().into());
        tokio::task::spawn_blocking(move || unpack_once(bundle, &target, now)).await.map_err(io::Error::other)??;
        let upload = install.upload.take().ok_or_else(|| out_of_order("upload"))?;
        // Again where it is there already: it may be old, and about to be removed.
        install.platform.services().bundles.put_file(bundle_name(&digest), &upload.0).await?;
        let note = format!("{} {} {digest}", manifest.plugin.slug, manifest.plugin.version);
        install.release = Some(Arc::new(Release { manifest, digest, directory }));
        Ok(note)
    })
}

/// Unpacks it to where it goes with the question.
fn would(install: &mut Install) -> BoxFuture<'_, Result<String, Stop>> {
    Box::pin(async move {
        let bundle = install.bundle.take().ok_or_else(|| out_of_order("bundle"))?;
        let (manifest, digest) = (Arc::new(bundle.manifest().clone()), bundle.digest());
        let scratch = tempfile::Builder::new().prefix(".plan-").tempdir_in(install.platform.layout().uploads())?;
        let directory = scratch.path().join("bundle");
        let target = directory.clone();
        let unpacked = tokio::task::spawn_blocking(move || bundle.unpack(&target).map_err(refused));
        unpacked.await.map_err(io::Error::other)??;
        let words = format!("checks and keeps {} {} {digest}", manifest.plugin.slug, manifest.plugin.version);
        (install.release, install.scratch) = (Some(Arc::new(Release { manifest, digest, directory })), Some(scratch));
        Ok(words)
    })
}
