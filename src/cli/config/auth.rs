//! How long credentials last, and who is believed.

use std::{net::IpAddr, num::NonZeroU32};

use ipnet::IpNet;
use mint_platform::people::CredentialPolicy;
use serde::Deserialize;
use time::Duration;

/// How long credentials last.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct AuthConfig {
    /// Seconds that a session lasts.
    pub session_seconds: NonZeroU32,
    /// Seconds that a session lasts which nobody uses.
    pub idle_seconds: NonZeroU32,
    /// Days that an access token lasts at the longest.
    pub token_days_max: NonZeroU32,
    /// How often one address may try a password in a minute.
    pub attempts_per_minute: NonZeroU32,
}

impl Default for AuthConfig {
    fn default() -> Self {
        let of = |number| NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN);
        Self {
            session_seconds: of(24 * 60 * 60),
            idle_seconds: of(8 * 60 * 60),
            token_days_max: of(365),
            attempts_per_minute: of(20),
        }
    }
}

impl AuthConfig {
    /// The same for the platform.
    pub fn policy(&self) -> CredentialPolicy {
        CredentialPolicy {
            session: Duration::seconds(self.session_seconds.get().into()),
            idle: Duration::seconds(self.idle_seconds.get().into()),
            token_days_max: self.token_days_max.get(),
            attempts_per_minute: self.attempts_per_minute.get(),
        }
    }
}

/// A network, or a single address.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "String")]
pub struct Network(pub IpNet);

impl TryFrom<String> for Network {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let address = || text.parse::<IpAddr>().map(IpNet::from);
        let network = text.parse::<IpNet>().or_else(|_| address());
        network.map(Self).map_err(|_| format!("`{text}` is not a network such as 10.0.0.0/8"))
    }
}
