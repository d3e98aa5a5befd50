//! Takes connections, so many at a time.

use std::{sync::Arc, time::Duration};

use tokio::{sync::Semaphore, task::JoinSet};
use tokio_util::net::Listener;

/// Pause after a connection could not be taken, for want of descriptors mostly.
const PAUSE: Duration = Duration::from_millis(100);

/// Hands every connection of a plugin's process to `carry`, `at_once` of them at a time, until dropped; further ones wait in the
/// listener's queue. `what` they lead to is for the log.
pub(crate) async fn each<L, C>(mut listener: L, at_once: usize, what: &'static str, carry: impl Fn(L::Io) -> C)
where
    L: Listener,
    C: Future<Output = ()> + Send + 'static,
{
    let places = Arc::new(Semaphore::new(at_once));
    let mut carried = JoinSet::new();
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let accepted = listener.accept().await.map(|(connection, _)| connection);
        match accepted {
            Ok(connection) => {
                let carrying = carry(connection);
                carried.spawn(async move {
                    carrying.await;
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!(%error, what, "a plugin's connection could not be taken");
                tokio::time::sleep(PAUSE).await;
            }
        }
        while carried.try_join_next().is_some() {}
    }
}
