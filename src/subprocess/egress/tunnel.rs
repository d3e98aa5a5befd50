//! Bytes between a process and a host, which nobody looks at: what is inside is mostly TLS.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use mint_context::outbound::OnItsWay;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf, copy_bidirectional},
    net::TcpStream,
};

/// Longest time in which no byte goes either way.
const IDLE_MAX: Duration = Duration::from_secs(60);

/// A tunnel that begins when its process has been told so.
#[derive(Debug)]
pub(super) struct Tunnel {
    process: OnUpgrade,
    host: TcpStream,
    on_its_way: Option<Arc<OnItsWay>>,
}

/// The host's end, which counts what was read and written.
#[derive(Debug)]
struct Counted {
    stream: TcpStream,
    bytes: Arc<AtomicU64>,
    on_its_way: Option<Arc<OnItsWay>>,
}

impl Tunnel {
    pub(super) fn new(process: OnUpgrade, host: TcpStream, on_its_way: Option<Arc<OnItsWay>>) -> Self {
        Self { process, host, on_its_way }
    }

    /// Carries bytes until both sides have ended, or neither has said anything for long.
    pub(super) async fn carry(self) {
        let Ok(process) = self.process.await else { return };
        let bytes = Arc::<AtomicU64>::default();
        let mut host = Counted { stream: self.host, bytes: Arc::clone(&bytes), on_its_way: self.on_its_way };
        let idle = async {
            let mut before = 0;
            loop {
                tokio::time::sleep(IDLE_MAX).await;
                let now = bytes.load(Ordering::Relaxed);
                if std::mem::replace(&mut before, now) == now {
                    return;
                }
            }
        };
        let mut process = TokioIo::new(process);
        tokio::select! {
            ended = copy_bidirectional(&mut process, &mut host) => {
                if let Err(error) = ended {
                    tracing::debug!(%error, "a tunnel of a process broke");
                }
            }
            () = idle => {}
        }
    }
}

impl Counted {
    fn count(&self, bytes: usize) -> io::Result<()> {
        let bytes = self.bytes.fetch_add(bytes as u64, Ordering::Relaxed) + bytes as u64;
        let measured = self.on_its_way.as_ref().map_or(Ok(()), |on_its_way| on_its_way.measure(bytes));
        measured.map_err(|limit| io::Error::other(format!("the tunnel carried more than {} allows", limit.name())))
    }
}

impl AsyncRead for Counted {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buffer))?;
        Poll::Ready(self.count(buffer.filled().len() - before))
    }
}

impl AsyncWrite for Counted {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.stream).poll_write(cx, bytes))?;
        Poll::Ready(self.count(written).map(|()| written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
