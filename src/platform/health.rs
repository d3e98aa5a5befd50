//! How running plugins see themselves: asked now and then, and whenever a person looks. One that says again and again that
//! it does not work is stopped, as Failed; a reload brings it back, or the probe of a quarantined one.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use mint_context::{
    budget::PROBE_AFTER,
    runtime::{Health, HealthStatus},
};
use mint_domain::lifecycle::{Failure, Quarantine};
use rand::Rng as _;
use serde::Serialize;
use time::OffsetDateTime;

use crate::{Platform, running::Active};

/// Plugins asked at once.
pub(crate) const CHECKS_AT_ONCE: usize = 4;
/// How long one may take to answer, whatever its runtime allows.
const PATIENCE: Duration = Duration::from_secs(15);
/// Log lines that go into a failure.
const EXCERPT_LINES: usize = 20;

/// How often plugins are asked, and what follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HealthOptions {
    /// Between two questions to a plugin, before jitter.
    pub interval: Duration,
    /// Unhealthy answers in a row after which it is stopped.
    pub failures_max: u32,
}

impl HealthOptions {
    /// Between two questions by default.
    pub const INTERVAL: Duration = Duration::from_secs(30);
    /// Unhealthy answers by default.
    pub const FAILURES_MAX: u32 = 3;
}

/// What a plugin said of itself, and when.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct Checked {
    /// `status`, `message`, `details`.
    #[serde(flatten)]
    #[schema(value_type = Object)]
    pub health: Health,
    /// When it was asked.
    #[serde(with = "time::serde::rfc3339")]
    pub checked_at: OffsetDateTime,
    /// Unhealthy answers in a row to the platform's own questions.
    pub unhealthy_in_a_row: u32,
}

/// What is known of one start.
#[derive(Debug, Default)]
pub struct Watch {
    last: Mutex<Option<(Health, OffsetDateTime)>>,
    unhealthy_in_a_row: AtomicU32,
}

impl Watch {
    /// The last answer; none before the first.
    pub fn last(&self) -> Option<Checked> {
        let (health, checked_at) = self.last.lock().unwrap_or_else(PoisonError::into_inner).clone()?;
        Some(Checked { health, checked_at, unhealthy_in_a_row: self.unhealthy_in_a_row.load(Ordering::Relaxed) })
    }

    fn note(&self, health: Health, at: OffsetDateTime) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some((health, at));
    }

    /// Takes an answer to a question of the platform's own. Gives how many unhealthy ones there now are in a row.
    fn count(&self, status: HealthStatus) -> u32 {
        if status == HealthStatus::Unhealthy {
            return self.unhealthy_in_a_row.fetch_add(1, Ordering::Relaxed) + 1;
        }
        self.unhealthy_in_a_row.store(0, Ordering::Relaxed);
        0
    }
}

impl Platform {
    /// Asks a running plugin how it is, and remembers what it says.
    pub(crate) async fn check_health(&self, active: &Active) -> Health {
        let asked = tokio::time::timeout(PATIENCE, active.plugin.check_health()).await;
        let health = asked.unwrap_or_else(|_| Health::unhealthy(format!("It did not answer within {} s.", PATIENCE.as_secs())));
        active.watch.note(health.clone(), self.services().clock.now());
        health
    }

    /// Asks a plugin now and then for as long as this start of it runs.
    pub(crate) fn watch_health(self: &Arc<Self>, active: &Arc<Active>) {
        let (platform, watched) = (self.clone(), Arc::downgrade(active));
        self.spawn(async move {
            loop {
                let jitter = platform.health_options().interval.mul_f64(rand::rng().random_range(0.8..1.2));
                tokio::time::sleep(jitter).await;
                let Some(active) = watched.upgrade().filter(|active| platform.is_up(active)) else { return };
                if platform.is_being_changed(&active) {
                    continue;
                }
                let Ok(_place) = platform.health_places().acquire().await else { return };
                let health = platform.check_health(&active).await;
                let unhealthy = active.watch.count(health.status);
                if unhealthy >= platform.health_options().failures_max && !platform.is_being_changed(&active) {
                    let failure = failure(&active, &health, unhealthy, platform.services().clock.now());
                    return platform.went_down(&active, failure).await;
                }
            }
        });
    }

    fn is_up(&self, active: &Active) -> bool {
        let up = self.running().get(active.authority.installation);
        up.is_some_and(|up| up.generation == active.generation)
    }

    /// Whether an operation of this process has it in hand; it is then the operation's to stop.
    fn is_being_changed(&self, active: &Active) -> bool {
        let slug = active.slug().as_str();
        self.operations_here().values().any(|here| here.tenant == active.authority.tenant && here.plugin == slug)
    }
}

fn failure(active: &Active, health: &Health, unhealthy: u32, now: OffsetDateTime) -> Failure {
    let said = health.message.as_deref().unwrap_or("It gave no reason.");
    let mut failure = Failure::new(
        "health",
        format!("It was asked {unhealthy} times in a row how it is, and was unhealthy each time: {said}"),
        "Mend what it names, then reload the plugin.",
    );
    let lines = active.log.recent();
    failure.log_excerpt = lines.iter().skip(lines.len().saturating_sub(EXCERPT_LINES)).cloned().collect();
    failure.quarantine = Some(Quarantine { faults: unhealthy, next_probe_at: now + PROBE_AFTER });
    failure
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_unhealthy_answers_in_a_row_count() {
        let watch = Watch::default();
        for (status, expected) in [
            (HealthStatus::Unhealthy, 1),
            (HealthStatus::Unhealthy, 2),
            (HealthStatus::Degraded, 0),
            (HealthStatus::Unhealthy, 1),
            (HealthStatus::Unknown, 0),
            (HealthStatus::Healthy, 0),
        ] {
            assert_eq!(watch.count(status), expected, "{status:?}");
        }
        assert!(watch.last().is_none());
        watch.note(Health::unknown(), OffsetDateTime::UNIX_EPOCH);
        assert_eq!(watch.last().unwrap().checked_at, OffsetDateTime::UNIX_EPOCH);
    }
}
