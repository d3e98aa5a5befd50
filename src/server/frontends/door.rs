//! What a plugin's origin answers.

use axum::{
    body::Body,
    extract::Request,
    response::{IntoResponse as _, Redirect, Response},
};
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use mint_domain::{Kind, Refusal, RequestId};
use mint_platform::{
    frontends::{Asked, OriginName, Origins, TenantHosts, Visitor, Whose},
    routes,
};

use super::{enter, files, told};
use crate::{
    api::users::Me,
    auth::{expect_change, same_site, token},
    error::ApiError,
    gateway,
    router::State,
};

/// Who is signed in.
const ME: &str = "/_mint/me";
const NO_FRAME: HeaderValue = HeaderValue::from_static("frame-ancestors 'none'");

/// Who is to answer a request.
///
/// # Errors
/// Its target and its line name different ones.
pub(crate) fn asked(origins: &Origins, request: &http::Request<Body>) -> Result<Asked, Refusal> {
    let named = match named(request.headers())? {
        Some(host) => origins.asked(host),
        None => Asked::Platform,
    };
    match target(request.uri()).map(|host| origins.asked(host)) {
        Some(target) if target != named => Err(Refusal::invalid("A request names one host.")),
        _ => Ok(named),
    }
}

/// Whose the host of a request is.
///
/// # Errors
/// Its target and its line name different ones; nobody is there.
pub(crate) fn whose(hosts: &TenantHosts, request: &http::Request<Body>) -> Result<Whose, Refusal> {
    let named = named(request.headers())?.map(|host| hosts.at(host)).unwrap_or_default();
    match target(request.uri()).map(|host| hosts.at(host)) {
        Some(target) if target != named => Err(Refusal::invalid("A request names one host.")),
        _ if named == Whose::Nobody => {
            Err(Refusal::new(Kind::NotFound, "resource.not_found", "No laboratory has this host. Ask for the address of yours."))
        }
        _ => Ok(named),
    }
}

/// The host that a client asks.
///
/// # Errors
/// No host has such characters.
pub(crate) fn host<'a>(uri: &'a Uri, headers: &'a HeaderMap) -> Result<Option<&'a str>, Refusal> {
    Ok(target(uri).or(named(headers)?))
}

fn target(uri: &Uri) -> Option<&str> {
    uri.authority().map(|authority| authority.as_str())
}

fn named(headers: &HeaderMap) -> Result<Option<&str>, Refusal> {
    let named = headers.get(header::HOST).map(HeaderValue::to_str).transpose();
    named.map_err(|_| Refusal::invalid("The host has characters that no host's name has."))
}

/// The refusal of a host at which nobody is.
pub(crate) fn nobody() -> Refusal {
    Refusal::new(Kind::NotFound, "resource.not_found", "No plugin has this origin. Open its page from the platform.")
}

/// Answers at the origin of a plugin.
pub(crate) async fn answer(state: &State, name: &OriginName, request: Request) -> Response {
    let answered = if request.uri().path() == enter::PATH {
        let (parts, _no_body) = request.into_parts();
        enter::enter(state, name, &parts).await
    } else {
        visit(state, name, request).await
    };
    answered.unwrap_or_else(|error| error.into_response())
}

async fn visit(state: &State, name: &OriginName, request: Request) -> Result<Response, ApiError> {
    let visitor = visitor(state, name, request.method(), request.headers()).await?;
    let policy = HeaderValue::try_from(format!("frame-ancestors {}", visitor.platform_origin));
    let mut response = show(state, visitor, request).await?;
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        // Only the platform may show it in a frame; what is refused nobody may.
        response.headers_mut().append(header::CONTENT_SECURITY_POLICY, policy.unwrap_or(NO_FRAME));
    }
    Ok(response)
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
    expect_change(&visitor.identity.actor, method, headers)?;
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
        ("GET", told::PATH) => {
            let nobody = || Refusal::new(Kind::Unauthenticated, "auth.required", "Sign in first.");
            let user = caller.actor.user().ok_or_else(nobody)?;
            Ok(told::script(&state.platform.page(&caller, &visitor).await?, &visitor, user))
        }
        ("GET", "/") => Ok(Redirect::to(&format!("{}/", visitor.prefix)).into_response()),
        (_, path) if routes::is_below(path, &visitor.prefix) => files::answer(&visitor, &parts).await,
        (_, path) => Err(gateway::unknown(&parts.method, path).into()),
    }
}
