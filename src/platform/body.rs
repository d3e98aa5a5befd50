//! Bodies that count: how much passed, and what is held until they end.

use std::{
    fmt,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::BodyExt as _;
use mint_context::{
    logs::PluginLog,
    meters::Meters,
    runtime::{Body, BodyError, Fault},
};
use mint_domain::limit::Limit;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use crate::running::Active;

/// A body that was longer than its limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the body is longer than {max} bytes, the limit {limit}")]
pub struct BodyTooLong {
    /// Name of the limit.
    pub limit: &'static str,
    /// Its value.
    pub max: u64,
}

/// Whether a body went past its limit, for whoever gave it away and sees only what became of it.
#[derive(Clone, Debug, Default)]
pub struct Overrun(Arc<AtomicBool>);

impl Overrun {
    /// Whether it went past its limit.
    pub fn happened(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// How long a body may be, and who is told.
#[derive(Debug)]
pub(crate) struct Bound {
    limit: Limit,
    max: u64,
    log: Arc<PluginLog>,
    meters: Arc<Meters>,
}

impl Bound {
    /// A limit of what runs.
    pub(crate) fn of(active: &Active, limit: Limit) -> Self {
        let authority = &active.authority;
        Self { limit, max: authority.limits().get(limit), log: active.log.clone(), meters: authority.meters.clone() }
    }
}

/// Ends `body` with [`BodyTooLong`] past its bound, and drops `held` when it ended or was dropped.
pub(crate) fn bounded<B, G>(body: B, bound: Bound, held: G) -> Body
where
    B: HttpBody<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<BodyError>,
    G: Send + Unpin + 'static,
{
    Bounded { body, bound, passed: 0, held: Some(held), overrun: None }.boxed_unsync()
}

/// As [`bounded`]; tells whoever gave the body away whether it was too long.
pub(crate) fn watched<B>(body: B, bound: Bound) -> (Body, Overrun)
where
    B: HttpBody<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<BodyError>,
{
    let overrun = Overrun::default();
    let body = Bounded { body, bound, passed: 0, held: Some(()), overrun: Some(overrun.clone()) };
    (body.boxed_unsync(), overrun)
}

/// A body that goes on until somebody says that it is over. It ends as if it were whole where `may_be_short`, else so that whoever
/// reads it sees that it was cut.
pub fn until(body: Body, over: CancellationToken, may_be_short: bool) -> Until {
    Until { body, over, told: None, may_be_short }
}

/// What [`until`] makes.
pub struct Until {
    body: Body,
    over: CancellationToken,
    told: Option<Pin<Box<WaitForCancellationFutureOwned>>>,
    may_be_short: bool,
}

impl fmt::Debug for Until {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Until").field("may_be_short", &self.may_be_short).finish_non_exhaustive()
    }
}

/// A body that was cut because its plugin makes way.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the plugin makes way for another release, or is taken down")]
pub struct Cut;

impl HttpBody for Until {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        if !this.over.is_cancelled() {
            // Most bodies are there at once, and nothing has to be waited for beside them.
            if let Poll::Ready(frame) = Pin::new(&mut this.body).poll_frame(context) {
                return Poll::Ready(frame);
            }
            let over = &this.over;
            ready!(this.told.get_or_insert_with(|| Box::pin(over.clone().cancelled_owned())).as_mut().poll(context));
        }
        // What answers is let go of at once.
        this.body = empty();
        Poll::Ready((!this.may_be_short).then(|| Err(Cut.into())))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A body with nothing in it.
pub fn empty() -> Body {
    http_body_util::Empty::new().map_err(|never| match never {}).boxed_unsync()
}

/// A body of bytes at hand.
pub fn full(bytes: impl Into<Bytes>) -> Body {
    http_body_util::Full::new(bytes.into()).map_err(|never| match never {}).boxed_unsync()
}

struct Bounded<B, G> {
    body: B,
    bound: Bound,
    passed: u64,
    held: Option<G>,
    overrun: Option<Overrun>,
}

impl<B, G> HttpBody for Bounded<B, G>
where
    B: HttpBody<Data = Bytes> + Unpin,
    B::Error: Into<BodyError>,
    G: Unpin,
{
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        match ready!(Pin::new(&mut this.body).poll_frame(context)) {
            Some(Ok(frame)) => {
                this.passed += frame.data_ref().map_or(0, |data| data.len() as u64);
                if this.passed > this.bound.max {
                    this.held = None;
                    // Whoever gave it away says so, and counts it with the refusal.
                    match &this.overrun {
                        Some(Overrun(happened)) => happened.store(true, Ordering::Release),
                        None => this.bound.log.limit_reached(this.bound.limit.name()),
                    }
                    return Poll::Ready(Some(Err(Box::new(BodyTooLong { limit: this.bound.limit.name(), max: this.bound.max }))));
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Some(Err(error)) => {
                this.held = None;
                let error: BodyError = error.into();
                // The plugin's runtime counted the bytes first.
                if let Some(Fault::Limit { limit, .. }) = error.downcast_ref::<Fault>() {
                    this.bound.log.limit_reached(limit);
                }
                Poll::Ready(Some(Err(error)))
            }
            None => {
                this.held = None;
                Poll::Ready(None)
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl<B, G> Drop for Bounded<B, G> {
    fn drop(&mut self) {
        self.bound.meters.observe(self.bound.limit, self.passed.min(self.bound.max));
    }
}

#[cfg(test)]
mod tests {
    use mint_domain::InstallationId;

    use super::*;

    fn bound(max: u64) -> Bound {
        let log = PluginLog::new("lab".parse().unwrap(), "p".parse().unwrap(), "1".to_owned(), InstallationId(1), 1 << 20);
        Bound { limit: Limit::response_body_bytes_max, max, log: Arc::new(log), meters: Arc::default() }
    }

    #[tokio::test]
    async fn a_body_past_its_limit_ends_and_lets_go() {
        let held = Arc::new(());
        let body = bounded(http_body_util::Full::new(Bytes::from_static(b"12345")), bound(4), held.clone());
        let error = body.collect().await.unwrap_err();
        assert_eq!(error.downcast_ref::<BodyTooLong>().map(|e| e.max), Some(4));
        assert_eq!(Arc::strong_count(&held), 1);

        let body = bounded(http_body_util::Full::new(Bytes::from_static(b"1234")), bound(4), held.clone());
        assert_eq!(body.collect().await.unwrap().to_bytes(), "1234");
        assert_eq!(Arc::strong_count(&held), 1);
    }

    #[tokio::test]
    async fn a_body_goes_on_until_it_is_over() {
        let silent = || http_body_util::StreamBody::new(futures_util::stream::pending::<Result<Frame<Bytes>, BodyError>>());
        for may_be_short in [true, false] {
            let over = CancellationToken::new();
            let body = until(silent().boxed_unsync(), over.clone(), may_be_short).collect();
            let (ended, ()) = tokio::join!(body, async { over.cancel() });
            assert_eq!(ended.is_ok(), may_be_short);
        }
        let whole = until(full("12345"), CancellationToken::new(), false).collect().await.unwrap();
        assert_eq!(whole.to_bytes(), "12345");
    }
}
