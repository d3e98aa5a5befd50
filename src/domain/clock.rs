//! The only source of the present time.

use std::fmt;

use time::OffsetDateTime;

/// Tells the time. Passed to whatever needs it, so that a test can hold it still.
pub trait Clock: Send + Sync + fmt::Debug {
    /// Now, in UTC, cut to the microseconds that both databases keep.
    fn now(&self) -> OffsetDateTime;
}

/// The machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the machine's clock")]
    fn now(&self) -> OffsetDateTime {
        let now = OffsetDateTime::now_utc();
        now.replace_microsecond(now.microsecond()).unwrap_or(now)
    }
}
