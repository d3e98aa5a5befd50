//! Laboratories by the name of the host that is asked: `north.mint.example.org` is the laboratory `north`. Pure functions.

use mint_domain::Slug;

use super::origin::{PluginDomain, split};

/// A domain whose every sub-domain leads here, each a laboratory; none where people say theirs when they sign in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TenantHosts(Option<PluginDomain>);

/// Which laboratory's people and tokens count.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Whose {
    /// Every one's: the host names none.
    #[default]
    Any,
    /// This one's, whether there is such a laboratory or not.
    Laboratory(Slug),
    /// Nobody's: it looks like a laboratory's host, and is none.
    Nobody,
}

impl TenantHosts {
    /// The laboratories below a domain.
    pub fn below(domain: Option<PluginDomain>) -> Self {
        Self(domain)
    }

    /// Whose a host is, as a client names it, with or without a port.
    pub fn at(&self, host: &str) -> Whose {
        let Some(domain) = &self.0 else { return Whose::Any };
        let host = host.to_ascii_lowercase();
        let (name, _port) = split(&host);
        // The same name to a resolver.
        let name = name.trim_end_matches('.');
        let Some(label) = name.strip_suffix(domain.host()).and_then(|rest| rest.strip_suffix('.')) else { return Whose::Any };
        label.parse().map_or(Whose::Nobody, Whose::Laboratory)
    }
}

/// The laboratory of who names none.
const DEFAULT_TENANT: &str = "default";

impl Whose {
    /// The laboratory that is meant by somebody who is not signed in and names one, or none. No laboratory is called ``, which
    /// stands for those that are not at this host.
    pub fn meant<'a>(&'a self, named: Option<&'a str>) -> &'a str {
        match self {
            Self::Any => named.unwrap_or(DEFAULT_TENANT),
            Self::Laboratory(slug) if named.is_none_or(|named| named == slug.as_str()) => slug.as_str(),
            Self::Laboratory(_) | Self::Nobody => "",
        }
    }

    /// Whether a credential of this laboratory counts.
    pub fn admits(&self, tenant: &Slug) -> bool {
        match self {
            Self::Any => true,
            Self::Laboratory(slug) => slug == tenant,
            Self::Nobody => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whose_a_host_is() {
        let hosts = TenantHosts::below(Some("mint.example.org:8443".parse().unwrap()));
        let north = || Whose::Laboratory("north".parse().unwrap());
        for (host, expected) in [
            ("north.mint.example.org", north()),
            ("North.MINT.example.org:8443", north()),
            ("north.mint.example.org.", north()),
            ("mint.example.org", Whose::Any),
            ("127.0.0.1:8001", Whose::Any),
            ("north.example.org", Whose::Any),
            ("northmint.example.org", Whose::Any),
            ("a.north.mint.example.org", Whose::Nobody),
            ("no_rth.mint.example.org", Whose::Nobody),
            (".mint.example.org", Whose::Nobody),
        ] {
            assert_eq!(hosts.at(host), expected, "{host}");
            assert_eq!(TenantHosts::default().at(host), Whose::Any);
        }
        assert!(north().admits(&"north".parse().unwrap()) && !north().admits(&"south".parse().unwrap()));
        assert!(Whose::Any.admits(&"south".parse().unwrap()) && !Whose::Nobody.admits(&"north".parse().unwrap()));
    }
}
