//! The first step into a plugin's origin: a code becomes a cookie of this origin alone.

use axum::{
    body::Body,
    extract::Query,
    response::{IntoResponse as _, Response},
};
use http::{HeaderValue, Method, StatusCode, header, request::Parts};
use mint_context::headers::{FRONTEND_COOKIE, SECURE_FRONTEND_COOKIE};
use mint_domain::{Kind, Refusal};
use mint_platform::{frontends::OriginName, routes};
use secrecy::ExposeSecret as _;
use serde::Deserialize;

use crate::{error::ApiError, gateway::unknown, router::State};

/// Where the code is shown.
pub(super) const PATH: &str = "/_mint/enter";

#[derive(Deserialize)]
struct Shown {
    code: String,
    #[serde(default)]
    to: String,
}

/// Takes the code that a browser shows, and sends it to where it wanted to go.
pub(super) async fn enter(state: &State, name: &OriginName, parts: &Parts) -> Result<Response, ApiError> {
    if parts.method != Method::GET {
        return Err(unknown(&parts.method, parts.uri.path()).into());
    }
    let Query(Shown { code, to }) = Query::try_from_uri(&parts.uri).map_err(ApiError::from)?;
    let entered = state.platform.use_frontend_code(name, &code).await?.ok_or_else(|| {
        let message =
            "This way in was used already, is too old, or leads elsewhere. Open the plugin's page from the platform again.";
        Refusal::new(Kind::Unauthenticated, "frontend.code", message)
    })?;
    let mut response = see_other(&inside(&to, &entered.prefix));
    let (cookie, secure) = (cookie(state), if state.platform.origins().is_secure() { "; Secure" } else { "" });
    let token = entered.token.expose_secret();
    let value = HeaderValue::try_from(format!("{cookie}={token}; Path=/; HttpOnly; SameSite=Lax{secure}"));
    response.headers_mut().extend(value.map(|value| (header::SET_COOKIE, value)));
    Ok(response)
}

/// The name of the cookie.
pub(super) fn cookie(state: &State) -> &'static str {
    if state.platform.origins().is_secure() { SECURE_FRONTEND_COOKIE } else { FRONTEND_COOKIE }
}

/// Sends a browser somewhere else, this once.
pub(crate) fn see_other(address: &str) -> Response {
    let Ok(location) = HeaderValue::try_from(address) else { return StatusCode::NOT_FOUND.into_response() };
    let headers = [(header::LOCATION, location), (header::CACHE_CONTROL, HeaderValue::from_static("no-store"))];
    (StatusCode::SEE_OTHER, headers, Body::empty()).into_response()
}

/// A path and query under the prefix: the one asked for, if it is one, else the front-end's first page.
fn inside(to: &str, prefix: &str) -> String {
    let path = to.split('?').next().unwrap_or_default();
    let is_visible = to.bytes().all(|b| b.is_ascii_graphic());
    let is_inside = is_visible && !path.contains('#') && routes::is_plain(path) && routes::is_below(path, prefix);
    if is_inside { to.to_owned() } else { format!("{prefix}/") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_sent_elsewhere() {
        for good in ["/hello", "/hello/", "/hello/a/b?x=1&y=//other"] {
            assert_eq!(inside(good, "/hello"), good);
        }
        for bad in
            ["", "//evil.example", "/other", "/helloo", "https://evil.example", "/hello/../x", "/hello//x", "/hello/\r\nx: y"]
        {
            assert_eq!(inside(bad, "/hello"), "/hello/", "{bad}");
        }
    }
}
