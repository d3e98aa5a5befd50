//! By which addresses browsers reach the platform: as it is set, and not as a request says. Pure functions.

use mint_domain::{Kind, Refusal, Slug};
use url::Url;

use super::{PluginDomain, Whose};

/// The platform's own address, and those of laboratories' hosts.
#[derive(Clone, Debug)]
pub struct PublicAddress {
    common: Option<Url>,
    laboratories: Option<PluginDomain>,
}

/// For what a passkey is good: a domain, and the one page that may show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RelyingParty {
    pub(crate) id: String,
    pub(crate) origin: Url,
}

impl PublicAddress {
    /// The common address, where it is known, and the domain of laboratories.
    pub fn new(common: Option<Url>, laboratories: Option<PluginDomain>) -> Self {
        Self { common, laboratories }
    }

    /// Whether browsers come by https, as far as is known.
    pub fn is_secure(&self) -> bool {
        self.laboratories.is_some() || self.common.as_ref().is_some_and(|url| url.scheme() == "https")
    }

    /// The address at which the people of a laboratory sign in: its own host's, else the common one.
    ///
    /// # Errors
    /// `server.no_address`.
    pub(crate) fn of(&self, tenant: &Slug) -> Result<Url, Refusal> {
        match &self.laboratories {
            Some(domain) => domain.below(tenant.as_str()).ok_or_else(unknown),
            None => self.common.clone().ok_or_else(unknown),
        }
    }

    /// For what passkeys are good that are shown at a host. Pages of plugins may stand below the same domain, so the origin is
    /// always one alone.
    ///
    /// # Errors
    /// `server.no_address`.
    pub(crate) fn relying_party(&self, whose: &Whose) -> Result<RelyingParty, Refusal> {
        let origin = match whose {
            Whose::Laboratory(tenant) => self.of(tenant)?,
            Whose::Any | Whose::Nobody => self.common.clone().ok_or_else(unknown)?,
        };
        let host = origin.host_str().unwrap_or_default();
        let domain = self.laboratories.as_ref().map(PluginDomain::host);
        let is_below = |domain: &&str| host.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
        let id = domain.filter(is_below).unwrap_or(host).to_owned();
        Ok(RelyingParty { id, origin })
    }
}

fn unknown() -> Refusal {
    let message = "The server does not know by which address browsers reach it. Whoever runs it sets `server.externalUrl`.";
    Refusal::new(Kind::Unavailable, "server.no_address", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn for_what_a_passkey_is_good() {
        let slug = |text: &str| text.parse::<Slug>().unwrap();
        let url = |text: &str| Some(text.parse::<Url>().unwrap());
        let domain = || Some("mint.example.org:8443".parse().unwrap());
        let north = || Whose::Laboratory(slug("north"));
        for (common, laboratories, whose, expected) in [
            (url("https://mint.example.org"), None, Whose::Any, Some(("mint.example.org", "https://mint.example.org/"))),
            (url("http://localhost:8001"), None, Whose::Any, Some(("localhost", "http://localhost:8001/"))),
            (
                url("https://mint.example.org:8443"),
                domain(),
                Whose::Any,
                Some(("mint.example.org", "https://mint.example.org:8443/")),
            ),
            (
                url("https://mint.example.org:8443"),
                domain(),
                north(),
                Some(("mint.example.org", "https://north.mint.example.org:8443/")),
            ),
            (
                url("https://elsewhere.example"),
                domain(),
                north(),
                Some(("mint.example.org", "https://north.mint.example.org:8443/")),
            ),
            (url("https://elsewhere.example"), domain(), Whose::Any, Some(("elsewhere.example", "https://elsewhere.example/"))),
            (
                url("https://notmint.example.org"),
                domain(),
                Whose::Any,
                Some(("notmint.example.org", "https://notmint.example.org/")),
            ),
            (None, None, Whose::Any, None),
        ] {
            let address = PublicAddress::new(common, laboratories);
            let party = address.relying_party(&whose).ok();
            let found = party.as_ref().map(|party| (party.id.as_str(), party.origin.as_str()));
            assert_eq!(found, expected, "{address:?} {whose:?}");
        }
    }
}
