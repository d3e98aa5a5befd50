//! Starts a new generation beside the old one, and waits until it can answer.

use std::{sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use mint_domain::Refusal;
use mint_store::installations;

use super::{Install, stage};
use crate::operation::{Step, Stop};

pub(super) const STEP: Step<Install> = Step { name: "start", run, undo, would, may_be_cut: true };

pub(super) const GRACE: Duration = Duration::from_secs(10);

fn run(install: &mut Install) -> BoxFuture<'_, Result<String, Stop>> {
    Box::pin(async move {
        let began = std::time::Instant::now();
        let mut note = String::new();
        match begin(install).await {
            Err(Stop::Failed(failure)) => {
                let why = format!("One was made of them and did not start: {}", failure.reason);
                let fallback = install.fall_back(failure, why).await?;
                let tried = match stage::prepare(install).await {
                    Ok(()) => begin(install).await,
                    other => other,
                };
                note = install.settle(fallback, tried).await?;
            }
            other => other?,
        }
        Ok(format!("{note}answers after {:.2} s", began.elapsed().as_secs_f64()))
    })
}

pub(super) fn would(install: &mut Install) -> BoxFuture<'_, Result<String, Stop>> {
    Box::pin(async move {
        let version = &install.release()?.manifest.plugin.version;
        let beside = if install.replaced.is_some() { " beside the release that answers" } else { "" };
        Ok(format!("starts {version}{beside}, and waits until it can answer"))
    })
}

async fn begin(install: &mut Install) -> Result<(), Stop> {
    let number = match &install.replaced {
        // Written when it takes the place of the old one.
        Some(old) => old.generation + 1,
        None => bump(install).await?,
    };
    if let Some(installation) = &mut install.installation {
        installation.generation = number;
    }
    let active =
        install.platform.start(&install.caller, install.installation()?, install.release()?).await.map_err(Stop::Failed)?;
    install.started = Some(Arc::new(active));
    Ok(())
}

/// Asks for another start, here and of every other server.
async fn bump(install: &Install) -> Result<i64, Stop> {
    let (tenant, id) = (install.caller.tenant, install.installation()?.id);
    let mut tx = install.begin().await?;
    let bumped = installations::bump_generation(&mut tx, tenant, id, install.platform.services().clock.now()).await?;
    tx.commit().await?;
    bumped.ok_or_else(|| Refusal::not_found("installation", id).into())
}

pub(super) fn undo(install: &mut Install) -> BoxFuture<'_, ()> {
    Box::pin(async move {
        if let Some(active) = install.started.take() {
            active.plugin.stop(GRACE).await;
        }
    })
}
