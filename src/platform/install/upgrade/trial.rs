//! The new release answers for a while, before the old one is let go.

use futures_util::future::BoxFuture;
use mint_context::runtime::HealthStatus;
use mint_domain::lifecycle::Failure;

use super::{super::Install, unfit};
use crate::{
    install::out_of_order,
    operation::{Step, Stop, nothing_to_undo, said},
};

pub(super) const STEP: Step<Install> = Step { name: "trial", run, undo: nothing_to_undo, would, may_be_cut: false };

fn run(install: &mut Install) -> BoxFuture<'_, Result<String, Stop>> {
    Box::pin(async move {
        let active = install.started.clone().ok_or_else(|| out_of_order("start"))?;
        let window = install.platform.trial();
        let failed = |failure: Failure| Err(Stop::Refused(unfit(failure)));
        tokio::select! {
            biased;
            failure = active.plugin.failed() => return failed(failure),
            // A platform that ends leaves the new release in its place.
            () = install.platform.stopping().cancelled() => {}
            () = tokio::time::sleep(window) => {}
        }
        let health = install.platform.check_health(&active).await;
        if health.status == HealthStatus::Unhealthy {
            let reason = format!("It is unhealthy: {}", health.message.unwrap_or_else(|| "it does not say why.".to_owned()));
            return failed(Failure::new("trial", reason, "Look at its log."));
        }
        Ok(format!("answered for {:.0} s", window.as_secs_f64()))
    })
}

fn would(install: &mut Install) -> BoxFuture<'_, Result<String, Stop>> {
    said(format!(
        "lets what was there take over again if this one fails, or is unhealthy, within {:.0} s",
        install.platform.trial().as_secs_f64()
    ))
}
