//! How far the running step of an operation is, where that can be known: counted in this process, and shown by it.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use mint_domain::OperationId;
use serde::Serialize;

use crate::Platform;

/// How far a step is, of how much.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Progress {
    /// So much is done; at most `total`.
    pub done: u64,
    /// So much there is: bytes of a snapshot, or migrations.
    pub total: u64,
}

/// Counts what a step does.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    done: AtomicU64,
    total: AtomicU64,
}

impl Meter {
    /// From now on, so much is to be done; zero for a step that does not know.
    pub(crate) fn expect(&self, total: u64) {
        self.done.store(0, Ordering::Relaxed);
        self.total.store(total, Ordering::Relaxed);
    }

    /// So much more is done.
    pub(crate) fn add(&self, done: u64) {
        self.done.fetch_add(done, Ordering::Relaxed);
    }

    /// None where it is not known how much there is.
    fn read(&self) -> Option<Progress> {
        let total = self.total.load(Ordering::Relaxed);
        (total > 0).then(|| Progress { done: self.done.load(Ordering::Relaxed).min(total), total })
    }
}

impl Platform {
    /// What counts for an operation of this process.
    pub(crate) fn meter(&self, id: OperationId) -> Arc<Meter> {
        self.operations_here().get(&id).map(|here| Arc::clone(&here.meter)).unwrap_or_default()
    }

    /// How far the running step of an operation is. None where that is not known, or where another server runs it.
    pub fn progress(&self, id: OperationId) -> Option<Progress> {
        self.operations_here().get(&id)?.meter.read()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_that_does_more_than_it_knew_is_done() {
        let meter = Meter::default();
        assert_eq!(meter.read(), None);
        meter.expect(10);
        meter.add(4);
        assert_eq!(meter.read(), Some(Progress { done: 4, total: 10 }));
        meter.add(40);
        assert_eq!(meter.read(), Some(Progress { done: 10, total: 10 }));
        meter.expect(0);
        assert_eq!(meter.read(), None);
    }
}
