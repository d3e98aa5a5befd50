//! From where a request comes.

use std::{convert::Infallible, net::IpAddr};

use axum::extract::FromRequestParts;
use http::{HeaderMap, HeaderName, header, request::Parts};
use ipnet::IpNet;
use mint_platform::people::Origin;

use crate::router::State;

const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Who is at the other end of the connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer(pub(crate) IpAddr);

/// The program and the address that ask.
#[derive(Debug)]
pub(crate) struct Sender(pub(crate) Origin);

impl FromRequestParts<State> for Sender {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &State) -> Result<Self, Infallible> {
        let user_agent = parts.headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok());
        let peer = parts.extensions.get::<Peer>().map(|peer| client(peer.0, &parts.headers, &state.proxies));
        Ok(Self(Origin::new(user_agent, peer)))
    }
}

/// Whether the client came by https, as far as this server can tell: a trusted proxy says so, or plugins have origins by it.
#[derive(Debug)]
pub(crate) struct Secure(pub(crate) bool);

impl FromRequestParts<State> for Secure {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &State) -> Result<Self, Infallible> {
        let peer = parts.extensions.get::<Peer>().map(|peer| peer.0);
        let is_trusted = peer.is_some_and(|peer| state.proxies.iter().any(|proxy| proxy.contains(&peer)));
        let is_said = parts.headers.get(FORWARDED_PROTO).is_some_and(|scheme| scheme.as_bytes().eq_ignore_ascii_case(b"https"));
        Ok(Self(state.platform.origins().is_secure() || is_trusted && is_said))
    }
}

/// The last address that no trusted proxy has. What stands before it in the header anybody may have written.
fn client(peer: IpAddr, headers: &HeaderMap, proxies: &[IpNet]) -> IpAddr {
    let lines = headers.get_all(FORWARDED_FOR).iter().rev().filter_map(|value| value.to_str().ok());
    let mut hops = lines.flat_map(|line| line.rsplit(',')).map(|hop| hop.trim().parse::<IpAddr>());
    let mut client = peer;
    while proxies.iter().any(|proxy| proxy.contains(&client)) {
        match hops.next() {
            Some(Ok(hop)) => client = hop.to_canonical(),
            Some(Err(_)) | None => break,
        }
    }
    client
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_trusted_proxies_are_believed() {
        let proxies = ["10.0.0.0/8".parse().unwrap(), "::1/128".parse().unwrap()];
        for (peer, lines, expected) in [
            ("192.0.2.1", &["203.0.113.1"][..], "192.0.2.1"),
            ("10.0.0.1", &["203.0.113.1"], "203.0.113.1"),
            ("10.0.0.1", &["198.51.100.1, 203.0.113.1, 10.0.0.2"], "203.0.113.1"),
            ("10.0.0.1", &["198.51.100.1", "203.0.113.1"], "203.0.113.1"),
            ("10.0.0.1", &["203.0.113.1, garbage"], "10.0.0.1"),
            ("10.0.0.1", &["::ffff:203.0.113.1"], "203.0.113.1"),
            ("10.0.0.1", &[], "10.0.0.1"),
            ("::1", &["10.0.0.3"], "10.0.0.3"),
        ] {
            let headers = lines.iter().map(|line| (FORWARDED_FOR, line.parse().unwrap())).collect::<Vec<_>>();
            let mut map = HeaderMap::new();
            for (name, value) in headers {
                map.append(name, value);
            }
            assert_eq!(client(peer.parse().unwrap(), &map, &proxies), expected.parse::<IpAddr>().unwrap(), "{peer} {lines:?}");
        }
    }
}
