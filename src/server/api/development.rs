//! Plugins that are being developed.

use std::{convert::Infallible, time::Duration};

use axum::{
    body::{Body, Bytes},
    extract::State as AxumState,
    response::{IntoResponse as _, Response},
};
use futures_util::stream;
use http::{HeaderValue, StatusCode, header};
use mint_platform::development::{Development, Held, NewDevelopment};

use crate::{auth::Authenticated, error::ApiError, extract::Json, router::State};

/// Between two signs of life. They also find out whether the developer is still there.
const PULSE: Duration = Duration::from_secs(2);
const LINES: HeaderValue = HeaderValue::from_static("application/x-ndjson");

/// Lets a server of the caller's own answer as a plugin, for as long as the caller reads the answer: a line with what the
/// server needs, then an empty one every two seconds. The server listens on the platform's machine.
#[utoipa::path(post, path = "/api/plugins/dev", tag = "plugins", request_body = NewDevelopment,
    responses((status = 200, body = Development, content_type = "application/x-ndjson"), (status = 400), (status = 401), (status = 403), (status = 409)))]
pub(crate) async fn develop(
    AxumState(state): AxumState<State>,
    Authenticated(caller): Authenticated,
    Json(new): Json<NewDevelopment>,
) -> Result<Response, ApiError> {
    let held = state.platform.develop(&caller, new).await?;
    let first =
        serde_json::to_string(&held.development).map_err(std::io::Error::other).map_err(mint_context::Error::from)? + "\n";
    let body = Body::from_stream(stream::unfold((held, Some(first)), next));
    Ok((StatusCode::OK, [(header::CONTENT_TYPE, LINES)], body).into_response())
}

/// The next line. The plugin ends when this is dropped with the response.
async fn next((held, first): (Held, Option<String>)) -> Option<(Result<Bytes, Infallible>, (Held, Option<String>))> {
    if let Some(first) = first {
        return Some((Ok(first.into()), (held, None)));
    }
    let ending = held.ending().clone();
    tokio::select! {
        () = ending.cancelled() => None,
        () = tokio::time::sleep(PULSE) => Some((Ok(Bytes::from_static(b"\n")), (held, None))),
    }
}
