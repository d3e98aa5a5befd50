//! Carries what a process sends to its platform, by a socket of its private directory or to an address in its own network.

use std::{
    fs::{self, Permissions},
    io,
    os::{fd::OwnedFd, unix::fs::PermissionsExt},
    path::Path,
    sync::Arc,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, copy_bidirectional},
    net::{TcpListener, TcpStream, UnixListener},
};
use tokio_util::{net::Listener, task::AbortOnDropHandle};

use crate::{accept, task};

/// Connections of one process at once.
const CONNECTIONS_MAX: usize = 256;

/// Carries connections of `listener` to `platform` until dropped.
///
/// # Errors
/// When the listener is none.
pub(crate) fn forward(listener: OwnedFd, platform: Arc<str>) -> io::Result<AbortOnDropHandle<()>> {
    Ok(carry_all(TcpListener::from_std(listener.into())?, platform, |from| from.set_nodelay(true)))
}

/// The same for a socket at `path`, which is made.
///
/// # Errors
/// When it cannot be made.
pub(crate) fn forward_socket(path: &Path, platform: Arc<str>) -> io::Result<AbortOnDropHandle<()>> {
    let listener = UnixListener::bind(path)?;
    // The directory is closed to everybody but the plugin's user, who may be another than the server's.
    fs::set_permissions(path, Permissions::from_mode(0o666))?;
    Ok(carry_all(listener, platform, |_| Ok(())))
}

fn carry_all<L>(listener: L, platform: Arc<str>, prepare: fn(&L::Io) -> io::Result<()>) -> AbortOnDropHandle<()>
where
    L: Listener<Io: AsyncRead + AsyncWrite + Unpin + Send + 'static> + Send + 'static,
{
    task::owned(accept::each(listener, CONNECTIONS_MAX, "the platform", move |from| {
        let platform = Arc::clone(&platform);
        async move {
            let carried = match prepare(&from) {
                Ok(()) => carry(from, &platform).await,
                Err(error) => Err(error),
            };
            if let Err(error) = carried {
                tracing::debug!(%error, "a plugin's connection to the platform broke");
            }
        }
    }))
}

async fn carry(mut from: impl AsyncRead + AsyncWrite + Unpin, platform: &str) -> io::Result<()> {
    let mut to = TcpStream::connect(platform).await?;
    to.set_nodelay(true)?;
    copy_bidirectional(&mut from, &mut to).await?;
    Ok(())
}
