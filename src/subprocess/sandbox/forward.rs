//! Carries what a process sends to its platform's address, in its own network, to the platform.

use std::{io, os::fd::OwnedFd, sync::Arc, time::Duration};

use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    task::JoinSet,
};
use tokio_util::task::AbortOnDropHandle;

use crate::task;

/// Connections of one process at once; further ones wait in the listener's queue.
const CONNECTIONS_MAX: usize = 256;
/// Pause after a connection could not be taken, for want of descriptors mostly.
const PAUSE: Duration = Duration::from_millis(100);

/// Carries connections of `listener` to `platform` until dropped.
///
/// # Errors
/// When the listener is none.
pub(crate) fn forward(listener: OwnedFd, platform: Arc<str>) -> io::Result<AbortOnDropHandle<()>> {
    let listener = TcpListener::from_std(listener.into())?;
    Ok(task::owned(carry_all(listener, platform)))
}

async fn carry_all(listener: TcpListener, platform: Arc<str>) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut carried = JoinSet::new();
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        match listener.accept().await {
            Ok((from, _)) => {
                let platform = Arc::clone(&platform);
                carried.spawn(async move {
                    if let Err(error) = carry(from, &platform).await {
                        tracing::debug!(%error, "a plugin's connection to the platform broke");
                    }
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "a plugin's connection to the platform could not be taken");
                tokio::time::sleep(PAUSE).await;
            }
        }
        while carried.try_join_next().is_some() {}
    }
}

async fn carry(mut from: TcpStream, platform: &str) -> io::Result<()> {
    let mut to = TcpStream::connect(platform).await?;
    from.set_nodelay(true)?;
    to.set_nodelay(true)?;
    copy_bidirectional(&mut from, &mut to).await?;
    Ok(())
}
