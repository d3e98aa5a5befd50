//! Which headers pass between a client, the platform and a plugin. Pure functions, the same for both modes.

use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{
        ACCESS_CONTROL_ALLOW_CREDENTIALS, ALT_SVC, AUTHORIZATION, CONNECTION, CONTENT_LENGTH, COOKIE, EXPECT, FORWARDED,
        PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, SET_COOKIE, STRICT_TRANSPORT_SECURITY, TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
    },
};
use mint_domain::{InstrumentId, User};

use crate::{Call, trailers};

/// The cookie that carries a person's session.
pub const SESSION_COOKIE: &str = "mint_access_token";
/// The cookie that lets a browser in at one plugin's origin.
pub const FRONTEND_COOKIE: &str = "mint_page";
/// The same under https, where browsers see to it that no other origin sets it.
pub const SECURE_FRONTEND_COOKIE: &str = "__Host-mint_page";

/// How the names of the platform's cookies begin. No plugin sets one: with another's session, or the sign-in that another began,
/// somebody would be signed in as them.
const OWN_COOKIES: &[&str] = &["mint_", "__host-mint_", "__secure-mint_"];

/// The person's identifier, an integer.
pub const USER_ID: HeaderName = HeaderName::from_static("x-mint-user-id");
/// The person's name, in UTF-8.
pub const USERNAME: HeaderName = HeaderName::from_static("x-mint-username");
/// Slug of the person's system role.
pub const USER_ROLE: HeaderName = HeaderName::from_static("x-mint-user-role");
/// What the person may do: a JSON array of strings.
pub const USER_PERMISSIONS: HeaderName = HeaderName::from_static("x-mint-user-permissions");
/// Identifier of the token of a program that is no person, an integer.
pub const SERVICE_TOKEN_ID: HeaderName = HeaderName::from_static("x-mint-service-token-id");
/// The instruments that such a program stands for: a JSON array of strings.
pub const INSTRUMENT_IDS: HeaderName = HeaderName::from_static("x-mint-instrument-ids");
/// The request, from the client to the last log line.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// `/api` and the plugin's prefix.
pub const FORWARDED_PREFIX: HeaderName = HeaderName::from_static("x-forwarded-prefix");
/// The secret that a plugin process and the platform share.
pub const INTERNAL_TOKEN: HeaderName = HeaderName::from_static("x-mint-internal-token");

/// Headers that belong to one connection and never pass it. `expect` is answered by each side for itself.
static HOP_BY_HOP: [HeaderName; 11] = [
    CONNECTION,
    EXPECT,
    HeaderName::from_static("http2-settings"),
    HeaderName::from_static("keep-alive"),
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
    HeaderName::from_static("proxy-connection"),
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
];

/// What only the platform says to a plugin, whatever a client sends: the first letters of names.
const PLATFORM_ONLY: &[&str] = &["x-mint-", "x-mld-", "x-forwarded-"];

/// What a client says to the platform, not to the plugin.
static CLIENT_SECRETS: [HeaderName; 4] = [AUTHORIZATION, COOKIE, FORWARDED, HeaderName::from_static("x-real-ip")];

/// What would let a plugin speak for the whole site.
static SITE_WIDE: [HeaderName; 6] = [
    // With it, another site's page could read what a visitor's cookie opens.
    ACCESS_CONTROL_ALLOW_CREDENTIALS,
    ALT_SVC,
    HeaderName::from_static("clear-site-data"),
    HeaderName::from_static("service-worker-allowed"),
    STRICT_TRANSPORT_SECURITY,
    INTERNAL_TOKEN,
];

/// Makes a client's headers those of a request to a plugin under `prefix`, the public path: what must not reach it goes,
/// who is signed in comes.
pub fn present(headers: &mut HeaderMap, call: &Call, prefix: &HeaderValue) {
    let takes_trailers = trailers::are_taken(headers);
    strip_request(headers);
    if takes_trailers {
        headers.insert(TE, HeaderValue::from_static("trailers"));
    }
    add_identity(headers, call);
    headers.insert(FORWARDED_PREFIX, prefix.clone());
    if let Ok(id) = HeaderValue::from_str(call.request_id.as_str()) {
        headers.insert(REQUEST_ID, id);
    }
}

/// Removes from a client's request what must not reach a plugin: what belongs to the client's connection, the client's
/// credentials, and everything that only the platform may say.
pub(crate) fn strip_request(headers: &mut HeaderMap) {
    if headers.contains_key(TRANSFER_ENCODING) {
        // A length beside a transfer encoding is the classic way to smuggle a second request.
        headers.remove(CONTENT_LENGTH);
    }
    strip_hop_by_hop(headers, trailers::strip_request);
    let is_forged = |name: &HeaderName| PLATFORM_ONLY.iter().any(|prefix| name.as_str().starts_with(prefix));
    remove(headers, |name| CLIENT_SECRETS.contains(name) || is_forged(name));
}

/// Removes what belongs to one connection from a request or a response that a plugin exchanges with the world outside.
pub fn strip_outbound(headers: &mut HeaderMap) {
    if headers.contains_key(TRANSFER_ENCODING) {
        headers.remove(CONTENT_LENGTH);
    }
    strip_hop_by_hop(headers, HeaderMap::clear);
}

/// Removes from a plugin's response what belongs to its connection, and what would speak for the whole site.
pub fn strip_response(headers: &mut HeaderMap) {
    strip_hop_by_hop(headers, trailers::strip_response);
    remove(headers, |name| SITE_WIDE.contains(name));
    if headers.get_all(SET_COOKIE).iter().any(sets_own) {
        let kept: Vec<HeaderValue> = headers.get_all(SET_COOKIE).iter().filter(|value| !sets_own(value)).cloned().collect();
        headers.remove(SET_COOKIE);
        for value in kept {
            headers.append(SET_COOKIE, value);
        }
    }
}

/// Adds the headers by which a plugin learns who is signed in, or which program asks; none when neither does.
fn add_identity(headers: &mut HeaderMap, call: &Call) {
    if let Some(service) = &call.service {
        headers.insert(SERVICE_TOKEN_ID, HeaderValue::from(service.token));
        if let Ok(value) = HeaderValue::try_from(json_array(service.instruments.iter().map(InstrumentId::as_str))) {
            headers.insert(INSTRUMENT_IDS, value);
        }
    }
    let Some(user) = call.actor.user() else { return };
    headers.insert(USER_ID, HeaderValue::from(user.id.0));
    for (name, text) in [(USERNAME, &user.username), (USER_ROLE, &user.role)] {
        // Names are checked when users are made; one that no header can hold is left out.
        if let Ok(value) = HeaderValue::from_bytes(text.as_bytes()) {
            headers.insert(name, value);
        }
    }
    if let Ok(value) = HeaderValue::try_from(permissions(user)) {
        headers.insert(USER_PERMISSIONS, value);
    }
}

/// What a person may do, as plugins are told: a JSON array of strings.
pub fn permissions(user: &User) -> String {
    json_array(user.permissions.iter().map(|permission| permission.as_str()))
}

/// A JSON array. The words of permissions, and ids, need no escapes.
fn json_array<'a>(words: impl ExactSizeIterator<Item = &'a str>) -> String {
    let mut json = String::with_capacity(words.len() * 40 + 2);
    for word in words {
        json.push_str(if json.is_empty() { "[\"" } else { ",\"" });
        json.push_str(word);
        json.push('"');
    }
    json.push_str(if json.is_empty() { "[]" } else { "]" });
    json
}

/// What a head says of its trailers is said again for those that `clean_trailers` leaves.
fn strip_hop_by_hop(headers: &mut HeaderMap, clean_trailers: fn(&mut HeaderMap)) {
    let announced = trailers::announced(headers, clean_trailers);
    let nominated: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    // A client can name thousands, mostly none.
    for name in nominated {
        headers.remove(name);
    }
    remove(headers, |name| HOP_BY_HOP.contains(name));
    if let Some(announced) = announced {
        headers.insert(TRAILER, announced);
    }
}

/// A message has few headers, and far fewer than there are names that must not pass: so each of its own is looked at, once.
fn remove(headers: &mut HeaderMap, is_unwanted: impl Fn(&HeaderName) -> bool) {
    let unwanted: Vec<HeaderName> = headers.keys().filter(|name| is_unwanted(name)).cloned().collect();
    for name in unwanted {
        headers.remove(name);
    }
}

/// Whether a `Set-Cookie` names a cookie of the platform: one whose name begins as all of them do, so that none is forgotten. A
/// browser takes `=name=value` for a cookie without a name and sends it back as `name=value`, so leading `=` count for nothing.
fn sets_own(value: &HeaderValue) -> bool {
    let text = String::from_utf8_lossy(value.as_bytes());
    let name = text.trim_start_matches(|c: char| c == '=' || c.is_whitespace());
    let begins = |word: &str| name.get(..word.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(word));
    OWN_COOKIES.iter().any(|word| begins(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(lines: &[(&str, &str)]) -> HeaderMap {
        lines.iter().map(|(name, value)| (name.parse::<HeaderName>().unwrap(), value.parse::<HeaderValue>().unwrap())).collect()
    }

    fn names(headers: &HeaderMap) -> Vec<&str> {
        let mut names: Vec<&str> = headers.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        names
    }

    #[test]
    fn a_client_cannot_speak_for_the_platform() {
        for forged in [
            "X-MINT-User-Id",
            "x-mint-user-role",
            "X-MINT-Internal-Token",
            "X-MINT-Anything-New",
            "X-MLD-User-Id",
            "X-Forwarded-For",
            "X-Forwarded-Prefix",
            "Forwarded",
            "X-Real-IP",
            "Authorization",
            "Cookie",
            "Proxy-Authorization",
            "Connection",
            "Keep-Alive",
            "Proxy-Connection",
            "TE",
            "Upgrade",
            "HTTP2-Settings",
            "Expect",
        ] {
            let mut headers = map(&[(forged, "x"), ("accept", "*/*")]);
            strip_request(&mut headers);
            assert_eq!(names(&headers), ["accept"], "{forged}");
        }
    }

    #[test]
    fn what_the_connection_header_names_goes_with_it() {
        let mut headers =
            map(&[("connection", "close, X-Private"), ("connection", " x-more ,"), ("x-private", "1"), ("x-more", "2")]);
        headers.append("range", "bytes=0-1".parse().unwrap());
        strip_request(&mut headers);
        assert_eq!(names(&headers), ["range"]);
    }

    #[test]
    fn a_length_beside_a_transfer_encoding_is_dropped() {
        let mut smuggling = map(&[("content-length", "5"), ("transfer-encoding", "chunked")]);
        strip_request(&mut smuggling);
        assert!(smuggling.is_empty(), "{smuggling:?}");
        let mut plain = map(&[("content-length", "5")]);
        strip_request(&mut plain);
        assert_eq!(names(&plain), ["content-length"]);
    }

    #[test]
    fn a_plugin_cannot_speak_for_the_site() {
        let mut headers = map(&[
            ("service-worker-allowed", "/"),
            ("clear-site-data", "\"*\""),
            ("strict-transport-security", "max-age=1"),
            ("alt-svc", "h2=\"evil:443\""),
            ("access-control-allow-credentials", "true"),
            ("x-mint-internal-token", "secret"),
            ("transfer-encoding", "chunked"),
            ("connection", "keep-alive"),
            ("etag", "\"1\""),
            ("set-cookie", "seen=1; Path=/api/hello"),
        ]);
        strip_response(&mut headers);
        assert_eq!(names(&headers), ["etag", "set-cookie"]);
    }

    #[test]
    fn cookies_of_the_platform_cannot_be_set() {
        for bad in [
            "mint_access_token=evil",
            " mint_access_token = evil; Path=/",
            "MINT_ACCESS_TOKEN=evil",
            "=mint_access_token=evil",
            "mint_access_token",
            "mint_access_token; Max-Age=0",
            "mint_page=evil",
            "__Host-mint_page=evil; Secure; Path=/",
            "mint_departed=evil; Path=/auth",
            "\t= =Mint_anything=1",
            "__secure-MINT_page=evil",
        ] {
            let mut headers = map(&[("set-cookie", "a=1"), ("set-cookie", bad), ("set-cookie", "b=2")]);
            strip_response(&mut headers);
            let left: Vec<_> = headers.get_all(SET_COOKIE).iter().collect();
            assert_eq!(left, ["a=1", "b=2"], "{bad}");
        }
        for fine in ["not_mint_access_token=1", "mint=1", "", "="] {
            let mut harmless = map(&[("set-cookie", fine)]);
            strip_response(&mut harmless);
            assert_eq!(harmless.len(), 1, "{fine}");
        }
    }
}
