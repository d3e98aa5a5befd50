//! Where the component that the platform made of a bundle's wheels does not run, the wheels do: the plan becomes isolated.

use mint_domain::{Mode, Plan, lifecycle::Failure};
use mint_store::installations;

use super::Install;
use crate::operation::Stop;

/// A change of plan that has yet to prove right.
pub(super) struct Fallback {
    before: Plan,
    why: Failure,
}

impl Install {
    /// Plans the installation isolated, for `why` it failed shared, if it can go on so.
    ///
    /// # Errors
    /// The failure itself, where it cannot: the component is the author's, or the mode is forced.
    pub(super) async fn fall_back(&mut self, failure: Failure, why: String) -> Result<Fallback, Stop> {
        let before = self.plan()?.clone();
        if !before.findings.builds_component || before.findings.forced_by.is_some() {
            return Err(Stop::Failed(failure));
        }
        let planned = self.platform.decide_without_component(self.caller.tenant, self.release()?, why).await?;
        match planned {
            Ok(plan) if plan.mode == Mode::Isolated => self.replan(plan).await?,
            Ok(_) | Err(_) => return Err(Stop::Failed(failure)),
        }
        Ok(Fallback { before, why: failure })
    }

    /// Keeps to the new plan if what was `tried` by it succeeded, with words for the journal. Else the plugin itself is
    /// what fails, and once it is mended it may run shared.
    ///
    /// # Errors
    /// Why it failed isolated, and before.
    pub(super) async fn settle(&mut self, fallback: Fallback, tried: Result<(), Stop>) -> Result<String, Stop> {
        let Fallback { before, why } = fallback;
        match tried {
            Ok(()) => {
                tracing::info!(plugin.slug = self.installation()?.slug, reason = %why, "a plugin runs isolated after all");
                Ok(format!("isolated, for: {} Then ", why.reason))
            }
            Err(stop) => {
                self.replan(before).await?;
                Err(match stop {
                    Stop::Failed(failure) => {
                        let reason = format!("{} Shared, it failed before: {}", failure.reason, why.reason);
                        Stop::Failed(Failure { reason, ..failure })
                    }
                    other => other,
                })
            }
        }
    }

    async fn replan(&mut self, plan: Plan) -> Result<(), Stop> {
        // Of a release that is to take the place of another, the plan is written when it does.
        if self.replaced.is_none() {
            let (services, tenant, id) = (self.platform.services(), self.caller.tenant, self.installation()?.id);
            let mut tx = self.begin().await?;
            installations::set_plan(&mut tx, tenant, id, &plan, services.clock.now()).await?;
            tx.commit().await?;
        }
        if let Some(installation) = &mut self.installation {
            installation.adopt(plan.clone());
        }
        self.plan = Some(plan);
        Ok(())
    }
}
