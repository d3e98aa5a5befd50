//! What an installation uses up: for each limit what is in use now, the most there was, and how often it was reached.
//!
//! Atomic numbers, so that counting costs next to nothing on the way of a request. They outlive a start of the plugin, and
//! begin anew with the server.

use std::sync::atomic::{AtomicU64, Ordering};

use mint_domain::limit::Limit;

/// Where nothing says what is in use.
const UNKNOWN: u64 = u64::MAX;

/// The meters of one installation.
#[derive(Debug)]
pub struct Meters {
    cells: [Cell; Limit::COUNT],
}

/// What was measured of one limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// In use now; none where a limit is about single calls, or nothing was measured yet.
    pub current: Option<u64>,
    /// The most that was in use at once, or in one call; none where nothing was measured yet.
    pub peak: Option<u64>,
    /// How often something was refused or ended because of it.
    pub reached: u64,
}

#[derive(Debug)]
struct Cell {
    current: AtomicU64,
    peak: AtomicU64,
    reached: AtomicU64,
}

impl Default for Meters {
    fn default() -> Self {
        let cell = |_| Cell { current: AtomicU64::new(UNKNOWN), peak: AtomicU64::new(UNKNOWN), reached: AtomicU64::new(0) };
        Self { cells: std::array::from_fn(cell) }
    }
}

impl Meters {
    /// Notes that so much is in use now.
    pub fn set(&self, limit: Limit, value: u64) {
        if let Some(cell) = self.cell(limit) {
            cell.current.store(value, Ordering::Relaxed);
            cell.raise(value);
        }
    }

    /// Notes that one call used so much.
    pub fn observe(&self, limit: Limit, value: u64) {
        if let Some(cell) = self.cell(limit) {
            cell.raise(value);
        }
    }

    /// Counts that a limit was reached. A name that is no limit counts nothing.
    pub fn reached(&self, limit: &str) {
        if let Some(cell) = Limit::named(limit).and_then(|limit| self.cell(limit)) {
            cell.reached.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// What was measured.
    pub fn read(&self, limit: Limit) -> Reading {
        let known = |value: &AtomicU64| Some(value.load(Ordering::Relaxed)).filter(|value| *value != UNKNOWN);
        self.cell(limit).map_or_else(Reading::default, |cell| Reading {
            current: known(&cell.current),
            peak: known(&cell.peak),
            reached: cell.reached.load(Ordering::Relaxed),
        })
    }

    fn cell(&self, limit: Limit) -> Option<&Cell> {
        self.cells.get(limit as usize)
    }
}

impl Cell {
    fn raise(&self, value: u64) {
        let peak = self.peak.load(Ordering::Relaxed);
        if peak != UNKNOWN && peak >= value {
            return;
        }
        // Whoever comes between has said at least as much, or says it again.
        let higher = |peak: u64| (peak == UNKNOWN || peak < value).then_some(value);
        let _is_lower = self.peak.fetch_update(Ordering::Relaxed, Ordering::Relaxed, higher);
    }
}

#[cfg(test)]
mod tests {
    use mint_domain::limit::TABLE;

    use super::*;

    #[test]
    fn the_present_the_most_and_how_often() {
        let meters = Meters::default();
        assert_eq!(meters.read(Limit::files_bytes_max), Reading::default());
        meters.set(Limit::files_bytes_max, 10);
        meters.set(Limit::files_bytes_max, 4);
        meters.observe(Limit::cpu_ms_max, 7);
        meters.observe(Limit::cpu_ms_max, 5);
        for row in TABLE {
            meters.reached(row.name);
        }
        meters.reached("no such limit");
        assert_eq!(meters.read(Limit::files_bytes_max), Reading { current: Some(4), peak: Some(10), reached: 1 });
        assert_eq!(meters.read(Limit::cpu_ms_max), Reading { current: None, peak: Some(7), reached: 1 });
    }
}
