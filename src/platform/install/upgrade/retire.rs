//! Lets the old release finish what it has begun, and forgets releases that are older than what is kept.

use futures_util::future::BoxFuture;
use mint_context::Result;
use mint_store::{history, releases};

use super::super::Install;
use crate::{
    install::out_of_order,
    operation::{Step, Stop, nothing_to_undo, said},
};

pub(super) const STEP: Step<Install> = Step {
    name: "retire",
    run,
    undo: nothing_to_undo,
    would: |_| said("lets the old release finish what it has begun, and end"),
    may_be_cut: false,
};

/// Releases to go back to, beside the active one.
const KEPT: usize = 3;

fn run(install: &mut Install) -> BoxFuture<'_, Result<String, Stop>> {
    Box::pin(async move {
        let active = install.started.take().ok_or_else(|| out_of_order("start"))?;
        install.platform.watch(&active);
        if let Some(old) = install.old.take() {
            install.platform.drain(old).await;
        }
        if let Err(error) = prune(install).await {
            tracing::warn!(plugin.slug = %active.slug(), error = %error, "old releases could not be forgotten");
        }
        Ok("the old release has ended".to_owned())
    })
}

async fn prune(install: &Install) -> Result<()> {
    let Some(installation) = &install.installation else { return Ok(()) };
    install.platform.prune_snapshots(installation.tenant_id, installation.id).await?;
    let mut tx = install.begin().await?;
    let mut kept = vec![installation.release_id];
    for reign in history::list(&mut tx, installation.id).await? {
        if kept.contains(&reign.release_id) {
            continue;
        }
        if kept.len() <= KEPT {
            kept.push(reign.release_id);
        } else {
            history::forget(&mut tx, installation.id, reign.release_id).await?;
            releases::delete_unused(&mut tx, reign.release_id).await?;
        }
    }
    Ok(tx.commit().await?)
}
