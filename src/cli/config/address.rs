//! By which addresses browsers reach the server.

use std::net::SocketAddr;

use mint_platform::frontends::PublicAddress;
use serde::Deserialize;
use url::Url;

use super::Config;

/// The address of a server, without a path.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "String")]
pub struct ExternalUrl(pub Url);

impl TryFrom<String> for ExternalUrl {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let url = text.parse::<Url>().ok().filter(|url| {
            let is_plain = url.path() == "/" && url.query().is_none() && url.fragment().is_none() && url.username().is_empty();
            matches!(url.scheme(), "http" | "https") && url.has_host() && is_plain
        });
        url.map(Self).ok_or_else(|| format!("`{text}` is not an address such as https://mint.example.org, without a path"))
    }
}

impl Config {
    /// By which addresses browsers reach a server that listens here.
    pub fn public_address(&self, listens: SocketAddr) -> PublicAddress {
        // Browsers give no passkeys to a number.
        let here = || listens.ip().is_loopback().then(|| format!("http://localhost:{}", listens.port()).parse().ok()).flatten();
        let common = self.server.external_url.clone().map_or_else(here, |url| Some(url.0));
        PublicAddress::new(common, self.server.tenant_domain.clone())
    }
}
