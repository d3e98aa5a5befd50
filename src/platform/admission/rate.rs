//! How many requests may begin in a second: any of them at once, as long as there were no more within a second.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use tokio::time::Instant;

/// The time over which requests are counted.
const WINDOW_NS: u64 = 1_000_000_000;

/// Counts the requests that began lately, in one number: the instant at which all of them are paid for.
#[derive(Debug)]
pub(super) struct Rate {
    began: Instant,
    paid_at_ns: AtomicU64,
}

impl Rate {
    /// Nothing has begun yet.
    pub(super) fn new() -> Self {
        Self { began: Instant::now(), paid_at_ns: AtomicU64::new(0) }
    }

    /// Begins to count anew, since what was counted was so at another price.
    pub(super) fn forget(&self) {
        self.paid_at_ns.store(0, Ordering::Relaxed);
    }

    /// Begins a request, unless only `kept` of them were left: how many have begun within a second, this one included.
    ///
    /// # Errors
    /// The time after which one may begin, when `per_second` without `kept` have begun.
    pub(super) fn take(&self, per_second: u64, kept: u64, now: Instant) -> Result<u64, Duration> {
        let now_ns = u64::try_from(now.saturating_duration_since(self.began).as_nanos()).unwrap_or(u64::MAX);
        let price_ns = (WINDOW_NS / per_second.max(1)).max(1);
        let window_ns = WINDOW_NS.saturating_sub(kept.saturating_mul(price_ns)).max(price_ns);
        let mut paid_at = self.paid_at_ns.load(Ordering::Relaxed);
        loop {
            let next = paid_at.max(now_ns).saturating_add(price_ns);
            let owed_ns = next.saturating_sub(now_ns);
            if owed_ns > window_ns {
                return Err(Duration::from_nanos(owed_ns - window_ns));
            }
            match self.paid_at_ns.compare_exchange_weak(paid_at, next, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return Ok(owed_ns / price_ns),
                Err(other) => paid_at = other,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn as_many_as_there_are_in_a_second() {
        let rate = Rate::new();
        let start = Instant::now();
        for expected in 1..=3 {
            assert_eq!(rate.take(3, 0, start), Ok(expected));
        }
        let wait = rate.take(3, 0, start).unwrap_err();
        assert!(wait > Duration::from_millis(300) && wait < Duration::from_millis(340), "{wait:?}");
        assert_eq!(rate.take(3, 0, start + wait), Ok(3), "one is paid for, and one begins");
        assert!(rate.take(3, 0, start + wait).is_err());
        let later = start + Duration::from_secs(60);
        assert_eq!(rate.take(3, 0, later), Ok(1), "what was not used is not saved up");
        assert_eq!(rate.take(1_000_000, 0, later + Duration::from_secs(1)), Ok(1));
    }

    #[tokio::test(start_paused = true)]
    async fn one_in_a_second_is_one() {
        let rate = Rate::new();
        let start = Instant::now();
        assert_eq!(rate.take(1, 0, start), Ok(1));
        assert_eq!(rate.take(1, 0, start), Err(Duration::from_secs(1)));
    }

    #[tokio::test(start_paused = true)]
    async fn some_are_kept() {
        let (rate, start) = (Rate::new(), Instant::now());
        assert!((0..6).all(|_| rate.take(8, 2, start).is_ok()));
        assert!(rate.take(8, 2, start).is_err());
        assert!(rate.take(8, 0, start).is_ok() && rate.take(8, 0, start).is_ok());
        assert!(rate.take(8, 0, start).is_err());
    }
}
