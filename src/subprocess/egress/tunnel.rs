//! Bytes between a process and a host, which nobody looks at: what is inside is mostly TLS.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
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
    _on_its_way: Option<OnItsWay>,
}

/// The host's end, which counts what was read and written.
#[derive(Debug)]
struct Counted {
    stream: TcpStream,
    bytes: Arc<AtomicU64>,
}

impl Tunnel {
    pub(super) fn new(process: OnUpgrade, host: TcpStream, on_its_way: Option<OnItsWay>) -> Self {
        Self { process, host, _on_its_way: on_its_way }
    }

    /// Carries bytes until both sides have ended, or neither has said anything for long.
    pub(super) async fn carry(self) {
        let Ok(process) = self.process.await else { return };
        let bytes = Arc::<AtomicU64>::default();
        let mut host = Counted { stream: self.host, bytes: Arc::clone(&bytes) };
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
    fn count(&self, bytes: usize) {
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }
}

impl AsyncRead for Counted {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buffer);
        self.count(buffer.filled().len() - before);
        read
    }
}

impl AsyncWrite for Counted {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        if let Poll::Ready(Ok(bytes)) = written {
            self.count(bytes);
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
