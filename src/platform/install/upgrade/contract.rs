//! Takes away from the tables what only the old release used, when no server answers with it any more. The new release works with
//! either, so nothing that goes wrong here takes it back.

use std::{sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use mint_context::runtime::Release;
use mint_domain::lifecycle::Failure;
use mint_store::installations::Installation;
use tokio::time::Instant;

use super::super::{
    Install,
    migrate::{self, names},
};
use crate::{
    Caller, Platform,
    migrations::refused,
    operation::{Step, Stop, nothing_to_undo},
    progress::Meter,
};

pub(super) const STEP: Step<Install> = Step { name: "contract", run, undo: nothing_to_undo, would, may_be_cut: false };

/// How much longer than what it has begun may go on, other servers may take to let go of the old release.
const PATIENCE: Duration = Duration::from_secs(90);
/// Time between two looks at them.
const LOOK_INTERVAL: Duration = Duration::from_millis(500);

fn run(install: &mut Install) -> BoxFuture<'_, Result<String, Stop>> {
    Box::pin(async move {
        if !install.decision.allow_destructive {
            return Ok("nothing to take away".to_owned());
        }
        let meter = install.meter();
        Ok(install.platform.contract(&install.caller, install.installation()?, install.release()?, &meter).await)
    })
}

impl Platform {
    /// Applies the destructive migrations of the release that answers. Gives what became of it, for the journal.
    pub(super) async fn contract(
        &self,
        caller: &Caller,
        installation: &Installation,
        release: &Arc<Release>,
        meter: &Meter,
    ) -> String {
        match self.try_to_contract(caller, installation, release, meter).await {
            Ok(note) => note,
            Err(failure) => {
                tracing::error!(plugin.slug = installation.slug, error = %failure, "what a release no longer needs could not be taken away");
                format!(
                    "not done: {} `mint plugin reload {} --allow-destructive` tries again.",
                    failure.reason, installation.slug
                )
            }
        }
    }

    async fn try_to_contract(
        &self,
        caller: &Caller,
        installation: &Installation,
        release: &Arc<Release>,
        meter: &Meter,
    ) -> Result<String, Failure> {
        let nothing = || Ok("nothing to take away".to_owned());
        let Some(mut history) = self.history(caller, installation, release).await? else { return nothing() };
        let pending = history.pending().map_err(|mismatch| refused(&mismatch))?.at_once().expand;
        if pending.is_empty() {
            return nothing();
        }
        let deadline = Instant::now() + self.drain_time() + PATIENCE;
        loop {
            let unknown = |error: mint_context::Error| Failure::new("migrate", error.public().message, "Try again.");
            if self.everyone_serves(installation.id, &release.digest).await.map_err(unknown)? {
                break;
            }
            if Instant::now() > deadline {
                let reason = "Another server still answers with an old release.";
                return Err(Failure::new("migrate", reason, "Look at that server's log."));
            }
            tokio::time::sleep(LOOK_INTERVAL).await;
        }
        history.apply(&pending, meter).await?;
        Ok(format!("done: {}", names(&pending)))
    }
}

fn would(install: &mut Install) -> BoxFuture<'_, Result<String, Stop>> {
    Box::pin(async move {
        let destructive = migrate::pending(install).await?.map(|pending| pending.contract).unwrap_or_default();
        Ok(match destructive.is_empty() || !install.decision.allow_destructive {
            true => "nothing to take away".to_owned(),
            false => format!("takes away what only the old release used: {}", names(&destructive)),
        })
    })
}
