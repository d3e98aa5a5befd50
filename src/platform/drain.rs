//! How what answers makes way: it does what it has begun, is told to go when that takes too long, and ends.

use std::{sync::Arc, time::Duration};

use mint_domain::{InstallationId, TenantId};
use tokio::time::Instant;

use crate::{Platform, admission::Patience, platform::STOP_GRACE, running::Active};

/// Time between two looks at whether a plugin is done with what it does of its own accord.
const WORK_INTERVAL: Duration = Duration::from_millis(500);

impl Platform {
    /// Waits until a replaced generation has done what it had begun, and ends it. What is not done in time is told to go.
    pub(crate) fn drain(self: &Arc<Self>, old: Arc<Active>) -> impl Future<Output = ()> + Send + use<> {
        self.let_go(old, Patience { streams: self.drain_time(), all: self.drain_time() })
    }

    fn let_go(self: &Arc<Self>, old: Arc<Active>, patience: Patience) -> impl Future<Output = ()> + Send + use<> {
        // From now on, not from when this is awaited.
        let leaving = self.running().leave(&old);
        let platform = self.clone();
        async move {
            let deadline = Instant::now() + patience.all;
            if !old.admission.drained(patience).await {
                tracing::warn!(plugin.slug = %old.slug(), "what a plugin had begun was cut off when it made way");
            }
            while (platform.jobs_of(&old) > 0 || old.plugin.is_at_work().await) && Instant::now() < deadline {
                tokio::select! {
                    () = tokio::time::sleep(WORK_INTERVAL) => {}
                    () = platform.stopping().cancelled() => break,
                }
            }
            platform.interrupt_jobs(&old).await;
            old.plugin.stop(STOP_GRACE).await;
            drop(leaving);
        }
    }

    /// Stops what runs of an installation, and what is being started of it. Nothing takes its place, so what has no end of its
    /// own is told to go at once. No other start begins when the row is in no state that wants one.
    pub(crate) async fn take_down(self: &Arc<Self>, tenant: TenantId, installation: InstallationId) {
        self.running().no_start(installation).await;
        if let Some(active) = self.running().remove(tenant, installation, None) {
            self.let_go(active, Patience { streams: Duration::ZERO, all: self.drain_time() }).await;
        }
    }
}
