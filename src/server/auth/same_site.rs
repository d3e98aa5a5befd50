//! A cookie counts for a change only when our own page asked for it.

use http::{HeaderMap, Method, header};
use mint_domain::{Kind, Refusal};

/// Refuses a change, and a WebSocket, that another site's page asks a browser for. `Sec-Fetch-Site` decides where the browser sends it,
/// else `Origin` must name the host that was asked.
pub(crate) fn check(method: &Method, headers: &HeaderMap) -> Result<(), Refusal> {
    if method.is_safe() && !headers.contains_key(header::UPGRADE) {
        return Ok(());
    }
    let text = |name| headers.get(name).and_then(|value: &http::HeaderValue| value.to_str().ok());
    let ours = match (text(http::HeaderName::from_static("sec-fetch-site")), text(header::ORIGIN), text(header::HOST)) {
        (Some(site), _, _) => matches!(site, "same-origin" | "none"),
        (None, Some(origin), Some(host)) => origin.split_once("://").is_some_and(|(_, authority)| authority == host),
        (None, Some(_), None) => false,
        // No browser: those send one of the two with every change, and an origin with every handshake.
        (None, None, _) => true,
    };
    if ours {
        Ok(())
    } else {
        Err(Refusal::new(Kind::Denied, "auth.cross_site", "This change was asked for by another site's page."))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_pages_may_change_things_by_cookie() {
        let allowed = |method: Method, lines: &[(&'static str, &'static str)]| {
            let headers = lines.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
            check(&method, &headers).is_ok()
        };
        assert!(allowed(Method::GET, &[("sec-fetch-site", "cross-site")]));
        assert!(allowed(Method::POST, &[("sec-fetch-site", "same-origin")]));
        assert!(!allowed(Method::POST, &[("sec-fetch-site", "same-site")]));
        assert!(!allowed(Method::DELETE, &[("sec-fetch-site", "cross-site")]));
        assert!(allowed(Method::POST, &[("origin", "http://a:1"), ("host", "a:1")]));
        assert!(!allowed(Method::POST, &[("origin", "http://b:1"), ("host", "a:1")]));
        assert!(!allowed(Method::POST, &[("origin", "null"), ("host", "a:1")]));
        assert!(allowed(Method::POST, &[]));
        assert!(allowed(Method::GET, &[("upgrade", "websocket"), ("origin", "http://a:1"), ("host", "a:1")]));
        assert!(!allowed(Method::GET, &[("upgrade", "websocket"), ("origin", "http://b:1"), ("host", "a:1")]));
        assert!(!allowed(Method::GET, &[("upgrade", "websocket"), ("origin", "null"), ("host", "a:1")]));
        assert!(!allowed(Method::GET, &[("upgrade", "websocket"), ("sec-fetch-site", "cross-site")]));
    }
}
