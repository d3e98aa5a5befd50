//! Addresses from which people and programs come.

use std::net::{IpAddr, Ipv6Addr};

/// What counts as one address: who has one of the sixth version mostly has a whole network of them.
pub fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() & (u128::MAX << 64)).into(),
    }
}
