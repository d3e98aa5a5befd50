//! Where a request carries its credential.

use http::{HeaderMap, header};
use mint_context::headers::SESSION_COOKIE;

/// A credential and how it came.
#[derive(Debug)]
pub(crate) struct Credential<'a> {
    pub(crate) token: &'a str,
    /// A browser adds cookies by itself, so what they allow must be asked for from our own pages.
    pub(crate) by_cookie: bool,
}

/// The credential of a request: `Authorization: Bearer …`, else the session cookie.
pub(crate) fn find(headers: &HeaderMap) -> Option<Credential<'_>> {
    if let Some(value) = headers.get(header::AUTHORIZATION) {
        let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
        return scheme.eq_ignore_ascii_case("bearer").then_some(Credential { token: token.trim(), by_cookie: false });
    }
    cookie(headers, SESSION_COOKIE).map(|token| Credential { token, by_cookie: true })
}

/// What a browser keeps under a name.
pub(crate) fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let cookies =
        headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(';'));
    cookies.filter_map(|pair| pair.trim().split_once('=')).find(|(known, _)| *known == name).map(|(_, value)| value)
}

/// The header that has a browser keep something for so long, of which no script knows.
pub(crate) fn set_cookie(name: &str, value: &str, seconds: i64, is_secure: bool) -> String {
    let secure = if is_secure { "; Secure" } else { "" };
    format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax; Max-Age={seconds}{secure}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_a_token_is_found() {
        let token = |lines: &[(&'static str, &'static str)]| {
            let headers: HeaderMap = lines.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
            find(&headers).map(|credential| (credential.token.to_owned(), credential.by_cookie))
        };
        assert_eq!(token(&[("authorization", "Bearer a")]), Some(("a".to_owned(), false)));
        assert_eq!(token(&[("authorization", "Basic a")]), None);
        assert_eq!(token(&[("cookie", "x=1; mint_access_token=b; y=2")]), Some(("b".to_owned(), true)));
        assert_eq!(token(&[("cookie", "not_mint_access_token=b")]), None);
        // A wrong header is not saved by a cookie.
        assert_eq!(token(&[("authorization", "Basic a"), ("cookie", "mint_access_token=b")]), None);
        assert_eq!(token(&[]), None);
    }
}
