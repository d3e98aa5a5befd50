//! The way to plugins, the same for both modes.

use axum::{
    body::Body,
    extract::{FromRequestParts as _, Request, State as AxumState},
    response::{IntoResponse as _, Response},
};
use http::{HeaderValue, Method, header};
use mint_domain::{Kind, Refusal};

use crate::{auth::Authenticated, error::ApiError, router::State};

/// A plugin's page runs apart from the platform's own: it has no origin, so that its scripts cannot use the visitor's
/// session against the platform.
const SANDBOX: HeaderValue = HeaderValue::from_static("sandbox allow-scripts allow-forms allow-popups allow-downloads");

/// Answers whatever is not the platform's own.
pub(crate) async fn gateway(AxumState(state): AxumState<State>, request: Request) -> Response {
    match answer(&state, request).await {
        Ok(response) => response,
        Err(error) => error.into_response(),
    }
}

async fn answer(state: &State, request: Request) -> Result<Response, ApiError> {
    if !request.uri().path().starts_with("/api/") {
        return Err(unknown(request.method(), request.uri().path()).into());
    }
    let (mut parts, body) = request.into_parts();
    let Authenticated(caller) = Authenticated::from_request_parts(&mut parts, state).await?;
    let (method, path) = (parts.method.clone(), parts.uri.path().to_owned());
    let answered = state.platform.dispatch(&caller, Request::from_parts(parts, body)).await;
    let mut response = answered.ok_or_else(|| unknown(&method, &path))??;
    response.headers_mut().append(header::CONTENT_SECURITY_POLICY, SANDBOX);
    Ok(response.map(Body::new))
}

fn unknown(method: &Method, path: &str) -> Refusal {
    let shown: String = path.chars().take(200).collect();
    Refusal::new(
        Kind::NotFound,
        "resource.not_found",
        format!("Nothing answers {method} {shown}. Is the plugin installed and ready?"),
    )
}
