//! What a plugin's origin answers.

use axum::{
    body::Body,
    extract::Request,
    response::{IntoResponse as _, Redirect, Response},
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use mint_domain::{Kind, Refusal, RequestId};
use mint_platform::{
    frontends::{Asked, OriginName, Origins, Visitor},
    routes,
};

use super::{enter, files};
use crate::{
    api::users::Me,
    auth::{same_site, token},
    error::ApiError,
    gateway,
    router::State,
};

/// Who is signed in.
const ME: &str = "/_mint/me";
/// No other origin's page may include what a visitor's cookie opens.
const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// Who is to answer a request.
///
/// # Errors
/// It names two hosts.
pub(crate) fn asked(origins: &Origins, request: &http::Request<Body>) -> Result<Asked, Refusal> {
    Ok(host(request.uri(), request.headers())?.map_or(Asked::Platform, |host| origins.asked(host)))
}

/// The host that a client asks.
///
/// # Errors
/// It names two.
pub(crate) fn host<'a>(uri: &'a Uri, headers: &'a HeaderMap) -> Result<Option<&'a str>, Refusal> {
    let named = headers.get(header::HOST).map(HeaderValue::to_str).transpose();
    let named = named.map_err(|_| Refusal::invalid("The host has characters that no host's name has."))?;
    match (uri.authority().map(|authority| authority.as_str()), named) {
        (Some(target), Some(named)) if target != named => Err(Refusal::invalid("A request names one host.")),
        (target, named) => Ok(target.or(named)),
    }
}

/// The refusal of a host at which nobody is.
pub(crate) fn nobody() -> Refusal {
    Refusal::new(Kind::NotFound, "resource.not_found", "No plugin has this origin. Open its page from the platform.")
}

/// Answers at the origin of a plugin.
pub(crate) async fn answer(state: &State, name: &OriginName, request: Request) -> Response {
    if request.uri().path() == enter::PATH {
        let (parts, _no_body) = request.into_parts();
        let entered = if parts.method == Method::GET {
            enter::enter(state, name, &parts).await
        } else {
            Err(gateway::unknown(&parts.method, parts.uri.path()).into())
        };
        return dressed(entered, "'none'");
    }
    match visitor(state, name, request.method(), request.headers()).await {
        Ok(visitor) => {
            let platform = visitor.platform_origin.clone();
            dressed(show(state, visitor, request).await, &platform)
        }
        Err(refused) => dressed(Err(refused), "'none'"),
    }
}

/// Who asks: only this origin's own cookie counts here.
async fn visitor(state: &State, name: &OriginName, method: &Method, headers: &HeaderMap) -> Result<Visitor, ApiError> {
    let refused = || {
        let message = "You have not been let in here, or your session has ended. Open the plugin's page from the platform.";
        Refusal::new(Kind::Unauthenticated, "auth.required", message)
    };
    let token = token::cookie(headers, enter::cookie(state)).ok_or_else(refused)?;
    let visitor = state.platform.identify_visitor(name, token).await?.ok_or_else(refused)?;
    same_site::check(method, headers)?;
    Ok(visitor)
}

async fn show(state: &State, visitor: Visitor, request: Request) -> Result<Response, ApiError> {
    let request_id = request.extensions().get::<RequestId>().cloned().unwrap_or_else(|| RequestId::from_bits(0));
    let caller = visitor.identity.clone().caller(request_id);
    let path = request.uri().path();
    if routes::is_below(path, &format!("/api{}", visitor.prefix)) {
        return gateway::to_plugin(state, &caller, Some(visitor.installation), request).await;
    }
    let _permit = caller.call(state.platform.services()).permit_person(mint_domain::Permission::PluginsUse)?;
    let (parts, _no_body) = request.into_parts();
    match (parts.method.as_str(), parts.uri.path()) {
        ("GET", ME) => {
            let me = axum::Json(Me::of(&caller)?);
            Ok(([(header::CACHE_CONTROL, "no-store")], me).into_response())
        }
        ("GET", "/") => Ok(Redirect::to(&format!("{}/", visitor.prefix)).into_response()),
        (_, path) if routes::is_below(path, &visitor.prefix) => files::answer(&visitor, &parts).await,
        (_, path) => Err(gateway::unknown(&parts.method, path).into()),
    }
}

/// Adds what holds for every answer of such an origin: `ancestors` alone may show it in a frame.
fn dressed(answer: Result<Response, ApiError>, ancestors: &str) -> Response {
    let mut response = answer.unwrap_or_else(|error| error.into_response());
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        return response;
    }
    let headers = response.headers_mut();
    if let Ok(policy) = HeaderValue::try_from(format!("frame-ancestors {ancestors}")) {
        headers.append(header::CONTENT_SECURITY_POLICY, policy);
    }
    headers.insert(RESOURCE_POLICY, HeaderValue::from_static("same-origin"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}
