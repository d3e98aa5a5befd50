//! Headers between clients, the platform, plugins and the world: what belongs to one side never reaches the other.

use http::{HeaderMap, HeaderName, HeaderValue};
use mint_context::{headers, trailers};

use super::house::House;

const OF_ONE_CONNECTION: &[&str] =
    &["connection", "expect", "keep-alive", "proxy-authorization", "proxy-connection", "te", "transfer-encoding", "upgrade"];
const PLATFORM_ONLY: &[&str] = &["authorization", "cookie", "x-mint-user-id", "x-mint-internal-token", "x-mld-user", "forwarded"];

/// Takes lines `name: value`, and cleans them each way.
pub fn run(data: &[u8]) {
    let mut map = HeaderMap::new();
    for line in data.split(|byte| *byte == b'\n').take(100) {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { continue };
        let (name, value) = (HeaderName::from_bytes(&line[..colon]), HeaderValue::from_bytes(&line[colon + 1..]));
        if let (Ok(name), Ok(value)) = (name, value) {
            map.append(name, value);
        }
    }
    let mut request = map.clone();
    headers::present(&mut request, House::get().nobody(), &HeaderValue::from_static("/api/a"));
    assert!(PLATFORM_ONLY.iter().all(|name| !request.contains_key(*name)), "{request:?}");
    assert!(OF_ONE_CONNECTION.iter().all(|name| *name == "te" || !request.contains_key(*name)), "{request:?}");
    assert_eq!(request.get_all("x-forwarded-prefix").iter().count(), 1);

    let mut response = map.clone();
    headers::strip_response(&mut response);
    for name in ["strict-transport-security", "service-worker-allowed", "clear-site-data", "x-mint-internal-token"] {
        assert!(!response.contains_key(name), "{response:?}");
    }
    assert!(OF_ONE_CONNECTION.iter().all(|name| !response.contains_key(*name)), "{response:?}");
    let sets = |value: &HeaderValue, name: &str| {
        value.as_bytes().get(..name.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(name.as_bytes()))
    };
    for name in [headers::SESSION_COOKIE, headers::FRONTEND_COOKIE, headers::SECURE_FRONTEND_COOKIE, "=mint_", "mint_departed"] {
        assert!(!response.get_all("set-cookie").iter().any(|value| sets(value, name)), "{name}: {response:?}");
    }
    let again = response.clone();
    headers::strip_response(&mut response);
    assert_eq!(response, again, "what is clean is changed");

    let mut outbound = map.clone();
    headers::strip_outbound(&mut outbound);
    assert!(OF_ONE_CONNECTION.iter().all(|name| !outbound.contains_key(*name)), "{outbound:?}");
    let of_requests = ["authorization", "x-mint-user-id", "cookie"].as_slice();
    for (clean, names) in [(trailers::strip_request as fn(&mut HeaderMap), of_requests), (trailers::strip_response, &[])] {
        let mut late = map.clone();
        clean(&mut late);
        for name in ["content-length", "transfer-encoding", "set-cookie"].iter().chain(names) {
            assert!(!late.contains_key(*name), "{name} came late: {late:?}");
        }
    }
}
