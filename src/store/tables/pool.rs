//! A few connections of one installation: made when they are needed, closed when nobody has needed them for a while.

use std::{
    ops::{Deref, DerefMut},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::Instant,
};

use super::{Error, Result};

/// Connections of one installation: transactions and cursors hold one each.
pub(super) const CONNECTIONS_MAX: usize = 4;
/// How long to wait for one.
const PATIENCE: Duration = Duration::from_secs(5);

/// Connections that nobody uses, and places for those in use.
#[derive(Debug)]
pub(super) struct Pool<C> {
    places: Arc<Semaphore>,
    idle: Mutex<Vec<(C, Instant)>>,
    /// How many others have to be let in, who wait for connections to be closed.
    others: AtomicUsize,
}

/// A connection in use. Dropped, it is closed; whoever leaves it as it was gives it back.
#[derive(Debug)]
pub(super) struct Lease<C> {
    connection: C,
    pool: Arc<Pool<C>>,
    // Last: a place is free when its connection is closed.
    place: OwnedSemaphorePermit,
}

impl<C> Pool<C> {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self { places: Arc::new(Semaphore::new(CONNECTIONS_MAX)), idle: Mutex::default(), others: AtomicUsize::new(0) })
    }

    /// A place, waited for until `deadline`, and a connection that nobody uses, if there is one.
    ///
    /// # Errors
    /// All are in use.
    pub(super) async fn place(&self, deadline: Instant) -> Result<(OwnedSemaphorePermit, Option<C>)> {
        let deadline = deadline.min(Instant::now() + PATIENCE);
        let place = tokio::time::timeout_at(deadline, Arc::clone(&self.places).acquire_owned()).await;
        let Ok(Ok(place)) = place else {
            return Err(Error::Busy(format!(
                "All {CONNECTIONS_MAX} connections of the plugin are in use by its transactions and cursors. End some."
            )));
        };
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        Ok((place, idle.map(|(connection, _)| connection)))
    }

    /// Puts a connection to use.
    pub(super) fn lease(self: &Arc<Self>, place: OwnedSemaphorePermit, connection: C) -> Lease<C> {
        Lease { connection, pool: Arc::clone(self), place }
    }

    /// Takes out what nobody has used since `since`, to be closed.
    pub(super) fn stale(&self, since: Instant) -> Vec<C> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let (stale, fresh) = std::mem::take(&mut *idle).into_iter().partition(|(_, at)| *at <= since);
        *idle = fresh;
        let stale: Vec<(C, Instant)> = stale;
        stale.into_iter().map(|(connection, _)| connection).collect()
    }

    /// Counts one more, or one less, for whom no connection is to stay open unused.
    pub(super) fn let_in(&self, one_more: bool) {
        let _before =
            if one_more { self.others.fetch_add(1, Ordering::SeqCst) } else { self.others.fetch_sub(1, Ordering::SeqCst) };
    }

    /// Whether others have to be let in.
    pub(super) fn has_others(&self) -> bool {
        self.others.load(Ordering::SeqCst) > 0
    }

    /// Waits until nobody uses a connection, and lets nobody have one again.
    pub(super) async fn close(&self) {
        if let Ok(all) = self.places.acquire_many(u32::try_from(CONNECTIONS_MAX).unwrap_or(u32::MAX)).await {
            all.forget();
        }
        self.places.close();
    }
}

impl<C> Lease<C> {
    /// For the next one who needs a connection.
    pub(super) fn give_back(self) {
        let Self { connection, pool, place } = self;
        if pool.has_others() {
            return;
        }
        pool.idle.lock().unwrap_or_else(PoisonError::into_inner).push((connection, Instant::now()));
        drop(place);
    }
}

impl<C> Deref for Lease<C> {
    type Target = C;

    fn deref(&self) -> &C {
        &self.connection
    }
}

impl<C> DerefMut for Lease<C> {
    fn deref_mut(&mut self) -> &mut C {
        &mut self.connection
    }
}
