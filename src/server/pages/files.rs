//! The files of the pages, and what a browser may do with them.

use axum::{
    extract::Path,
    response::{IntoResponse as _, Response},
};
use http::{Uri, header};
use mint_domain::{Kind, Refusal};

use crate::{error::ApiError, frontends::see_other};

/// Where somebody lets a program in.
pub(crate) const DEVICE_PAGE: &str = "/auth/device";

/// Where somebody comes back to from another server.
const BACK: &str = "back";

/// Nothing runs but the page's own script, nothing is asked but this server, and nobody shows it in a frame.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const FILES: &[(&str, &str, &str)] = &[
    ("device", "text/html; charset=utf-8", include_str!("device.html")),
    ("setup", "text/html; charset=utf-8", include_str!("setup.html")),
    ("sign-in", "text/html; charset=utf-8", include_str!("sign-in.html")),
    ("account", "text/html; charset=utf-8", include_str!("account.html")),
    (BACK, "text/html; charset=utf-8", include_str!("back.html")),
    ("device.js", "text/javascript; charset=utf-8", include_str!("device.js")),
    ("setup.js", "text/javascript; charset=utf-8", include_str!("setup.js")),
    ("sign-in.js", "text/javascript; charset=utf-8", include_str!("sign-in.js")),
    ("account.js", "text/javascript; charset=utf-8", include_str!("account.js")),
    ("back.js", "text/javascript; charset=utf-8", include_str!("back.js")),
    ("page.js", "text/javascript; charset=utf-8", include_str!("page.js")),
    ("page.css", "text/css; charset=utf-8", include_str!("page.css")),
];

/// One of the files, below `/auth/`.
pub(crate) async fn page(Path(name): Path<String>) -> Result<Response, ApiError> {
    file(&name)
}

/// Sends somebody to sign in who wanted to see something else, to which they come back then.
pub(crate) fn sign_in_first(wanted: &Uri) -> Response {
    let next = wanted.path_and_query().map_or("/", |target| target.as_str());
    let query = form_urlencoded::Serializer::new(String::new()).append_pair("next", next).finish();
    see_other(&format!("/auth/sign-in?{query}"))
}

/// Where somebody comes back to from another server, which the address names.
pub(crate) async fn back() -> Result<Response, ApiError> {
    file(BACK)
}

fn file(name: &str) -> Result<Response, ApiError> {
    let file = FILES.iter().find(|(known, ..)| *known == name);
    let (_, kind, text) = file.ok_or_else(|| Refusal::new(Kind::NotFound, "resource.not_found", "There is no such page."))?;
    let headers = [
        (header::CONTENT_TYPE, *kind),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-cache"),
    ];
    Ok((headers, *text).into_response())
}
