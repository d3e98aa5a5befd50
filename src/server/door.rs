//! What every request passes on its way to the router and back.
//!
//! Plain functions around each other: as layers of the router, each would cost every request a few allocations.

use std::panic::AssertUnwindSafe;

use axum::{
    Router,
    body::Body,
    extract::DefaultBodyLimit,
    response::{IntoResponse as _, Response},
};
use futures_util::FutureExt as _;
use http::{HeaderValue, Request, header};
use hyper::body::Incoming;
use tower::Service as _;

use crate::{
    error::ApiError,
    framing,
    middleware::{failed, linger, request_id},
};

/// Bytes of a JSON body. Files are streamed and bounded where they are received.
const JSON_BYTES_MAX: usize = 2 << 20;

/// Answers a request, whatever happens.
pub(crate) async fn enter(mut router: Router, request: Request<Incoming>) -> Response {
    let mut request = request.map(Body::new);
    DefaultBodyLimit::max(JSON_BYTES_MAX).apply(&mut request);
    let framed = framing::check(request.headers());
    let is_clear = framed.is_ok();
    let mut response = request_id(request, async move |request: Request<Body>| {
        if let Err(refusal) = framed {
            return ApiError::from(refusal).into_response();
        }
        linger(request, async move |request| {
            let answered = AssertUnwindSafe(async { router.call(request).await }).catch_unwind().await;
            answered.map_or_else(|_panic| failed(), |Ok(response)| response)
        })
        .await
    })
    .await;
    if !is_clear {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}
