//! How long credentials last, and who is believed.

use std::{collections::BTreeMap, net::IpAddr, num::NonZeroU32};

use ipnet::IpNet;
use mint_domain::Slug;
use mint_platform::people::{
    CredentialPolicy,
    external::{IssuerUrl, ProviderOptions, is_here},
};
use secrecy::SecretString;
use serde::Deserialize;
use time::Duration;

/// How long credentials last, and where people sign in.
#[derive(Clone, Debug, Deserialize)]
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
    /// Whether the password alone does not let in who has a passkey; by default where browsers come by https.
    pub require_second_factor: Option<bool>,
    /// Other servers at which people may sign in, by name.
    pub oidc: BTreeMap<Slug, OidcConfig>,
}

/// Another server at which the people of a laboratory may sign in.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OidcConfig {
    /// What people call it.
    name: String,
    /// Its address, as it names itself.
    issuer: Issuer,
    /// How it knows this server.
    client_id: String,
    /// What this server shows it.
    client_secret: Option<SecretString>,
    /// What is asked for.
    #[serde(default = "scopes")]
    scopes: Vec<String>,
    /// The laboratory whose people sign in there.
    laboratory: Slug,
    /// The role of whom nobody knows here.
    newcomers: Option<Newcomers>,
}

/// The address of a server that is asked by https, or by http on this machine.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "String")]
struct Issuer(IssuerUrl);

impl TryFrom<String> for Issuer {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let issuer = IssuerUrl::new(text).map_err(|error| error.to_string())?;
        let is_safe = issuer.url().scheme() == "https" || issuer.url().scheme() == "http" && is_here(issuer.url());
        if is_safe { Ok(Self(issuer)) } else { Err(format!("`{}` must begin with https://", issuer.as_str())) }
    }
}

/// The slug of a role that strangers get.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "String")]
struct Newcomers(String);

impl TryFrom<String> for Newcomers {
    type Error = &'static str;

    fn try_from(role: String) -> Result<Self, &'static str> {
        if role == "admin" { Err("nobody becomes an administrator by signing in elsewhere") } else { Ok(Self(role)) }
    }
}

fn scopes() -> Vec<String> {
    ["profile", "email"].map(str::to_owned).into()
}

impl Default for AuthConfig {
    fn default() -> Self {
        let of = |number| NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN);
        Self {
            session_seconds: of(24 * 60 * 60),
            idle_seconds: of(8 * 60 * 60),
            token_days_max: of(365),
            attempts_per_minute: of(20),
            require_second_factor: None,
            oidc: BTreeMap::new(),
        }
    }
}

impl AuthConfig {
    /// The same for the platform, whose people may come by https.
    pub fn policy(&self, is_secure: bool) -> CredentialPolicy {
        CredentialPolicy {
            session: Duration::seconds(self.session_seconds.get().into()),
            idle: Duration::seconds(self.idle_seconds.get().into()),
            token_days_max: self.token_days_max.get(),
            attempts_per_minute: self.attempts_per_minute.get(),
            passkey_replaces_password: self.require_second_factor.unwrap_or(is_secure),
        }
    }

    /// Other servers at which people may sign in.
    pub fn providers(&self) -> Vec<ProviderOptions> {
        let options = |(id, config): (&Slug, &OidcConfig)| ProviderOptions {
            id: id.clone(),
            name: config.name.clone(),
            tenant: config.laboratory.clone(),
            issuer: config.issuer.0.clone(),
            client_id: config.client_id.clone(),
            client_secret: config.client_secret.clone(),
            scopes: config.scopes.clone(),
            newcomers: config.newcomers.clone().map(|newcomers| newcomers.0),
        };
        self.oidc.iter().map(options).collect()
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
