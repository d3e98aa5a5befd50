//! Connections to one process: HTTP/1.1 over its socket, kept for the next request.

use std::{
    fmt, io,
    path::PathBuf,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use http::{Request, Response};
use hyper::{
    body::Incoming,
    client::conn::http1::{self, SendRequest},
};
use hyper_util::rt::TokioIo;
use rustix::process::Pid;
use tokio::{net::UnixStream, time::Instant};
use tokio_util::task::AbortOnDropHandle;

use crate::{task, upload::Upload};

/// Idle connections kept.
const IDLE_MAX: usize = 64;
/// Application servers close idle connections too, uvicorn after 5 s; this side should be first.
const IDLE_AGE_MAX: Duration = Duration::from_secs(4);
/// A connection whose response has ended is free again at once, or not at all.
const FREE_AGAIN: Duration = Duration::from_millis(20);
/// Pause before another try when the process has too many connections waiting.
const BACKLOG_PAUSE: Duration = Duration::from_millis(5);
/// Most bytes of a response's head, and of what is read ahead.
const BUFFER_BYTES_MAX: usize = 64 << 10;
/// Most headers of a response.
const HEADERS_MAX: usize = 100;

/// The connections to one process.
pub(crate) struct Pool {
    socket: PathBuf,
    process: Pid,
    idle: Mutex<Option<Vec<(Link, Instant)>>>,
}

/// One connection. Dropped, it is closed, whatever is under way on it.
pub(crate) struct Link {
    sender: SendRequest<Upload>,
    _driver: AbortOnDropHandle<()>,
}

/// Why there is no response.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LinkError {
    /// Nobody listens.
    #[error("it does not accept connections: {0}")]
    Connect(#[from] io::Error),
    /// Somebody listens, and something is wrong.
    #[error("{0}")]
    Http(#[from] hyper::Error),
}

impl Pool {
    /// No connections yet, to `process` and nobody else.
    pub(crate) fn new(socket: PathBuf, process: Pid) -> Self {
        Self { socket, process, idle: Mutex::new(Some(Vec::new())) }
    }

    /// Sends a request and waits for the head of the response. The connection comes with it: it is to be given back when
    /// the body has ended.
    ///
    /// A kept connection may turn out to be closed; the request is sent again on another one only if nothing of it was
    /// sent.
    pub(crate) async fn send(&self, mut request: Request<Upload>) -> Result<(Response<Incoming>, Link), LinkError> {
        loop {
            let kept = self.take().await;
            let was_kept = kept.is_some();
            let mut link = match kept {
                Some(link) => link,
                None => self.connect().await?,
            };
            match link.sender.try_send_request(request).await {
                Ok(response) => return Ok((response, link)),
                Err(mut error) => match error.take_message() {
                    Some(unsent) if was_kept => request = unsent,
                    Some(_) | None => return Err(error.into_error().into()),
                },
            }
        }
    }

    /// Takes a connection back whose response has ended.
    pub(crate) fn give_back(&self, link: Link) {
        if link.sender.is_closed() {
            return;
        }
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(idle) = idle.as_mut().filter(|idle| idle.len() < IDLE_MAX) {
            idle.push((link, Instant::now()));
        }
    }

    /// Closes the idle connections, and every other one when it is given back.
    pub(crate) fn close(&self) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    async fn take(&self) -> Option<Link> {
        loop {
            let (mut link, since) = self.idle.lock().unwrap_or_else(PoisonError::into_inner).as_mut()?.pop()?;
            if since.elapsed() > IDLE_AGE_MAX || link.sender.is_closed() {
                continue;
            }
            if link.sender.is_ready() || matches!(tokio::time::timeout(FREE_AGAIN, link.sender.ready()).await, Ok(Ok(()))) {
                return Some(link);
            }
        }
    }

    async fn connect(&self) -> Result<Link, LinkError> {
        let stream = loop {
            match UnixStream::connect(&self.socket).await {
                // Its queue of connections is full. The caller's deadline ends this.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => tokio::time::sleep(BACKLOG_PAUSE).await,
                connected => break connected?,
            }
        };
        if !self.is_listener(&stream) {
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, "another process listens on its socket").into());
        }
        let (sender, connection) =
            http1::Builder::new().max_buf_size(BUFFER_BYTES_MAX).max_headers(HEADERS_MAX).handshake(TokioIo::new(stream)).await?;
        let driver = task::owned(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection to a plugin ended");
            }
        });
        Ok(Link { sender, _driver: driver })
    }
}

impl Pool {
    /// Whether the process, or one of its session, is at the other end: the file could have been put there by anybody
    /// who runs as the same user.
    fn is_listener(&self, stream: &UnixStream) -> bool {
        let peer = stream.peer_cred().ok().and_then(|peer| Pid::from_raw(peer.pid()?));
        peer.is_some_and(|peer| peer == self.process || rustix::process::getsid(Some(peer)) == Ok(self.process))
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pool({})", self.socket.display())
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Link")
    }
}
