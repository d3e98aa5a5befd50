//! Starts a new generation beside the old one, and waits until it can answer.

use std::{sync::Arc, time::Duration};

use futures_util::future::BoxFuture;

use super::Install;
use crate::operation::{Step, Stop};

pub(super) const STEP: Step<Install> = Step { name: "start", run, undo };

const GRACE: Duration = Duration::from_secs(10);

fn run(install: &mut Install) -> BoxFuture<'_, Result<String, Stop>> {
    Box::pin(async move {
        let caller = &install.caller;
        let bumped = install.platform.bump_generation(caller.tenant, install.installation()?.id).await?;
        if let Some(installation) = &mut install.installation {
            installation.generation = bumped;
        }
        begin(install).await
    })
}

/// Starts it as the generation that the installation says.
pub(super) async fn begin(install: &mut Install) -> Result<String, Stop> {
    let began = std::time::Instant::now();
    let active =
        install.platform.start(&install.caller, install.installation()?, install.release()?).await.map_err(Stop::Failed)?;
    install.started = Some(Arc::new(active));
    Ok(format!("answers after {:.2} s", began.elapsed().as_secs_f64()))
}

pub(super) fn undo(install: &mut Install) -> BoxFuture<'_, ()> {
    Box::pin(async move {
        if let Some(active) = install.started.take() {
            active.plugin.stop(GRACE).await;
        }
    })
}
