//! The bytes of a server, with a bound for each of its messages: a driver keeps a whole row before it can be counted.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// One byte for its kind, four for the length of the rest and of themselves.
const HEADER_BYTES: usize = 5;

/// A connection that breaks when a message is too long.
#[derive(Debug)]
pub(super) struct Bounded<S> {
    inner: S,
    max: usize,
    header: Vec<u8>,
    /// Of the message that is being read.
    left: usize,
    broke: Arc<AtomicBool>,
}

impl<S> Bounded<S> {
    /// No message longer than `max`; `broke` tells that there was one.
    pub(super) fn new(inner: S, max: usize, broke: Arc<AtomicBool>) -> Self {
        Self { inner, max, header: Vec::with_capacity(HEADER_BYTES), left: 0, broke }
    }

    fn look(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            if self.left > 0 {
                let passed = self.left.min(bytes.len());
                self.left -= passed;
                bytes = bytes.get(passed..).unwrap_or_default();
                continue;
            }
            let (head, rest) = bytes.split_at((HEADER_BYTES - self.header.len()).min(bytes.len()));
            self.header.extend_from_slice(head);
            bytes = rest;
            if let [_, a, b, c, d] = *self.header {
                let length = usize::try_from(u32::from_be_bytes([a, b, c, d])).unwrap_or(usize::MAX);
                if length > self.max {
                    self.broke.store(true, Ordering::Relaxed);
                    return Err(io::Error::new(io::ErrorKind::InvalidData, "a message of the database is too long"));
                }
                self.left = length.saturating_sub(HEADER_BYTES - 1);
                self.header.clear();
            }
        }
        Ok(())
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Bounded<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.inner).poll_read(cx, buffer);
        if !matches!(polled, Poll::Ready(Ok(()))) {
            return polled;
        }
        let looked = self.look(buffer.filled().get(before..).unwrap_or_default());
        if looked.is_err() {
            // An error comes without bytes.
            buffer.set_filled(before);
        }
        Poll::Ready(looked)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Bounded<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt as _;

    use super::*;

    fn message(bytes: usize) -> Vec<u8> {
        let mut message = vec![b'D'];
        message.extend(u32::try_from(bytes + 4).unwrap().to_be_bytes());
        message.extend(vec![0; bytes]);
        message
    }

    #[tokio::test]
    async fn messages_pass_until_one_is_too_long() {
        for (sizes, passes) in [(vec![0, 10, 96, 1], true), (vec![0, 97], false), (vec![96, 96, 1_000_000], false)] {
            let bytes: Vec<u8> = sizes.iter().flat_map(|bytes| message(*bytes)).collect();
            let broke = Arc::new(AtomicBool::new(false));
            let mut bounded = Bounded::new(
                tokio_util::io::StreamReader::new(futures_util::stream::iter(
                    // Three bytes at a time: headers come in pieces.
                    bytes.chunks(3).map(|chunk| Ok::<_, io::Error>(std::io::Cursor::new(chunk.to_vec()))),
                )),
                100,
                Arc::clone(&broke),
            );
            let read = bounded.read_to_end(&mut Vec::new()).await;
            assert_eq!((read.is_ok(), broke.load(Ordering::Relaxed)), (passes, !passes), "{sizes:?}");
        }
    }
}
