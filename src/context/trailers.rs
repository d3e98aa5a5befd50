//! Trailers: header fields that come after a body. They pass when they are announced, wanted, and allowed to come late.

use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{
        AGE, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_SECURITY_POLICY, CONTENT_TYPE, DATE,
        EXPIRES, HOST, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE, LOCATION, MAX_FORWARDS, RANGE,
        RETRY_AFTER, SET_COOKIE, TE, TRAILER, VARY, WWW_AUTHENTICATE,
    },
};

use crate::headers;

/// What decides how a message is read, where it goes, or who sent it; of those that pass in a head at all.
static HEADS_ONLY: [HeaderName; 21] = [
    AGE,
    CACHE_CONTROL,
    CONTENT_ENCODING,
    CONTENT_RANGE,
    CONTENT_SECURITY_POLICY,
    CONTENT_TYPE,
    DATE,
    EXPIRES,
    HOST,
    IF_MATCH,
    IF_MODIFIED_SINCE,
    IF_NONE_MATCH,
    IF_RANGE,
    IF_UNMODIFIED_SINCE,
    LOCATION,
    MAX_FORWARDS,
    RANGE,
    RETRY_AFTER,
    SET_COOKIE,
    VARY,
    WWW_AUTHENTICATE,
];

/// Most bytes of the names that are announced.
const ANNOUNCED_BYTES_MAX: usize = 1_024;

/// Removes from a client's trailers what must not reach a plugin, or not so late.
pub fn strip_request(trailers: &mut HeaderMap) {
    headers::strip_request(trailers);
    strip(trailers);
}

/// Removes from a plugin's trailers what must not reach a client, or not so late.
pub fn strip_response(trailers: &mut HeaderMap) {
    headers::strip_response(trailers);
    strip(trailers);
}

fn strip(trailers: &mut HeaderMap) {
    for name in HEADS_ONLY.iter().chain([&CONTENT_LENGTH, &TRAILER, &headers::REQUEST_ID]) {
        trailers.remove(name);
    }
}

/// Whether the sender of a head takes trailers: `TE: trailers`.
pub(crate) fn are_taken(headers: &HeaderMap) -> bool {
    let codings = headers.get_all(TE).into_iter().flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    codings.map(<[u8]>::trim_ascii).any(|coding| coding.eq_ignore_ascii_case(b"trailers"))
}

/// The names that `Trailer` announces and `clean` leaves.
pub(crate) fn announced(headers: &HeaderMap, clean: fn(&mut HeaderMap)) -> Option<HeaderValue> {
    if !headers.contains_key(TRAILER) {
        return None;
    }
    let mut announced = HeaderMap::new();
    for value in headers.get_all(TRAILER) {
        let names = value.to_str().unwrap_or_default().split(',');
        announced.extend(names.filter_map(|name| Some((name.trim().parse::<HeaderName>().ok()?, HeaderValue::from_static("")))));
    }
    clean(&mut announced);
    let mut names: Vec<&str> = announced.keys().map(HeaderName::as_str).collect();
    names.sort_unstable();
    let names = Some(names.join(", ")).filter(|names| !names.is_empty() && names.len() <= ANNOUNCED_BYTES_MAX)?;
    HeaderValue::try_from(names).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(names: &[&str]) -> HeaderMap {
        names.iter().map(|name| (name.parse::<HeaderName>().unwrap(), HeaderValue::from_static("x"))).collect()
    }

    fn names(headers: &HeaderMap) -> Vec<&str> {
        headers.keys().map(HeaderName::as_str).collect()
    }

    #[test]
    fn what_may_come_late() {
        let client =
            ["authorization", "cookie", "x-mint-user-id", "x-forwarded-for", "proxy-authorization", "host", "range", "if-match"];
        let plugin = ["set-cookie", "clear-site-data", "service-worker-allowed", "location", "content-type", "retry-after"];
        let both =
            ["content-length", "transfer-encoding", "connection", "trailer", "te", "upgrade", "x-request-id", "cache-control"];
        for (clean, forbidden) in [(strip_request as fn(&mut HeaderMap), client.as_slice()), (strip_response, &plugin)] {
            for name in forbidden.iter().chain(&both) {
                let mut trailers = map(&[name, "x-checksum"]);
                clean(&mut trailers);
                assert_eq!(names(&trailers), ["x-checksum"], "{name}");
            }
        }
    }

    #[test]
    fn what_is_announced() {
        let said = |text: &'static str| {
            let headers = HeaderMap::from_iter([(TRAILER, HeaderValue::from_static(text))]);
            announced(&headers, strip_request).map(|value| value.to_str().unwrap().to_owned())
        };
        assert_eq!(said("X-Checksum").as_deref(), Some("x-checksum"));
        assert_eq!(said("authorization, x-a , trailer,, no good, x-b").as_deref(), Some("x-a, x-b"));
        assert_eq!(said("x-mint-user-id"), None);
        assert_eq!(said(""), None);
    }

    #[test]
    fn who_takes_trailers() {
        for (te, taken) in [("trailers", true), ("gzip;q=1, Trailers", true), ("gzip", false), ("", false)] {
            assert_eq!(are_taken(&HeaderMap::from_iter([(TE, HeaderValue::from_static(te))])), taken, "{te}");
        }
    }
}
