//! Lets a client say what it has to say, so that it hears the answer.
//!
//! A connection that is closed while the client still sends is reset, and most clients then never read the answer that
//! tells them why. So what is left of a body that nobody reads is taken and thrown away, within bounds.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    body::{Body, HttpBody},
    extract::Request,
    response::Response,
};
use bytes::Bytes;
use futures_util::future::poll_fn;
use http::header;
use hyper::body::{Frame, SizeHint};

/// Bytes that are thrown away.
const BYTES_MAX: u64 = 32 << 20;
/// How long they may take.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Takes what is left of a request's body once the answer is known and nobody reads on.
pub(crate) async fn linger(request: Request, next: impl AsyncFnOnce(Request) -> Response) -> Response {
    // Who asks first whether to send is told by the answer itself.
    if request.body().is_end_stream() || request.headers().contains_key(header::EXPECT) {
        return next(request).await;
    }
    let (parts, body) = request.into_parts();
    let body = Arc::new(Mutex::new(body));
    let response = next(Request::from_parts(parts, Body::new(Shared(body.clone())))).await;
    if Arc::strong_count(&body) == 1 && tokio::time::timeout(TIMEOUT, take(&body)).await.is_err() {
        tracing::debug!("a client did not finish a request that was answered already");
    }
    response
}

async fn take(body: &Mutex<Body>) {
    let mut taken = 0;
    while taken < BYTES_MAX {
        match poll_fn(|cx| Pin::new(&mut *lock(body)).poll_frame(cx)).await {
            Some(Ok(frame)) => taken += frame.data_ref().map_or(0, |data| data.len() as u64),
            Some(Err(_)) | None => return,
        }
    }
}

/// The handler's side of the body.
struct Shared(Arc<Mutex<Body>>);

fn lock(body: &Mutex<Body>) -> MutexGuard<'_, Body> {
    body.lock().unwrap_or_else(PoisonError::into_inner)
}

impl HttpBody for Shared {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut *lock(&self.0)).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        lock(&self.0).is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        lock(&self.0).size_hint()
    }
}
