//! Saves what the installation holds, before anything changes it.

use futures_util::future::BoxFuture;

use super::super::Install;
use crate::{
    install::out_of_order,
    operation::{Step, Stop},
    snapshots::Occasion,
};

pub(in crate::install) const STEP: Step<Install> = Step { name: "snapshot", run, undo, may_be_cut: true };

fn run(install: &mut Install) -> BoxFuture<'_, Result<String, Stop>> {
    Box::pin(async move {
        let platform = install.platform.clone();
        // What is there now, not what is to be there.
        let row = match &install.replaced {
            Some(old) => old.clone(),
            None => install.installation()?.clone(),
        };
        platform.expect_files(&row.grants).await?;
        let (_, release) = platform.find_installation(&install.caller, &row.slug).await?;
        let occasion = Occasion {
            reason: install.reason,
            lease: install.lease.ok_or_else(|| out_of_order("lease"))?,
            version: &release.manifest.plugin.version,
            digest: release.digest,
        };
        let (id, bytes) = platform.take_snapshot(&install.caller, &row, occasion).await?;
        install.taken = Some(id);
        Ok(format!("{id}: {} {} KiB", release.manifest.plugin.version, bytes.div_ceil(1 << 10)))
    })
}

fn undo(install: &mut Install) -> BoxFuture<'_, ()> {
    Box::pin(async move {
        let Some(id) = install.taken.take() else { return };
        let forgotten = async {
            let row = install.installation.as_ref().ok_or_else(|| out_of_order("installation"));
            let Ok(installation) = row.cloned() else { return Ok(()) };
            let snapshot = install.platform.snapshot(&installation, id).await?;
            install.platform.forget_snapshot(installation.tenant_id, installation.id, &snapshot).await
        };
        if let Err(error) = forgotten.await {
            tracing::warn!(snapshot.id = %id, error = %error, "a snapshot that nobody needs could not be deleted");
        }
    })
}
