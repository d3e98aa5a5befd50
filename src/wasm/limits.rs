//! The limits of one store: memory, time spent computing, and the error that says which of them was reached.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use mint_context::logs::PluginLog;
use mint_domain::{Limits, limit::Limit};
use rustix::time::{ClockId, clock_gettime};
use wasmtime::ResourceLimiter;

use crate::engine::TICK;

/// A limit was reached: the guest is stopped with this as the trap.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Reached {
    /// Name of the limit.
    pub limit: &'static str,
    /// With figures, for people.
    pub message: String,
}

/// Counts all memories and tables of a store together.
#[derive(Debug)]
pub(crate) struct MemoryLimit {
    bytes_max: u64,
    bytes: u64,
    refused: bool,
    log: Arc<PluginLog>,
}

/// Of a table, wasmtime keeps so many bytes for each element.
const TABLE_ELEMENT_BYTES: u64 = 8;

impl MemoryLimit {
    /// The memory limit of an installation.
    pub(crate) fn new(limits: &Limits, log: Arc<PluginLog>) -> Self {
        Self { bytes_max: limits.instance_memory_bytes_max, bytes: 0, refused: false, log }
    }

    /// Begins another call: what was refused in an earlier one is forgotten.
    pub(crate) fn begin(&mut self) {
        self.refused = false;
    }

    /// What to say if a growth was refused. The guest is told by the return value of `memory.grow`, and most guests
    /// then trap, which looks like a defect of theirs.
    pub(crate) fn reached(&self) -> Option<Reached> {
        self.refused.then(|| Reached {
            limit: "instance_memory_bytes_max",
            message: format!("The plugin needed more than its {} MiB of memory.", self.bytes_max >> 20),
        })
    }

    fn grow(&mut self, current: u64, desired: u64) -> bool {
        let total = self.bytes.saturating_add(desired.saturating_sub(current));
        let fits = total <= self.bytes_max;
        if fits {
            self.bytes = total;
            self.log.meters().observe(Limit::instance_memory_bytes_max, total);
        } else {
            self.refused = true;
            self.log.limit_reached(Limit::instance_memory_bytes_max.name());
        }
        fits
    }
}

impl ResourceLimiter for MemoryLimit {
    fn memory_growing(&mut self, current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        Ok(self.grow(current as u64, desired as u64))
    }

    fn memory_grow_failed(&mut self, error: wasmtime::Error) -> wasmtime::Result<()> {
        tracing::debug!(error = %error, "a memory could not grow");
        self.refused = true;
        Ok(())
    }

    fn table_growing(&mut self, current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        let bytes = |elements: usize| (elements as u64).saturating_mul(TABLE_ELEMENT_BYTES);
        Ok(self.grow(bytes(current), bytes(desired)))
    }
}

const TICK_NS: u64 = TICK.as_nanos() as u64;

/// Measures the time that a store's guest spends computing, and no time that it waits or that others compute.
///
/// The clock is that of the thread: a busy machine does not use up a guest's time. It costs a system call, so it is read
/// only by guests that compute until an epoch ends; until then the wall clock stands for it, up to the length of an epoch.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    spent_ns: AtomicU64,
    /// On the wall clock.
    entered_at_ns: AtomicU64,
    /// On the clock of the thread, from the first epoch since it was entered; zero before.
    measured_from_ns: AtomicU64,
    ms_max: AtomicU64,
}

impl Meter {
    /// Starts a call that may compute for `ms_max` milliseconds.
    pub(crate) fn arm(&self, ms_max: u64) {
        self.spent_ns.store(0, Ordering::Relaxed);
        self.ms_max.store(ms_max, Ordering::Relaxed);
    }

    /// Asked at every epoch, on the guest's thread, while the guest computes.
    ///
    /// # Errors
    /// [`Reached`] when the time is up.
    pub(crate) fn check(&self) -> Result<(), Reached> {
        let now = thread_time_ns();
        let mut from = self.measured_from_ns.load(Ordering::Relaxed);
        if from == 0 {
            self.spent_ns.fetch_add(self.unmeasured_ns(), Ordering::Relaxed);
            self.measured_from_ns.store(now, Ordering::Relaxed);
            from = now;
        }
        let spent_ms = self.spent_ns.load(Ordering::Relaxed).saturating_add(now.saturating_sub(from)) / 1_000_000;
        let ms_max = self.ms_max.load(Ordering::Relaxed);
        if spent_ms <= ms_max {
            return Ok(());
        }
        Err(Reached { limit: "cpu_ms_max", message: format!("The plugin computed for longer than its {ms_max} ms.") })
    }

    /// The guest goes on, on this thread.
    pub(crate) fn enter(&self) {
        self.measured_from_ns.store(0, Ordering::Relaxed);
        self.entered_at_ns.store(time_ns(ClockId::Monotonic), Ordering::Relaxed);
    }

    /// The guest is left, on the thread that entered it.
    pub(crate) fn leave(&self) {
        let spent = match self.measured_from_ns.load(Ordering::Relaxed) {
            0 => self.unmeasured_ns(),
            from => thread_time_ns().saturating_sub(from),
        };
        self.spent_ns.fetch_add(spent, Ordering::Relaxed);
    }

    /// What the call has computed so far, in milliseconds begun.
    pub(crate) fn spent_ms(&self) -> u64 {
        self.spent_ns.load(Ordering::Relaxed).div_ceil(1_000_000)
    }

    /// The time since it was entered, while no epoch has ended.
    fn unmeasured_ns(&self) -> u64 {
        time_ns(ClockId::Monotonic).saturating_sub(self.entered_at_ns.load(Ordering::Relaxed)).min(TICK_NS)
    }
}

fn thread_time_ns() -> u64 {
    time_ns(ClockId::ThreadCPUTime)
}

fn time_ns(clock: ClockId) -> u64 {
    let now = clock_gettime(clock);
    // Neither part can be negative for a clock that counts up from zero.
    u64::try_from(now.tv_sec).unwrap_or(0).saturating_mul(1_000_000_000).saturating_add(u64::try_from(now.tv_nsec).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use mint_domain::limit::LimitChanges;

    use super::*;

    fn log() -> Arc<PluginLog> {
        let installation = mint_domain::InstallationId(1);
        Arc::new(PluginLog::new("lab".parse().unwrap(), "p".parse().unwrap(), "1".to_owned(), installation, 1 << 20))
    }

    #[test]
    fn memories_and_tables_are_counted_together() {
        let changes = LimitChanges { instance_memory_bytes_max: Some(1_000), ..LimitChanges::default() };
        let mut limit = MemoryLimit::new(&Limits::default().merged(&changes).unwrap(), log());
        assert!(limit.memory_growing(0, 400, None).unwrap());
        assert!(limit.memory_growing(0, 400, None).unwrap());
        assert!(limit.table_growing(0, 25, None).unwrap());
        assert_eq!(limit.bytes, 1_000);
        assert!(limit.reached().is_none());
        assert!(!limit.memory_growing(400, 401, None).unwrap());
        assert!(!limit.table_growing(0, usize::MAX, None).unwrap());
        assert_eq!(limit.reached().unwrap().limit, "instance_memory_bytes_max");
    }

    #[test]
    fn a_meter_counts_work_and_not_waiting() {
        let meter = Meter::default();
        meter.arm(20);
        meter.enter();
        std::thread::sleep(std::time::Duration::from_millis(60));
        assert!(meter.check().is_ok());
        meter.leave();
        meter.enter();
        let mut sum = 0_u64;
        while meter.check().is_ok() {
            sum = std::hint::black_box(sum.wrapping_add(1));
        }
        meter.leave();
        assert_eq!(meter.check().unwrap_err().limit, "cpu_ms_max");
        assert!(meter.spent_ns.load(Ordering::Relaxed) < 60_000_000);
    }
}
