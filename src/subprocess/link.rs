//! Connections to one process: HTTP/1.1 over its socket, or a developer's port, kept for the next request.
//!
//! A connection has no task of its own: whoever waits for the response drives it, so that a request stays on one thread.

use std::{
    fmt,
    future::poll_fn,
    io,
    net::SocketAddr,
    path::PathBuf,
    pin::{Pin, pin},
    sync::{Mutex, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body as HttpBody, Frame, SizeHint};
use hyper::{
    body::Incoming,
    client::conn::{
        TrySendError,
        http1::{self, Parts, SendRequest},
    },
};
use hyper_util::rt::TokioIo;
use rustix::process::Pid;
use tokio::{
    net::{TcpStream, UnixStream},
    time::Instant,
};
use tokio_util::either::Either;

use crate::upload::Upload;

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

/// The connections to one process.
pub(crate) struct Pool {
    target: Target,
    idle: Mutex<Option<Vec<(Link, Instant)>>>,
}

/// Where connections go.
enum Target {
    /// To a process, and nobody else.
    Process { socket: PathBuf, pid: Pid },
    /// To whoever listens on a port.
    Port(SocketAddr),
}

type Wire = Either<UnixStream, TcpStream>;

/// One connection. Dropped, it is closed, whatever is under way on it.
pub(crate) struct Link {
    sender: SendRequest<Upload>,
    connection: Connection,
}

/// Reads and writes when it is driven.
struct Connection {
    /// None when it has ended.
    open: Option<Box<Open>>,
    /// What it left when it ended.
    left: Option<Left>,
}

type Open = http1::Connection<TokioIo<Wire>, Upload>;

/// A connection that does not speak HTTP any more, and what was read of what came after.
pub(crate) type Left = Parts<TokioIo<Wire>>;

/// The body of a response, with its connection.
#[derive(Debug)]
pub(crate) struct Answer {
    body: Incoming,
    link: Link,
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
    /// No connections yet, to the process `pid` and nobody else.
    pub(crate) fn of_process(socket: PathBuf, pid: Pid) -> Self {
        Self::to(Target::Process { socket, pid })
    }

    /// No connections yet, to whoever listens at `address`.
    pub(crate) fn of_port(address: SocketAddr) -> Self {
        Self::to(Target::Port(address))
    }

    fn to(target: Target) -> Self {
        Self { target, idle: Mutex::new(Some(Vec::new())) }
    }

    /// Sends a request and waits for the head of the response. The connection comes with the body: it is to be given back
    /// when that has ended.
    ///
    /// A kept connection may turn out to be closed; the request is sent again on another one only if nothing of it was
    /// sent.
    pub(crate) async fn send(&self, mut request: Request<Upload>) -> Result<Response<Answer>, LinkError> {
        loop {
            let kept = self.take().await;
            let was_kept = kept.is_some();
            let mut link = match kept {
                Some(link) => link,
                None => self.connect().await?,
            };
            match link.send(request).await {
                Ok(response) => return Ok(response.map(|body| Answer { body, link })),
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
            if since.elapsed() <= IDLE_AGE_MAX && link.is_ready().await {
                return Some(link);
            }
        }
    }

    async fn connect(&self) -> Result<Link, LinkError> {
        let stream = self.target.connect().await?;
        // A head has at most hyper's 100 headers: with a number of our own, each response would allocate room for so many.
        let (sender, connection) = http1::Builder::new().max_buf_size(BUFFER_BYTES_MAX).handshake(TokioIo::new(stream)).await?;
        Ok(Link { sender, connection: Connection { open: Some(Box::new(connection)), left: None } })
    }
}

impl Connection {
    /// Does what can be done now, and wakes the task of `context` when there is more.
    fn drive(&mut self, context: &mut Context<'_>) {
        let Some(mut open) = self.open.take() else { return };
        match Pin::new(&mut *open).poll(context) {
            Poll::Pending => self.open = Some(open),
            Poll::Ready(Ok(())) => self.left = Some(open.into_parts()),
            Poll::Ready(Err(error)) => tracing::debug!(%error, "a connection to a plugin ended"),
        }
    }
}

impl Link {
    /// Sends a request and waits for the head of the response.
    async fn send(&mut self, request: Request<Upload>) -> Result<Response<Incoming>, TrySendError<Request<Upload>>> {
        let Self { sender, connection } = self;
        let mut response = pin!(sender.try_send_request(request));
        poll_fn(|context| {
            connection.drive(context);
            response.as_mut().poll(context)
        })
        .await
    }

    /// The connection, after it was switched to another protocol; none when it broke.
    pub(crate) async fn into_left(mut self) -> Option<Left> {
        poll_fn(|context| {
            self.connection.drive(context);
            if self.connection.open.is_none() { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
        self.connection.left
    }

    /// Whether it is open and takes another request, now or in a moment.
    async fn is_ready(&mut self) -> bool {
        let Self { sender, connection } = self;
        let mut free = poll_fn(|context| {
            connection.drive(context);
            sender.poll_ready(context)
        });
        // Most are free at once, without a timer.
        if let Poll::Ready(free) = poll_fn(|context| Poll::Ready(Pin::new(&mut free).poll(context))).await {
            return free.is_ok();
        }
        matches!(tokio::time::timeout(FREE_AGAIN, free).await, Ok(Ok(())))
    }
}

impl Answer {
    /// The connection, of use once the body has ended.
    pub(crate) fn into_link(self) -> Link {
        self.link
    }
}

impl HttpBody for Answer {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let Self { body, link } = &mut *self;
        match Pin::new(&mut *body).poll_frame(context) {
            Poll::Pending => {
                link.connection.drive(context);
                Pin::new(body).poll_frame(context)
            }
            ready => ready,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Target {
    async fn connect(&self) -> io::Result<Wire> {
        match self {
            Self::Process { socket, pid } => loop {
                match UnixStream::connect(socket).await {
                    // Its queue of connections is full. The caller's deadline ends this.
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => tokio::time::sleep(BACKLOG_PAUSE).await,
                    Ok(stream) if !is_listener(&stream, *pid) => {
                        return Err(io::Error::new(io::ErrorKind::PermissionDenied, "another process listens on its socket"));
                    }
                    connected => return connected.map(Either::Left),
                }
            },
            Self::Port(address) => {
                let stream = TcpStream::connect(address).await?;
                stream.set_nodelay(true)?;
                Ok(Either::Right(stream))
            }
        }
    }
}

/// Whether the process, or one of its session, is at the other end: the file could have been put there by anybody who runs
/// as the same user.
fn is_listener(stream: &UnixStream, process: Pid) -> bool {
    let peer = stream.peer_cred().ok().and_then(|peer| Pid::from_raw(peer.pid()?));
    peer.is_some_and(|peer| peer == process || rustix::process::getsid(Some(peer)) == Ok(process))
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.target {
            Target::Process { socket, .. } => write!(f, "Pool({})", socket.display()),
            Target::Port(address) => write!(f, "Pool({address})"),
        }
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Link")
    }
}
