//! The way to plugins, the same for both modes.

use axum::{
    body::Body,
    extract::{FromRequestParts as _, Request, State as AxumState},
    response::{IntoResponse as _, Response},
};
use http::{HeaderValue, Method, header};
use mint_context::socket::is_asked_for;
use mint_domain::{Kind, Refusal};
use mint_platform::sockets::Connected;

use crate::{auth::Authenticated, error::ApiError, router::State, socket};

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
    if parts.method == Method::CONNECT {
        return Err(Refusal::new(Kind::Invalid, "feature.not_implemented", "There are no tunnels here.").into());
    }
    let wants_socket = is_asked_for(&parts.method, parts.version, &parts.headers)?;
    let (method, path) = (parts.method.clone(), parts.uri.path().to_owned());
    let nobody = || unknown(&method, &path);
    let mut request = Request::from_parts(parts, body);
    let mut response = if wants_socket {
        // Its bytes begin after the plugin has agreed; those of a client that could not wait stay where they are.
        let client = hyper::upgrade::on(&mut request);
        match state.platform.connect(&caller, request).await.ok_or_else(nobody)?? {
            Connected::Socket(head) => return Ok(socket::response(head, client)),
            Connected::Answer(response) => response.map(Body::new),
        }
    } else {
        state.platform.dispatch(&caller, request).await.ok_or_else(nobody)??.map(Body::new)
    };
    response.headers_mut().append(header::CONTENT_SECURITY_POLICY, SANDBOX);
    Ok(response)
}

fn unknown(method: &Method, path: &str) -> Refusal {
    let shown: String = path.chars().take(200).collect();
    Refusal::new(
        Kind::NotFound,
        "resource.not_found",
        format!("Nothing answers {method} {shown}. Is the plugin installed and ready?"),
    )
}
