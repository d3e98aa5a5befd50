//! What every request passes on its way to the router and back.
//!
//! Plain functions around each other: as layers of the router, each would cost every request a few allocations.

use std::panic::AssertUnwindSafe;

use axum::{
    body::Body,
    extract::{DefaultBodyLimit, State},
    response::{IntoResponse as _, Response},
};
use futures_util::FutureExt as _;
use http::{HeaderValue, Request, header};
use hyper::body::Incoming;
use mint_domain::prefix;
use mint_platform::frontends::Asked;
use tower::Service as _;

use crate::{
    error::ApiError,
    framing, frontends,
    gateway::gateway,
    middleware::{failed, linger, request_id},
    router::Site,
};

/// Bytes of a JSON body. Files are streamed and bounded where they are received.
const JSON_BYTES_MAX: usize = 2 << 20;

/// Answers a request, whatever happens.
pub(crate) async fn enter(site: Site, request: Request<Incoming>) -> Response {
    let mut request = request.map(Body::new);
    DefaultBodyLimit::max(JSON_BYTES_MAX).apply(&mut request);
    let framed = framing::check(request.headers());
    let is_clear = framed.is_ok();
    let mut response = request_id(request, async move |request: Request<Body>| {
        if let Err(refusal) = framed {
            return ApiError::from(refusal).into_response();
        }
        linger(request, async move |request| {
            let answered = AssertUnwindSafe(answer(site, request)).catch_unwind().await;
            answered.unwrap_or_else(|_panic| failed())
        })
        .await
    })
    .await;
    if !is_clear {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// Who is asked is decided before anything else: at a plugin's origin none of the platform's routes exists.
async fn answer(mut site: Site, mut request: Request<Body>) -> Response {
    match frontends::asked(site.state.platform.origins(), &request) {
        Ok(Asked::Platform) => match frontends::whose(site.state.platform.tenant_hosts(), &request) {
            Ok(whose) => {
                request.extensions_mut().insert(whose);
                // The table of the platform's own routes has nothing for these.
                if prefix::is_open_to_plugins(request.uri().path()) {
                    return Box::pin(gateway(State(site.state), request)).await;
                }
                let Ok(response) = site.router.call(request).await;
                response
            }
            Err(refusal) => ApiError::from(refusal).into_response(),
        },
        // Boxed, as all that few requests need.
        Ok(Asked::Frontend(name)) => Box::pin(frontends::answer(&site.state, &name, request)).await,
        Ok(Asked::Nobody) => ApiError::from(frontends::nobody()).into_response(),
        Err(refusal) => ApiError::from(refusal).into_response(),
    }
}
