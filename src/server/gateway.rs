//! The way to plugins, the same for both modes.

use axum::{
    body::Body,
    extract::{FromRequestParts as _, Request, State as AxumState},
    response::{IntoResponse as _, Response},
};
use http::{HeaderValue, Method, StatusCode, header, request::Parts};
use mint_context::socket::is_asked_for;
use mint_domain::{InstallationId, Kind, Refusal};
use mint_platform::{Caller, frontends::Entry, sockets::Connected};

use crate::{
    auth::{Asking, Authenticated, token},
    error::ApiError,
    frontends, pages,
    router::State,
    socket,
};

/// A plugin's page at the platform's own origin runs apart from it: it has no origin, so that its scripts cannot use the
/// visitor's session against the platform.
const SANDBOX: HeaderValue = HeaderValue::from_static("sandbox allow-scripts allow-forms allow-popups allow-downloads");

/// Answers whatever is not the platform's own.
pub(crate) async fn gateway(AxumState(state): AxumState<State>, request: Request) -> Response {
    match answer(&state, request).await {
        Ok(response) => response,
        Err(error) => error.into_response(),
    }
}

async fn answer(state: &State, request: Request) -> Result<Response, ApiError> {
    let (mut parts, body) = request.into_parts();
    if !parts.uri.path().starts_with("/api/") {
        return Box::pin(to_frontend(state, parts)).await;
    }
    let Asking(caller) = Asking::from_request_parts(&mut parts, state).await?;
    let mut response = to_plugin(state, &caller, None, Request::from_parts(parts, body)).await?;
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        response.headers_mut().append(header::CONTENT_SECURITY_POLICY, SANDBOX);
    }
    Ok(response)
}

/// Hands a request to the plugin whose prefix it is under, and to no other than `only`.
pub(crate) async fn to_plugin(
    state: &State,
    caller: &Caller,
    only: Option<InstallationId>,
    mut request: Request,
) -> Result<Response, ApiError> {
    if request.method() == Method::TRACE {
        // Whoever answers it gives back what only browsers and servers are to know, such as cookies.
        let message = "Plugins are not asked to show a request back: `TRACE` is not for them.";
        return Err(Refusal::new(Kind::Invalid, "request.method_not_allowed", message).into());
    }
    if request.method() == Method::CONNECT {
        return Err(Refusal::new(Kind::Invalid, "feature.not_implemented", "There are no tunnels here.").into());
    }
    let wants_socket = is_asked_for(request.method(), request.version(), request.headers())?;
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let nobody = || unknown(&method, &path);
    if !wants_socket {
        let response = state.platform.dispatch(caller, only, request).await.ok_or_else(nobody)??;
        return Ok(response.map(Body::new));
    }
    // Its bytes begin after the plugin has agreed; those of a client that could not wait stay where they are.
    let client = hyper::upgrade::on(&mut request);
    match state.platform.connect(caller, only, request).await.ok_or_else(nobody)?? {
        Connected::Socket(head) => Ok(socket::response(head, client)),
        Connected::Answer(response) => Ok(response.map(Body::new)),
    }
}

/// Sends a signed-in person to the origin of the plugin whose prefix the path is under.
async fn to_frontend(state: &State, mut parts: Parts) -> Result<Response, ApiError> {
    if parts.method != Method::GET {
        return Err(unknown(&parts.method, parts.uri.path()).into());
    }
    let Authenticated(caller) = match Authenticated::from_request_parts(&mut parts, state).await {
        Err(ApiError(refusal)) if refusal.kind == Kind::Unauthenticated && is_visit(&parts) => {
            return Ok(pages::sign_in_first(&parts.uri));
        }
        authenticated => authenticated?,
    };
    let credential = token::find(&parts.headers).ok_or_else(|| Refusal::invalid("The request carries no session."))?;
    let target = parts.uri.path_and_query().map_or("/", |target| target.as_str());
    let host = frontends::host(&parts.uri, &parts.headers)?.unwrap_or_default();
    let entry = Entry { token: credential.token, host, target };
    let address = state.platform.enter_frontend(&caller, entry).await?;
    let address = address.ok_or_else(|| unknown(&parts.method, parts.uri.path()))?;
    Ok(frontends::see_other(&address))
}

/// Whether a person wants to see a page; programs do not say so.
fn is_visit(parts: &Parts) -> bool {
    parts.headers.get("sec-fetch-mode").is_some_and(|mode| mode == "navigate")
}

/// Nothing answers there.
pub(crate) fn unknown(method: &Method, path: &str) -> Refusal {
    let shown: String = path.chars().take(200).collect();
    Refusal::new(
        Kind::NotFound,
        "resource.not_found",
        format!("Nothing answers {method} {shown}. Is the plugin installed and ready?"),
    )
}
