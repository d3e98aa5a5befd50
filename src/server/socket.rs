//! WebSockets to plugins: from the answer to a handshake to the last byte.
//!
//! Of what travels only the lengths of frames are looked at, so that both sides can be told when a WebSocket has to end. Each
//! direction has one small buffer: who does not read makes the other side wait.

use std::{
    io,
    pin::{Pin, pin},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use axum::{body::Body, response::Response};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use mint_context::socket::{self, Socket};
use mint_platform::sockets::OpenSocket;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf},
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use crate::frames::{Frames, GOING_AWAY, GOING_AWAY_MASKED};

/// Longest time in which no byte goes either way. Servers and browsers of today send pings more often.
const IDLE_MAX: Duration = Duration::from_secs(300);
/// Bytes that are under way in one direction.
const BUFFER_BYTES: usize = 16 << 10;
/// How long a side may take for the last bytes when the other has ended.
const LAST_BYTES: Duration = Duration::from_secs(2);

/// Both ends of a WebSocket, from the gateway to whoever has the client's connection. In the extensions of a response 101.
#[derive(Clone, Debug)]
pub(crate) struct Ends(Arc<Mutex<Option<(OnUpgrade, OpenSocket)>>>);

/// The response that makes a client's connection a WebSocket.
pub(crate) fn response(head: Response<OpenSocket>, client: OnUpgrade) -> Response {
    let (mut parts, plugin) = head.into_parts();
    socket::switch(&mut parts.headers);
    parts.extensions.insert(Ends(Arc::new(Mutex::new(Some((client, plugin))))));
    Response::from_parts(parts, Body::empty())
}

impl Ends {
    /// Carries bytes between the two until one of them ends, neither says anything any more, or both were told that the
    /// plugin makes way, or that the server stops.
    pub(crate) async fn join(&self, stop: &CancellationToken) {
        let ends = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some((client, OpenSocket { socket, place })) = ends else { return };
        match client.await {
            Ok(client) => {
                let over = async {
                    tokio::select! {
                        () = place.over() => {}
                        () = stop.cancelled() => {}
                    }
                };
                carry(TokioIo::new(client), socket, IDLE_MAX, over).await;
            }
            Err(error) => tracing::debug!(%error, "a client left before its WebSocket was open"),
        }
    }
}

async fn carry<C: AsyncRead + AsyncWrite>(client: C, plugin: Socket, idle_max: Duration, over: impl Future<Output = ()>) {
    let (passed, going) = (Arc::new(AtomicU64::new(0)), CancellationToken::new());
    let (from_client, mut to_client) = tokio::io::split(client);
    let Socket { reader: from_plugin, writer: mut to_plugin, ended } = plugin;
    let mut from_client = Counted { reader: from_client, passed: Arc::clone(&passed) };
    let from_plugin = Counted { reader: from_plugin, passed: Arc::clone(&passed) };
    {
        let mut there = pin!(copy(&mut from_client, &mut to_plugin, &going, GOING_AWAY_MASKED));
        let mut back = pin!(copy(from_plugin, &mut to_client, &going, GOING_AWAY));
        tokio::select! {
            // One side has ended, or was told; then the other is told, too.
            _ = &mut there => if going.is_cancelled() {
                let _gone = timeout(LAST_BYTES, back).await;
            },
            // What the plugin said last is still read after its end.
            _ = &mut back => if going.is_cancelled() {
                let _gone = timeout(LAST_BYTES, there).await;
            },
            () = async { ended.await; sleep(LAST_BYTES).await } => {}
            () = async { over.await; going.cancel(); sleep(LAST_BYTES).await } => {}
            () = idle(&passed, idle_max) => tracing::debug!("a WebSocket was closed because nothing was said"),
        }
    }
    let _gone = timeout(LAST_BYTES, to_plugin.shutdown()).await;
    // A connection that is closed before its client's bytes were read is reset, and takes the plugin's last ones along.
    let _gone = timeout(LAST_BYTES, async {
        to_client.shutdown().await?;
        tokio::io::copy(&mut from_client, &mut tokio::io::sink()).await
    })
    .await;
}

/// Copies until `from` ends, or, when `going` is cancelled, to the end of the frame that is under way and the `farewell` after it.
async fn copy(
    mut from: impl AsyncRead + Unpin,
    to: &mut (impl AsyncWrite + Unpin),
    going: &CancellationToken,
    farewell: &[u8],
) -> io::Result<()> {
    let (mut buffer, mut frames) = (vec![0; BUFFER_BYTES], Frames::default());
    loop {
        let length = tokio::select! {
            biased;
            () = going.cancelled(), if frames.is_between() => {
                to.write_all(farewell).await?;
                return to.flush().await;
            }
            length = from.read(&mut buffer) => length?,
        };
        let Some(read) = buffer.get(..length).filter(|read| !read.is_empty()) else { return Ok(()) };
        let passed = if going.is_cancelled() { frames.pass_one(read) } else { frames.pass(read) };
        to.write_all(read.get(..passed).unwrap_or(read)).await?;
        to.flush().await?;
    }
}

/// Waits until nothing has passed for as long as that, or half as long again.
async fn idle(passed: &AtomicU64, idle_max: Duration) {
    let mut quiet = 0;
    let mut seen = passed.load(Ordering::Relaxed);
    while quiet < 2 {
        sleep(idle_max / 2).await;
        let now = passed.load(Ordering::Relaxed);
        quiet = if now == seen { quiet + 1 } else { 0 };
        seen = now;
    }
}

/// Counts what is read.
struct Counted<R> {
    reader: R,
    passed: Arc<AtomicU64>,
}

impl<R: AsyncRead + Unpin> AsyncRead for Counted<R> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = ready!(Pin::new(&mut self.reader).poll_read(context, buffer));
        self.passed.fetch_add((buffer.filled().len() - before) as u64, Ordering::Relaxed);
        Poll::Ready(read)
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use tokio::{
        io::{DuplexStream, duplex},
        time::Instant,
    };

    use super::*;

    const IDLE: Duration = Duration::from_secs(60);

    /// The two far ends, and what carries between them.
    fn joined(ended: impl Future<Output = ()> + Send + 'static) -> (DuplexStream, DuplexStream, impl Future<Output = ()>) {
        joined_until(ended, pending())
    }

    fn joined_until(
        ended: impl Future<Output = ()> + Send + 'static,
        over: impl Future<Output = ()>,
    ) -> (DuplexStream, DuplexStream, impl Future<Output = ()>) {
        let (client, near_client) = duplex(1_000);
        let (plugin, near_plugin) = duplex(1_000);
        let (reader, writer) = tokio::io::split(near_plugin);
        let socket = Socket { reader: Box::new(reader), writer: Box::new(writer), ended: Box::pin(ended) };
        (client, plugin, carry(near_client, socket, IDLE, over))
    }

    #[tokio::test(start_paused = true)]
    async fn what_one_side_says_the_other_hears_to_the_last_byte() {
        for client_ends in [true, false] {
            let (client, plugin, carried) = joined(pending());
            let (mut one, mut other) = if client_ends { (client, plugin) } else { (plugin, client) };
            let speak = async move {
                one.read_exact(&mut [0; 5]).await.unwrap();
                one.write_all(&[7; 100_000]).await.unwrap();
            };
            let listen = async {
                other.write_all(b"hello").await.unwrap();
                let mut heard = Vec::new();
                other.read_to_end(&mut heard).await.unwrap();
                heard.len()
            };
            let ((), (), heard) = tokio::join!(carried, speak, listen);
            assert_eq!(heard, 100_000);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn it_ends_with_the_plugin_whoever_holds_the_other_end() {
        let (mut client, _held, carried) = joined(sleep(IDLE / 2));
        let began = Instant::now();
        let mut byte = [0; 1];
        let (heard, ()) = tokio::join!(client.read(&mut byte), carried);
        assert_eq!(heard.unwrap(), 0);
        assert!(began.elapsed() < IDLE);
    }

    #[tokio::test(start_paused = true)]
    async fn who_says_nothing_is_hung_up_on() {
        let (_client, mut plugin, carried) = joined(pending());
        let talk = async {
            for _ in 0..10 {
                sleep(IDLE * 3 / 4).await;
                plugin.write_all(b"still here").await.unwrap();
            }
            pending::<()>().await;
        };
        let began = Instant::now();
        tokio::select! {
            () = carried => {}
            () = talk => {}
        }
        let lasted = began.elapsed();
        assert!(lasted > IDLE * 17 / 2 && lasted < IDLE * 10, "{lasted:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn both_are_told_that_it_is_over_and_neither_in_the_middle_of_a_frame() {
        let (mut client, mut plugin, carried) = joined_until(pending(), sleep(IDLE / 2));
        let talk = async {
            plugin.write_all(&[0x81, 5, b'h', b'e']).await.unwrap();
            sleep(IDLE / 2 + LAST_BYTES / 2).await;
            // The rest of it, and one that is too late.
            plugin.write_all(&[b'l', b'l', b'o', 0x81, 1, b'x']).await.unwrap();
            let mut heard = Vec::new();
            plugin.read_to_end(&mut heard).await.unwrap();
            heard
        };
        let listen = async {
            let mut heard = Vec::new();
            client.read_to_end(&mut heard).await.unwrap();
            drop(client);
            heard
        };
        let ((), by_plugin, by_client) = tokio::join!(carried, talk, listen);
        assert_eq!(by_client, [&[0x81, 5], &b"hello"[..], GOING_AWAY].concat());
        assert_eq!(by_plugin, GOING_AWAY_MASKED);
    }
}
