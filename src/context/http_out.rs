//! Where a plugin may connect to: names by its grants, addresses by what they are.
//!
//! A name is resolved once, every address it has is checked, and the caller connects to a checked address: a name that
//! points elsewhere a moment later changes nothing.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use mint_domain::{Capability, Kind, Refusal, capability::HttpTarget};
use tokio::net::lookup_host;

use crate::{Call, Result};

/// Proof that a plugin may speak HTTP with a host, whose addresses are still to be checked.
#[derive(Debug)]
#[must_use]
pub struct Route {
    host: String,
    port: u16,
}

impl Route {
    /// The host's name, as it was granted.
    pub fn host(&self) -> &str {
        &self.host
    }
}

/// Passes if the plugin of `call` was granted HTTP to `host` and `port`.
///
/// # Errors
/// `VALIDATION_ERROR` for what is not a host, `PERMISSION_DENIED` naming the capability that is missing.
pub fn authorise(call: &Call, host: &str, port: u16) -> Result<Route> {
    let target: HttpTarget = format!("{host}:{port}")
        .parse()
        .map_err(|_| Refusal::invalid("The host of an outbound request must be a name or an IPv4 address, with a port."))?;
    call.through_plugin()?;
    let _permit = call.permit_plugin(&Capability::Http(target.clone()))?;
    Ok(Route { host: target.host, port })
}

/// The addresses of a host, all of which may be connected to.
///
/// # Errors
/// `UNAVAILABLE` when the name has no address; `PERMISSION_DENIED` when any of them lies in the platform's own networks.
pub async fn resolve(route: &Route) -> Result<Vec<SocketAddr>> {
    // Only the one spelling that the standard library takes is the address that an administrator saw in the grant.
    if let Ok(literal) = route.host.parse::<Ipv4Addr>() {
        return Ok(vec![SocketAddr::new(literal.into(), route.port)]);
    }
    let unresolved = |detail: String| {
        Refusal::new(Kind::Unavailable, "UNAVAILABLE", format!("The name `{}` could not be resolved{detail}.", route.host))
    };
    let addresses: Vec<SocketAddr> =
        lookup_host((route.host.as_str(), route.port)).await.map_err(|error| unresolved(format!(": {error}")))?.collect();
    if addresses.is_empty() {
        return Err(unresolved(String::new()).into());
    }
    match addresses.iter().find(|address| !is_public(address.ip())) {
        Some(inside) => Err(Refusal::denied(
            &format!("http:{}", inside.ip()),
            format!(
                "`{}` is at {}, which is not a public address. An administrator can grant the address itself.",
                route.host,
                inside.ip()
            ),
        )
        .into()),
        None => Ok(addresses),
    }
}

/// Whether an address is on the public internet: neither this machine, nor a private network, nor a service of the
/// machine's host, nor set apart for something else.
pub fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let special = match a {
        // "This network", private, loopback.
        0 | 10 | 127 => true,
        // Carrier-grade NAT, where some clouds keep their metadata service.
        100 => (64..128).contains(&b),
        // Link-local: metadata services.
        169 => b == 254,
        172 => (16..32).contains(&b),
        // Protocol assignments, documentation, 6to4 relays, AS112, private.
        192 => matches!((b, c), (0, 0 | 2) | (88, 99) | (31, 196) | (52, 193) | (175, 48) | (168, _)),
        // Benchmarks, documentation.
        198 => matches!((b, c), (18 | 19, _) | (51, 100)),
        203 => (b, c) == (0, 113),
        // Multicast, reserved, broadcast.
        _ => a >= 224,
    };
    !special
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let [a, b, c, d, e, f, g, h] = address.segments();
    let embedded = |high: u16, low: u16| Ipv4Addr::from(u32::from(high) << 16 | u32::from(low));
    match (a, b) {
        // NAT64 and 6to4 carry an IPv4 address, which decides.
        (0x64, 0xff9b) => (c, d, e, f) == (0, 0, 0, 0) && is_public_v4(embedded(g, h)),
        (0x2002, _) => is_public_v4(embedded(b, c)),
        // Teredo, benchmarks, ORCHID and other protocol assignments; documentation.
        (0x2001, 0x0000..=0x01ff | 0x0db8) => false,
        (0x3fff, 0x0000..=0x0fff) => false,
        // Of everything else, only global unicast is public: no loopback, link-local, unique local, multicast …
        _ => (0x2000..0x4000).contains(&a),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_public_addresses_are_public() {
        for inside in "0.0.0.0 0.1.2.3 10.0.0.1 100.64.0.1 100.100.100.200 127.0.0.1 127.255.255.254 169.254.169.254 \
             172.16.0.1 172.31.255.255 192.0.0.192 192.0.2.1 192.88.99.1 192.168.1.1 198.18.0.1 198.19.255.1 \
             198.51.100.1 203.0.113.1 224.0.0.1 239.1.1.1 240.0.0.1 255.255.255.255 :: ::1 ::ffff:127.0.0.1 \
             ::ffff:169.254.169.254 ::127.0.0.1 fe80::1 febf::1 fec0::1 fc00::1 fd00:ec2::254 ff02::1 \
             64:ff9b::7f00:1 64:ff9b::a00:1 64:ff9b:1::1 2002:7f00:1:: 2002:a9fe:a9fe::1 2001::1 2001:20::1 \
             2001:db8::1 3fff::1 100::1 5f00::1"
            .split_whitespace()
        {
            assert!(!is_public(inside.parse().unwrap()), "{inside}");
        }
        for outside in "1.1.1.1 8.8.8.8 100.63.255.255 100.128.0.1 172.15.0.1 172.32.0.1 192.0.1.1 198.20.0.1 223.255.255.1 \
             2606:4700::1111 2a00:1450:4001::1 ::ffff:8.8.8.8 64:ff9b::808:808 2002:808:808::1"
            .split_whitespace()
        {
            assert!(is_public(outside.parse().unwrap()), "{outside}");
        }
    }

    #[tokio::test]
    async fn only_a_literal_address_reaches_inside() {
        let route = |host: &str| Route { host: host.to_owned(), port: 80 };
        assert_eq!(resolve(&route("127.0.0.1")).await.unwrap(), ["127.0.0.1:80".parse().unwrap()]);
        for disguised in ["localhost", "0x7f000001", "2130706433", "127.1", "0177.0.0.1", "0"] {
            assert!(resolve(&route(disguised)).await.is_err(), "{disguised}");
        }
    }
}
