//! The files of the pages, and what a browser may do with them.

use axum::{
    extract::Path,
    response::{IntoResponse as _, Response},
};
use http::header;
use mint_domain::{Kind, Refusal};

use crate::error::ApiError;

/// Where somebody lets a program in.
pub(crate) const DEVICE_PAGE: &str = "/auth/device";

/// Nothing runs but the page's own script, nothing is asked but this server, and nobody shows it in a frame.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const FILES: &[(&str, &str, &str)] = &[
    ("device", "text/html; charset=utf-8", include_str!("device.html")),
    ("setup", "text/html; charset=utf-8", include_str!("setup.html")),
    ("device.js", "text/javascript; charset=utf-8", include_str!("device.js")),
    ("setup.js", "text/javascript; charset=utf-8", include_str!("setup.js")),
    ("page.js", "text/javascript; charset=utf-8", include_str!("page.js")),
    ("page.css", "text/css; charset=utf-8", include_str!("page.css")),
];

/// One of the files, below `/auth/`.
pub(crate) async fn page(Path(name): Path<String>) -> Result<Response, ApiError> {
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
