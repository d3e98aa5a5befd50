//! `http:<host>[:port]`: where a plugin may connect to.

use std::{fmt, str::FromStr};

/// A host, and a port where only that one is meant. Without a port: 80 for plain HTTP and 443 for TLS.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HttpTarget {
    /// A DNS name or an address, lower case, without brackets.
    pub host: String,
    /// The port.
    pub port: Option<u16>,
}

/// Not a host with an optional port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a host with an optional port")]
pub struct InvalidTarget;

impl HttpTarget {
    /// Whether a grant of `self` covers a connection to `target`, whose port is known.
    pub fn allows(&self, target: &HttpTarget) -> bool {
        let port_fits = match (self.port, target.port) {
            (Some(granted), Some(wanted)) => granted == wanted,
            (None, Some(wanted)) => wanted == 80 || wanted == 443,
            (granted, None) => granted.is_none(),
        };
        self.host == target.host && port_fits
    }
}

impl FromStr for HttpTarget {
    type Err = InvalidTarget;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) => (host, Some(port.parse::<u16>().map_err(|_| InvalidTarget)?)),
            None => (text, None),
        };
        let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-');
        let labels_fit = host.split('.').all(|label| !label.is_empty() && !label.starts_with('-') && !label.ends_with('-'));
        if host.is_empty() || host.len() > 253 || !host.bytes().all(fits) || !labels_fit || port == Some(0) {
            return Err(InvalidTarget);
        }
        Ok(Self { host: host.to_ascii_lowercase(), port })
    }
}

impl fmt::Display for HttpTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.port {
            Some(port) => write!(f, "{}:{port}", self.host),
            None => f.write_str(&self.host),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grant_covers_its_host_and_ports_only() {
        let allows =
            |grant: &str, target: &str| grant.parse::<HttpTarget>().unwrap().allows(&target.parse::<HttpTarget>().unwrap());
        assert!(allows("a.example", "a.example:443") && allows("a.example", "a.example:80"));
        assert!(allows("A.example:8443", "a.example:8443"));
        for (grant, target) in [
            ("a.example", "a.example:8443"),
            ("a.example:443", "a.example:80"),
            ("a.example", "b.a.example:443"),
            ("a.example", "aa.example:443"),
        ] {
            assert!(!allows(grant, target), "{grant} must not allow {target}");
        }
        for bad in ["", ":80", "a..b", "-a", "a:0", "a:70000", "a/b", "a@b", "[::1]:80"] {
            assert!(bad.parse::<HttpTarget>().is_err(), "{bad}");
        }
    }
}
