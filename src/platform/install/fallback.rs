//! Where the component that the platform made of a bundle's wheels does not run, the wheels do: the plan becomes isolated.

use mint_domain::{Mode, lifecycle::Failure};
use mint_store::installations;

use super::Install;
use crate::operation::Stop;

impl Install {
    /// Takes note of `why` shared mode failed, if the installation can go on isolated, and gives the words for the journal.
    ///
    /// # Errors
    /// The failure itself, where it cannot: the component is the author's, or the mode is forced.
    pub(super) async fn fall_back(&mut self, failure: Failure, why: String) -> Result<String, Stop> {
        let findings = &self.plan()?.findings;
        if !findings.builds_component || findings.forced_by.is_some() {
            return Err(Stop::Failed(failure));
        }
        let (platform, tenant) = (self.platform.clone(), self.caller.tenant);
        let plan = match platform.decide_without_component(tenant, self.release()?, why).await? {
            Ok(plan) if plan.mode == Mode::Isolated => plan,
            Ok(_) | Err(_) => return Err(Stop::Failed(failure)),
        };
        let id = self.installation()?.id;
        let mut tx = platform.services().db.begin().await?;
        installations::set_plan(&mut tx, tenant, id, &plan, platform.services().clock.now()).await?;
        tx.commit().await?;
        tracing::info!(plugin.slug = self.installation()?.slug, reason = plan.reason, "a plugin runs isolated after all");
        if let Some(installation) = &mut self.installation {
            installation.adopt(plan.clone());
        }
        self.plan = Some(plan);
        Ok(format!("isolated, for: {} Then ", failure.reason))
    }
}
