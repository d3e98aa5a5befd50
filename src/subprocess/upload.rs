//! The body of a request on its way to a plugin.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use mint_context::runtime::{Body, BodyError};

/// Where an upload stands, as seen by whoever waits for the response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Stage {
    /// The plugin has not asked for more.
    Held,
    /// The plugin has asked, and the client has not sent.
    Awaited,
    /// All was handed over.
    Done,
    /// The client broke off.
    BrokenOff,
    /// The client sent more than allowed.
    TooLarge,
}

/// Tells where an upload stands.
#[derive(Clone, Debug)]
pub(crate) struct Progress(Arc<AtomicU8>);

impl Progress {
    /// Where it stands now.
    pub(crate) fn stage(&self) -> Stage {
        [Stage::Held, Stage::Awaited, Stage::Done, Stage::BrokenOff]
            .into_iter()
            .find(|stage| *stage as u8 == self.0.load(Ordering::Relaxed))
            .unwrap_or(Stage::TooLarge)
    }

    fn set(&self, stage: Stage) {
        self.0.store(stage as u8, Ordering::Relaxed);
    }
}

/// A counted body.
#[derive(Debug)]
pub(crate) struct Upload {
    body: Body,
    left: u64,
    progress: Progress,
}

impl Upload {
    /// The body, of at most `bytes_max` bytes.
    pub(crate) fn new(body: Body, bytes_max: u64) -> Self {
        let stage = if body.is_end_stream() { Stage::Done } else { Stage::Held };
        Self { body, left: bytes_max, progress: Progress(Arc::new(AtomicU8::new(stage as u8))) }
    }

    /// Where it stands, while the body itself is given away.
    pub(crate) fn progress(&self) -> Progress {
        self.progress.clone()
    }
}

impl HttpBody for Upload {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        this.progress.set(Stage::Awaited);
        let frame = ready!(Pin::new(&mut this.body).poll_frame(context));
        let (stage, frame) = match frame {
            None => (Stage::Done, None),
            Some(Err(error)) => (Stage::BrokenOff, Some(Err(error))),
            Some(Ok(frame)) => {
                let length = frame.data_ref().map_or(0, |data| data.len() as u64);
                match this.left.checked_sub(length) {
                    Some(left) => {
                        this.left = left;
                        (if this.body.is_end_stream() { Stage::Done } else { Stage::Held }, Some(Ok(frame)))
                    }
                    None => (Stage::TooLarge, Some(Err("the request's body is larger than allowed".into()))),
                }
            }
        };
        this.progress.set(stage);
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use futures_util::stream;
    use http_body_util::{BodyExt, Empty, Full, StreamBody};

    use super::*;

    fn body(inner: impl HttpBody<Data = Bytes, Error: Into<BodyError>> + Send + 'static) -> Body {
        inner.map_err(Into::into).boxed_unsync()
    }

    #[tokio::test]
    async fn an_upload_tells_where_it_stands() {
        let table = [
            (body(Empty::new()), Stage::Done, Stage::Done),
            (body(Full::from("12345")), Stage::Held, Stage::Done),
            (body(Full::from("123456")), Stage::Held, Stage::TooLarge),
            (body(StreamBody::new(stream::iter([Err::<Frame<Bytes>, _>("gone")]))), Stage::Held, Stage::BrokenOff),
        ];
        for (body, before, after) in table {
            let upload = Upload::new(body, 5);
            let progress = upload.progress();
            assert_eq!(progress.stage(), before);
            let collected = upload.collect().await;
            assert_eq!(progress.stage(), after);
            assert_eq!(collected.is_ok(), after == Stage::Done);
        }
    }

    #[tokio::test]
    async fn a_slow_client_is_told_from_a_plugin_that_does_not_read() {
        let upload = Upload::new(body(StreamBody::new(stream::pending::<Result<Frame<Bytes>, BodyError>>())), 5);
        let progress = upload.progress();
        let polled = tokio::time::timeout(std::time::Duration::from_millis(1), upload.collect()).await;
        assert!(polled.is_err());
        assert_eq!(progress.stage(), Stage::Awaited);
    }
}
