//! The hold of this process on an operation that it runs. Whoever loses it stops at once and writes nothing more: the
//! operation is another's then, who goes by what is written.

use std::{
    future::poll_fn,
    pin::pin,
    sync::{Arc, Mutex, PoisonError},
    task::Poll,
    time::Duration,
};

use mint_context::Error;
use mint_domain::TenantId;
use mint_store::operations::{self, Lease};
use time::OffsetDateTime;
use tokio::time::Instant;
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

use crate::{Platform, operation::Here};

/// This process takes its hold for lost so long before others may.
const MARGIN: Duration = Duration::from_secs(1);

/// A hold that is renewed until it is dropped, or lost.
pub(crate) struct Hold {
    /// As the database knows it.
    pub(crate) lease: Lease,
    platform: Arc<Platform>,
    state: Arc<Held>,
    _renewal: AbortOnDropHandle<()>,
}

/// What the renewal and the operation share.
struct Held {
    until: Mutex<Instant>,
    lost: CancellationToken,
}

impl Held {
    fn is_over(&self) -> bool {
        self.lost.is_cancelled() || Instant::now() >= *self.until.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Hold {
    /// Works for as long as the hold lasts. None when it was lost: the work was dropped where it stood.
    pub(crate) async fn keep<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        let (mut work, mut lost) = (pin!(work), pin!(self.state.lost.cancelled()));
        poll_fn(|context| {
            // First, and by the clock: a process that was frozen wakes up here.
            if lost.as_mut().poll(context).is_ready() || self.state.is_over() {
                return Poll::Ready(None);
            }
            work.as_mut().poll(context).map(Some)
        })
        .await
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        let mut here = self.platform.operations_here();
        // It may have been taken up here again.
        if here.get(&self.lease.operation).is_some_and(|known| known.epoch == self.lease.epoch) {
            here.remove(&self.lease.operation);
        }
    }
}

impl Platform {
    /// Keeps a lease that is about to be taken, since `taken`, for an operation on a plugin. To be called before the commit, so
    /// that the reconciler never takes the operation for one that was left behind.
    pub(crate) fn hold(self: &Arc<Self>, lease: Lease, taken: Instant, tenant: TenantId, plugin: &str) -> Hold {
        let here = Here { tenant, plugin: plugin.to_owned(), epoch: lease.epoch, cancel: None, meter: Arc::default() };
        self.operations_here().insert(lease.operation, here);
        let length = self.lease_length();
        let state = Arc::new(Held { until: Mutex::new(until(taken, length)), lost: CancellationToken::new() });
        let (platform, held) = (self.clone(), state.clone());
        // Also while the platform ends, which waits for operations.
        let renewal = self.track(async move {
            let mut pause = length / 3;
            while !held.is_over() {
                tokio::time::sleep(pause).await;
                let began = Instant::now();
                match platform.renew(lease).await {
                    Ok(()) => {
                        *held.until.lock().unwrap_or_else(PoisonError::into_inner) = until(began, length);
                        pause = length / 3;
                    }
                    Err(Error::Store(mint_store::Error::LeaseLost)) => break,
                    Err(error) => {
                        tracing::warn!(operation.id = %lease.operation, error = &error as &dyn std::error::Error,
                            "the lease of an operation could not be renewed");
                        pause = length / 10;
                    }
                }
            }
            held.lost.cancel();
        });
        Hold { lease, platform: self.clone(), state, _renewal: AbortOnDropHandle::new(renewal) }
    }

    /// Until when a lease lasts that is taken or renewed now.
    pub(crate) fn lease_until(&self) -> OffsetDateTime {
        self.services().clock.now() + self.lease_length()
    }

    async fn renew(&self, lease: Lease) -> Result<(), Error> {
        let mut tx = self.services().db.begin().await?;
        operations::renew(&mut tx, lease, self.lease_until()).await?;
        Ok(tx.commit().await?)
    }
}

fn until(taken: Instant, length: Duration) -> Instant {
    taken + length.saturating_sub(MARGIN)
}
