//! Jobs: work of plugins that goes on when the request has ended, and what holds for all of it.

use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize};

/// Most characters of a kind.
pub const KIND_LENGTH_MAX: usize = 100;
/// Most characters of a key.
pub const KEY_LENGTH_MAX: usize = 255;
/// Most bytes of what a job is given, and of what it gives.
pub const DOCUMENT_BYTES_MAX: usize = 64 << 10;
/// Most attempts after the first.
pub const RETRIES_MAX: u32 = 25;
/// Longest time before the first attempt.
pub const DELAY_MAX: Duration = Duration::from_secs(365 * 24 * 3_600);
/// Longest time between two signs of life that can be asked for.
pub const HEARTBEAT_MAX: Duration = Duration::from_secs(3_600);
/// Most characters of what a job says that it does.
pub const MESSAGE_LENGTH_MAX: usize = 1_000;
/// Characters that are kept of why an attempt failed.
pub const ERROR_LENGTH_MAX: usize = 2_000;
/// Attempts that may end with the server on which they ran, before the job is given up: it may be what ends them.
pub const LOSSES_MAX: u32 = 3;
/// How long a cancelled job may go on.
pub const CANCEL_GRACE: Duration = Duration::from_secs(10);
/// How long ended jobs are kept …
pub const KEPT_FOR: Duration = Duration::from_secs(7 * 24 * 3_600);
/// … and how many of an installation.
pub const KEPT: u32 = 1_000;

/// How a job stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum JobStatus {
    /// Waits for its time, for its turn, or for another attempt.
    Queued,
    /// Is being done.
    Running,
    /// Done.
    Completed,
    /// Given up.
    Failed,
    /// Not wanted any more.
    Cancelled,
}

impl JobStatus {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Queued, Self::Running, Self::Completed, Self::Failed, Self::Cancelled];

    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// The status of a name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == name)
    }

    /// Whether nothing more comes of it.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Cancelled)
    }
}

impl fmt::Display for JobStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How long to wait after so many failed attempts: 1 s, 16 s, 81 s, … an hour at most.
pub fn pause(failures: u32) -> Duration {
    Duration::from_secs(u64::from(failures).saturating_pow(4).min(3_600))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_an_hour() {
        let seconds: Vec<u64> = [0, 1, 2, 3, 7, 8, RETRIES_MAX, u32::MAX].map(|failures| pause(failures).as_secs()).to_vec();
        assert_eq!(seconds, [0, 1, 16, 81, 2_401, 3_600, 3_600, 3_600]);
    }

    #[test]
    fn names_round_trip() {
        for status in JobStatus::ALL {
            assert_eq!(JobStatus::parse(status.as_str()), Some(status));
        }
        assert_eq!(JobStatus::parse("done"), None);
        assert_eq!(JobStatus::ALL.map(JobStatus::is_final), [false, false, true, true, true]);
    }
}
