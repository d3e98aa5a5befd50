//! What every request passes on its way to the router and back.
//!
//! Plain functions around each other: as layers of the router, each would cost every request a few allocations.

use std::panic::AssertUnwindSafe;

use axum::{Router, body::Body, extract::DefaultBodyLimit, response::Response};
use futures_util::FutureExt as _;
use http::Request;
use hyper::body::Incoming;
use tower::Service as _;

use crate::middleware::{failed, linger, request_id};

/// Bytes of a JSON body. Files are streamed and bounded where they are received.
const JSON_BYTES_MAX: usize = 2 << 20;

/// Answers a request, whatever happens.
pub(crate) async fn enter(mut router: Router, request: Request<Incoming>) -> Response {
    let mut request = request.map(Body::new);
    DefaultBodyLimit::max(JSON_BYTES_MAX).apply(&mut request);
    request_id(request, |request| {
        linger(request, async move |request| {
            let answered = AssertUnwindSafe(async { router.call(request).await }).catch_unwind().await;
            answered.map_or_else(|_panic| failed(), |Ok(response)| response)
        })
    })
    .await
}
