//! Takes out what browsers get, so that it is there before the plugin runs, and while it does not.

use std::io;

use futures_util::future::BoxFuture;

use super::{Install, out_of_order};
use crate::{
    content::take_once,
    operation::{Step, Stop, nothing_to_undo},
};

pub(super) const STEP: Step<Install> = Step { name: "frontend", run, undo: nothing_to_undo, would, may_be_cut: false };

fn run(install: &mut Install) -> BoxFuture<'_, Result<String, Stop>> {
    Box::pin(async move {
        let release = install.release()?.clone();
        let now = install.platform.services().clock.now().into();
        let target = install.platform.layout().frontend(&release.digest);
        let taken = tokio::task::spawn_blocking(move || take_once(&release.directory, &release.manifest, &target, now));
        Ok(if taken.await.map_err(io::Error::other)?? { "taken" } else { "there is none" }.to_owned())
    })
}

fn would(install: &mut Install) -> BoxFuture<'_, Result<String, Stop>> {
    Box::pin(async move {
        let (release, now) = (install.release()?.clone(), install.platform.services().clock.now().into());
        let target = install.scratch.as_ref().ok_or_else(|| out_of_order("scratch"))?.path().join("front-end");
        let taken = tokio::task::spawn_blocking(move || take_once(&release.directory, &release.manifest, &target, now));
        Ok(if taken.await.map_err(io::Error::other)?? { "takes out its front-end" } else { "there is none" }.to_owned())
    })
}
