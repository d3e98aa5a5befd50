//! So many places, so many who wait for one. Both can change while people are inside.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit},
    time::{Instant, timeout_at},
};

/// Places.
#[derive(Debug)]
pub(super) struct Gate {
    slots: Arc<Semaphore>,
    slots_max: AtomicU64,
    /// Places that are taken away as soon as they are given back.
    debt: Arc<AtomicU64>,
    queue_max: AtomicU64,
    waiting: AtomicU64,
}

/// A place; given back when dropped.
#[derive(Debug)]
pub(super) struct Place {
    slot: Option<OwnedSemaphorePermit>,
    debt: Arc<AtomicU64>,
}

/// Why there is no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoPlace {
    /// As many wait as may.
    QueueFull,
    /// None became free in time.
    TooLate,
    /// The gate is closed for good.
    Closed,
}

impl Gate {
    pub(super) fn new(slots_max: u64, queue_max: u64) -> Self {
        Self {
            slots: Arc::new(Semaphore::new(permits(slots_max))),
            slots_max: AtomicU64::new(slots_max),
            debt: Arc::default(),
            queue_max: AtomicU64::new(queue_max),
            waiting: AtomicU64::new(0),
        }
    }

    /// A place, if one is free and nobody waits for it.
    pub(super) fn try_enter(&self) -> Option<Place> {
        Some(self.place(self.slots.clone().try_acquire_owned().ok()?))
    }

    /// Waits for a place until `deadline`.
    pub(super) async fn queue(&self, deadline: Instant) -> Result<Place, NoPlace> {
        if self.waiting.fetch_add(1, Ordering::Relaxed) >= self.queue_max.load(Ordering::Relaxed) {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
            return Err(NoPlace::QueueFull);
        }
        let waited = Waiting(&self.waiting);
        let slot = timeout_at(deadline, self.slots.clone().acquire_owned()).await;
        drop(waited);
        match slot {
            Ok(Ok(slot)) => Ok(self.place(slot)),
            Ok(Err(_)) => Err(NoPlace::Closed),
            Err(_) => Err(NoPlace::TooLate),
        }
    }

    fn place(&self, slot: OwnedSemaphorePermit) -> Place {
        Place { slot: Some(slot), debt: self.debt.clone() }
    }

    /// So many places and so many waiting from now on. Whoever is inside stays. To be called by one at a time.
    pub(super) fn resize(&self, slots_max: u64, queue_max: u64) {
        self.queue_max.store(queue_max, Ordering::Relaxed);
        let before = self.slots_max.swap(slots_max, Ordering::Relaxed);
        for _ in before..slots_max {
            if !pay(&self.debt) {
                self.slots.add_permits(1);
            }
        }
        let fewer = permits(before.saturating_sub(slots_max));
        let taken = self.slots.forget_permits(fewer);
        self.debt.fetch_add((fewer - taken) as u64, Ordering::AcqRel);
    }

    /// Who is inside, and who waits.
    pub(super) fn usage(&self) -> (u64, u64) {
        let places = self.slots_max.load(Ordering::Relaxed) + self.debt.load(Ordering::Relaxed);
        (places.saturating_sub(self.slots.available_permits() as u64), self.waiting.load(Ordering::Relaxed))
    }

    /// Waits until nobody is inside; none once the gate is closed. Nobody enters while what is given is held.
    pub(super) async fn empty(&self) -> Option<SemaphorePermit<'_>> {
        let all = u32::try_from(self.slots_max.load(Ordering::Relaxed)).unwrap_or(u32::MAX);
        self.slots.acquire_many(all).await.ok()
    }

    /// Closes the gate for good. Whoever still waits is sent on.
    pub(super) fn close(&self) {
        self.slots.close();
    }
}

fn permits(count: u64) -> usize {
    usize::try_from(count).unwrap_or(Semaphore::MAX_PERMITS).min(Semaphore::MAX_PERMITS)
}

/// Takes one off the debt, if there is any.
fn pay(debt: &AtomicU64) -> bool {
    debt.fetch_update(Ordering::AcqRel, Ordering::Acquire, |debt| debt.checked_sub(1)).is_ok()
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(slot) = self.slot.take()
            && pay(&self.debt)
        {
            slot.forget();
        }
    }
}

struct Waiting<'a>(&'a AtomicU64);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    impl Gate {
        async fn enter(&self, deadline: Instant) -> Result<Place, NoPlace> {
            match self.try_enter() {
                Some(place) => Ok(place),
                None => self.queue(deadline).await,
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn places_come_and_go_while_people_are_inside() {
        let gate = Gate::new(2, 0);
        let soon = || Instant::now() + Duration::from_millis(10);
        let inside = [gate.enter(soon()).await.unwrap(), gate.enter(soon()).await.unwrap()];
        gate.resize(1, 1);
        assert_eq!(gate.usage(), (2, 0));
        assert_eq!(gate.enter(soon()).await.unwrap_err(), NoPlace::TooLate);
        drop(inside);
        assert_eq!(gate.usage(), (0, 0));
        let one = gate.enter(soon()).await.unwrap();
        assert_eq!(gate.enter(soon()).await.unwrap_err(), NoPlace::TooLate, "there is one place now");
        gate.resize(3, 0);
        let others = [gate.enter(soon()).await.unwrap(), gate.enter(soon()).await.unwrap()];
        assert_eq!(gate.enter(soon()).await.unwrap_err(), NoPlace::QueueFull);
        gate.resize(1, 0);
        gate.resize(2, 0);
        drop(others);
        assert_eq!(gate.usage(), (1, 0), "what was owed is not owed twice");
        let two = gate.enter(soon()).await.unwrap();
        assert_eq!(gate.enter(soon()).await.unwrap_err(), NoPlace::QueueFull);
        drop((one, two));
        assert!(gate.empty().await.is_some());
        gate.close();
        assert!(gate.enter(soon()).await.is_err() && gate.empty().await.is_none());
    }
}
