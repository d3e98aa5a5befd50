//! How many faults a running plugin may have before it is left alone for a while: the same for both modes.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use mint_domain::lifecycle::Quarantine;
use time::OffsetDateTime;

/// Faults that end the budget.
pub const FAULTS_MAX: usize = 5;
/// Within this time.
pub const WINDOW: Duration = Duration::from_secs(60);
/// A quarantined installation is tried again after this time.
pub const PROBE_AFTER: Duration = Duration::from_secs(15 * 60);

/// The faults of one running plugin.
#[derive(Debug, Default)]
pub struct FaultBudget {
    recent: VecDeque<Instant>,
}

impl FaultBudget {
    /// Takes a fault. True when the budget is used up: [`FAULTS_MAX`] of them within [`WINDOW`].
    pub fn record(&mut self, at: Instant) -> bool {
        while self.recent.front().is_some_and(|first| at.saturating_duration_since(*first) >= WINDOW) {
            self.recent.pop_front();
        }
        self.recent.push_back(at);
        if self.recent.len() > FAULTS_MAX {
            self.recent.pop_front();
        }
        self.recent.len() == FAULTS_MAX
    }

    /// Faults that still count.
    pub fn faults(&self) -> usize {
        self.recent.len()
    }

    /// What to record of an installation whose budget is used up `now`.
    pub fn quarantine(&self, now: OffsetDateTime) -> Quarantine {
        Quarantine { faults: u32::try_from(self.recent.len()).unwrap_or(u32::MAX), next_probe_at: now + PROBE_AFTER }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_within_a_minute_are_too_many() {
        let start = Instant::now();
        for (seconds, expected) in [
            (vec![0, 1, 2, 3], false),
            (vec![0, 1, 2, 3, 4], true),
            (vec![0, 15, 30, 45, 59], true),
            (vec![0, 15, 30, 45, 60], false),
            (vec![0, 20, 40, 60, 80, 100, 120], false),
            (vec![0, 50, 51, 52, 53, 54], true),
        ] {
            let mut budget = FaultBudget::default();
            let used_up: Vec<bool> = seconds.iter().map(|s| budget.record(start + Duration::from_secs(*s))).collect();
            assert_eq!(used_up.last(), Some(&expected), "{seconds:?}");
        }
    }

    #[test]
    fn a_quarantine_ends_with_a_probe() {
        let mut budget = FaultBudget::default();
        let now = Instant::now();
        for _ in 0..7 {
            budget.record(now);
        }
        let quarantine = budget.quarantine(OffsetDateTime::UNIX_EPOCH);
        assert_eq!((quarantine.faults, budget.faults()), (5, 5));
        assert_eq!(quarantine.next_probe_at, OffsetDateTime::UNIX_EPOCH + PROBE_AFTER);
    }
}
