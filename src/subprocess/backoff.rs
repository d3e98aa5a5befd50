//! Pauses between restarts. Pure: the time and the chance come in.

use std::time::Duration;

use tokio::time::Instant;

const FIRST: Duration = Duration::from_millis(200);
const LONGEST: Duration = Duration::from_secs(60);
/// By which part a pause is made longer or shorter.
const JITTER: f64 = 0.2;
/// A process that ran so long begins anew.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(600);

/// Doubles the pause with every fault.
#[derive(Debug, Default)]
pub(crate) struct Backoff {
    in_a_row: u32,
    last: Option<Instant>,
}

impl Backoff {
    /// The pause after a fault at `now`. `chance`, from 0 to 1, places it within its jitter.
    pub(crate) fn pause(&mut self, now: Instant, chance: f64) -> Duration {
        if self.last.is_some_and(|last| now.duration_since(last) >= FORGOTTEN_AFTER) {
            self.in_a_row = 0;
        }
        self.last = Some(now);
        let pause = FIRST.saturating_mul(2_u32.saturating_pow(self.in_a_row)).min(LONGEST);
        self.in_a_row = self.in_a_row.saturating_add(1);
        pause.mul_f64(1.0 + JITTER * (2.0 * chance.clamp(0.0, 1.0) - 1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pauses_ms(at_s: &[u64], chance: f64) -> Vec<u128> {
        let (start, mut backoff) = (Instant::now(), Backoff::default());
        at_s.iter().map(|s| backoff.pause(start + Duration::from_secs(*s), chance).as_millis()).collect()
    }

    #[test]
    fn pauses_double_up_to_a_minute() {
        let at: Vec<u64> = (0..12).map(|i| i * 100).collect();
        let expected = [200, 400, 800, 1_600, 3_200, 6_400, 12_800, 25_600, 51_200, 60_000, 60_000, 60_000];
        assert_eq!(pauses_ms(&at, 0.5), expected);
    }

    #[test]
    fn ten_quiet_minutes_forget() {
        assert_eq!(pauses_ms(&[0, 1, 601, 1_200], 0.5), [200, 400, 200, 400]);
    }

    #[test]
    fn jitter_is_a_fifth_either_way() {
        assert_eq!((pauses_ms(&[0], 0.0), pauses_ms(&[0], 1.0)), (vec![160], vec![240]));
    }
}
