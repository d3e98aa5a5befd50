//! How much of the world outside a plugin may ask: so many requests at once, so many in a minute, so many bytes in each.

use std::{
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Buf as _;
use http_body::{Body, Frame, SizeHint};
use mint_domain::limit::Limit;
use tokio::time::{Instant, Sleep, sleep};

use crate::{PluginAuthority, logs::PluginLog};

/// The way out of one installation.
#[derive(Debug)]
pub struct Outbound {
    authority: Arc<PluginAuthority>,
    log: Arc<PluginLog>,
    in_progress: Arc<AtomicU64>,
    per_minute: Mutex<Bucket>,
}

/// A request on its way; ends when dropped.
#[derive(Debug)]
#[must_use]
pub struct OnItsWay {
    in_progress: Arc<AtomicU64>,
    authority: Arc<PluginAuthority>,
    log: Arc<PluginLog>,
    is_too_long: AtomicBool,
}

/// Requests that began lately; they are forgotten over a minute.
#[derive(Debug)]
struct Bucket {
    begun: f64,
    at: Instant,
}

impl Outbound {
    /// The way out of what `authority` is about. Which limit was reached stands in `log`.
    pub fn new(authority: Arc<PluginAuthority>, log: Arc<PluginLog>) -> Self {
        let per_minute = Mutex::new(Bucket { begun: 0.0, at: Instant::now() });
        Self { authority, log, in_progress: Arc::default(), per_minute }
    }

    /// Begins a request.
    ///
    /// # Errors
    /// The limit that was reached; it is counted and written down.
    pub fn begin(&self) -> Result<OnItsWay, Limit> {
        let limits = self.authority.limits();
        let meters = &self.authority.meters;
        let refuse = |limit: Limit| {
            self.log.limit_reached(limit.name());
            limit
        };
        let before = self.in_progress.fetch_add(1, Ordering::AcqRel);
        let on_its_way = OnItsWay {
            in_progress: Arc::clone(&self.in_progress),
            authority: Arc::clone(&self.authority),
            log: Arc::clone(&self.log),
            is_too_long: AtomicBool::new(false),
        };
        if before >= limits.outbound_concurrency_max {
            return Err(refuse(Limit::outbound_concurrency_max));
        }
        let begun =
            self.per_minute.lock().unwrap_or_else(PoisonError::into_inner).take(Instant::now(), limits.outbound_per_minute_max);
        let begun = begun.ok_or_else(|| refuse(Limit::outbound_per_minute_max))?;
        meters.set(Limit::outbound_per_minute_max, begun);
        meters.observe(Limit::outbound_concurrency_max, before + 1);
        Ok(on_its_way)
    }
}

impl Bucket {
    /// How many have begun, this one included; none when it may not.
    fn take(&mut self, now: Instant, max: u64) -> Option<u64> {
        let max = max as f64;
        let forgotten = now.saturating_duration_since(self.at).as_secs_f64() * max / 60.0;
        self.begun = (self.begun - forgotten).max(0.0);
        self.at = now;
        if self.begun + 1.0 > max {
            return None;
        }
        self.begun += 1.0;
        Some(self.begun.ceil() as u64)
    }
}

impl OnItsWay {
    /// Looks whether one body, or a tunnel, may have so many bytes.
    ///
    /// # Errors
    /// The limit that it goes beyond; it is counted and written down once.
    pub fn measure(&self, bytes: u64) -> Result<(), Limit> {
        let limit = Limit::outbound_body_bytes_max;
        self.authority.meters.observe(limit, bytes);
        if bytes <= self.authority.limits().outbound_body_bytes_max {
            return Ok(());
        }
        if !self.is_too_long.swap(true, Ordering::Relaxed) {
            self.log.limit_reached(limit.name());
        }
        Err(limit)
    }

    /// Whether a body of it was longer than may be.
    pub fn is_too_long(&self) -> bool {
        self.is_too_long.load(Ordering::Relaxed)
    }
}

/// A body of a request on its way, or of its response, which ends where it becomes longer than may be. The request is in
/// progress until it is dropped.
#[derive(Debug)]
pub struct MeasuredBody<B, E> {
    body: B,
    bytes: u64,
    too_long: fn() -> E,
    on_its_way: Option<Arc<OnItsWay>>,
}

impl<B, E> MeasuredBody<B, E> {
    /// A body of which `too_long` is said when it is.
    pub fn new(body: B, too_long: fn() -> E, on_its_way: impl Into<Option<Arc<OnItsWay>>>) -> Self {
        Self { body, bytes: 0, too_long, on_its_way: on_its_way.into() }
    }
}

impl<B, E> Body for MeasuredBody<B, E>
where
    B: Body + Unpin,
    E: From<B::Error>,
{
    type Data = B::Data;
    type Error = E;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<B::Data>, E>>> {
        let frame = match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
            Some(Ok(frame)) => frame,
            other => return Poll::Ready(other.map(|frame| frame.map_err(E::from))),
        };
        self.bytes += frame.data_ref().map_or(0, |data| data.remaining() as u64);
        let measured = self.on_its_way.as_ref().map_or(Ok(()), |on_its_way| on_its_way.measure(self.bytes));
        Poll::Ready(Some(measured.map(|()| frame).map_err(|_limit| (self.too_long)())))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A response that does not wait for ever for its next bytes.
#[derive(Debug)]
pub struct PatientBody<B, E> {
    incoming: B,
    patience: Duration,
    late: fn() -> E,
    sleep: Option<Pin<Box<Sleep>>>,
}

impl<B, E> PatientBody<B, E> {
    /// A body of which `late` is said when nothing came of it for so long.
    pub fn new(incoming: B, patience: Duration, late: fn() -> E) -> Self {
        Self { incoming, patience, late, sleep: None }
    }
}

impl<B, E> Body for PatientBody<B, E>
where
    B: Body + Unpin,
    E: From<B::Error>,
{
    type Data = B::Data;
    type Error = E;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<B::Data>, E>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.incoming).poll_frame(cx) {
            self.sleep = None;
            return Poll::Ready(frame.map(|frame| frame.map_err(E::from)));
        }
        let patience = self.patience;
        match self.sleep.get_or_insert_with(|| Box::pin(sleep(patience))).as_mut().poll(cx) {
            Poll::Ready(()) => Poll::Ready(Some(Err((self.late)()))),
            Poll::Pending => Poll::Pending,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}

impl Drop for OnItsWay {
    fn drop(&mut self) {
        self.in_progress.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn requests_per_minute_are_counted() {
        let start = Instant::now();
        let mut bucket = Bucket { begun: 0.0, at: start };
        let mut taken = |seconds| bucket.take(start + Duration::from_secs(seconds), 2);
        assert_eq!((taken(0), taken(0), taken(0)), (Some(1), Some(2), None));
        assert_eq!((taken(30), taken(31)), (Some(2), None));
        assert_eq!(taken(3_600), Some(1));
    }
}
