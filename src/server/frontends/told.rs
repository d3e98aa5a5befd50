//! What a page is told before its own scripts run: `window.__MINT_PLATFORM__`, which MINT's library for front-ends reads.

use axum::{
    body::Body,
    response::{IntoResponse as _, Response},
};
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use mint_domain::User;
use mint_platform::frontends::{Page, Visitor};
use serde_json::{Value, json};

/// Where it is told.
pub(super) const PATH: &str = "/_mint/platform.js";
/// How the page comes to ask.
const TAG: &str = "<script src=\"/_mint/platform.js\"></script>";
/// A longer page is sent as it is.
pub(super) const PAGE_BYTES_MAX: u64 = 4 << 20;

/// The script. All that it names can be reached from where the page is.
pub(super) fn script(page: &Page, visitor: &Visitor, user: &User) -> Response {
    let text = format!("window.__MINT_PLATFORM__ = {};\n", facts(page, visitor, user));
    let headers = [(CONTENT_TYPE, "text/javascript; charset=utf-8"), (CACHE_CONTROL, "no-store")];
    (headers, Body::from(text)).into_response()
}

fn facts(Page { plugin, allowed_experiment_types }: &Page, visitor: &Visitor, user: &User) -> Value {
    let name = if plugin.display_name.is_empty() { plugin.slug.as_str() } else { &plugin.display_name };
    json!({
        "isIntegrated": true,
        "plugin": {
            "id": plugin.slug,
            "name": name,
            "version": plugin.version,
            "plugin_type": plugin.plugin_type,
            "description": plugin.description,
            "icon": plugin.icon,
            "color": "",
            "route_prefix": visitor.prefix,
            "api_prefix": format!("/api{}", visitor.prefix),
            "settings_api": "plugin",
            "nav_items": [],
            "settings": {},
        },
        "platformApiUrl": "/api",
        "platformOrigin": visitor.platform_origin,
        "user": {
            "id": user.id,
            "username": user.username,
            "role": user.role,
            "role_obj": { "slug": user.role, "name": user.role, "permissions": user.permissions },
            "shortname": user.username,
        },
        "theme": "light",
        "allowedExperimentTypes": allowed_experiment_types,
        "features": {
            "admin": user.is_admin(), "experiments": true, "samples": false, "passkey": false, "multiUser": true,
        },
    })
}

/// The page with the tag before any script of its own.
pub(super) fn with_tag(mut page: Vec<u8>) -> Vec<u8> {
    let at = ["<head", "<html", "<!doctype"].iter().find_map(|name| after(&page, name.as_bytes())).unwrap_or(0);
    page.splice(at..at, TAG.bytes());
    page
}

/// Where the first tag of this name ends.
fn after(page: &[u8], name: &[u8]) -> Option<usize> {
    let is_here = |window: &[u8]| {
        window
            .split_last()
            .is_some_and(|(next, tag)| tag.eq_ignore_ascii_case(name) && (*next == b'>' || next.is_ascii_whitespace()))
    };
    let at = page.windows(name.len() + 1).position(is_here)?;
    let end = page.get(at..)?.iter().position(|byte| *byte == b'>')?;
    Some(at + end + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tag_stands_before_all_scripts() {
        for (page, expected) in [
            ("<!doctype html><html><head><script></script>", "<!doctype html><html><head>TAG<script></script>"),
            ("<HTML lang=\"de\"\n><HEAD\nx>\n", "<HTML lang=\"de\"\n><HEAD\nx>TAG\n"),
            ("<!DOCTYPE html><html lang=en><header>x", "<!DOCTYPE html><html lang=en>TAG<header>x"),
            ("<!doctype html><title>page</title>", "<!doctype html>TAG<title>page</title>"),
            ("plain", "TAGplain"),
            ("", "TAG"),
            ("<head", "TAG<head"),
        ] {
            assert_eq!(String::from_utf8(with_tag(page.into())).unwrap(), expected.replace("TAG", TAG), "{page}");
        }
    }
}
