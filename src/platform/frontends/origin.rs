//! Where front-ends stand: `<plugin>--<tenant>` below one domain. No slug has two hyphens beside each other, so a name can
//! be read in one way only. Pure functions.

use std::str::FromStr;

use mint_domain::Slug;
use url::Url;

/// Longest part of a host's name between two dots.
const LABEL_BYTES_MAX: usize = 63;
/// Longest domain, so that with a label before it a name is still one.
const DOMAIN_BYTES_MAX: usize = 189;
/// What stands between the slugs.
const BETWEEN: &str = "--";
/// Browsers resolve every name below it to this machine.
const LOCALHOST: &str = "localhost";

/// Where the origins of plugins are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Origins {
    /// Nowhere: there are no front-ends.
    #[default]
    Off,
    /// `http://<plugin>--<tenant>.localhost`, at the port at which the platform was asked, for people at this machine.
    Loopback,
    /// `https://<plugin>--<tenant>.<domain>`.
    Domain(PluginDomain),
}

/// A domain whose every sub-domain leads here, with a certificate.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(try_from = "String")]
pub struct PluginDomain {
    host: String,
    port: Option<u16>,
}

/// Why a text is not such a domain.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a domain: write it like `plugins.example.org`, with a port if it is not 443")]
pub struct InvalidDomain(String);

/// Whose origin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OriginName {
    /// Slug of the plugin.
    pub plugin: Slug,
    /// Slug of the tenant.
    pub tenant: Slug,
}

/// Who is to answer a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    /// The platform.
    Platform,
    /// A plugin's front-end, and what belongs to it.
    Frontend(OriginName),
    /// Nobody: it looks like a plugin's origin, and is none.
    Nobody,
}

impl Origins {
    /// Who is to answer at a host, as a client names it, with or without a port.
    pub fn asked(&self, host: &str) -> Asked {
        // No origin of a plugin is without them, and most requests are for the platform.
        if !host.contains(BETWEEN) {
            return Asked::Platform;
        }
        let domain = match self {
            Self::Off => return Asked::Platform,
            Self::Loopback => LOCALHOST,
            Self::Domain(domain) => &domain.host,
        };
        let host = host.to_ascii_lowercase();
        let (name, _port) = split(&host);
        let below = |name: &str| name.strip_suffix(domain).and_then(|rest| rest.strip_suffix('.')).map(str::to_owned);
        if let Some(label) = below(name) {
            return OriginName::parse(&label).map_or(Asked::Nobody, Asked::Frontend);
        }
        // The same name to a resolver, another one to a browser's cookies.
        if below(name.trim_end_matches('.')).is_some() { Asked::Nobody } else { Asked::Platform }
    }

    /// The origin of a plugin for somebody who reached the platform at `host`; none where it has none.
    pub fn of(&self, name: &OriginName, host: &str) -> Option<String> {
        let label = name.label()?;
        match self {
            Self::Off => None,
            Self::Loopback => {
                let (name, port) = split(host);
                let is_below = || {
                    name.to_ascii_lowercase().strip_suffix(LOCALHOST).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
                };
                let is_here = matches!(name, "127.0.0.1" | "[::1]") || is_below();
                is_here.then(|| with_port(format!("http://{label}.{LOCALHOST}"), port))
            }
            Self::Domain(domain) => Some(with_port(format!("https://{label}.{}", domain.host), domain.port)),
        }
    }

    /// The platform's own origin for somebody who reached it at `host`; none where that is no plain name.
    pub fn of_platform(&self, host: &str) -> Option<String> {
        let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b':' | b'[' | b']');
        let scheme = if self.is_secure() { "https" } else { "http" };
        (!host.is_empty() && host.bytes().all(fits)).then(|| format!("{scheme}://{}", host.to_ascii_lowercase()))
    }

    /// Whether browsers reach them by https.
    pub fn is_secure(&self) -> bool {
        matches!(self, Self::Domain(_))
    }
}

impl OriginName {
    fn parse(label: &str) -> Option<Self> {
        let (plugin, tenant) = label.split_once(BETWEEN)?;
        let name = Self { plugin: plugin.parse().ok()?, tenant: tenant.parse().ok()? };
        name.label().is_some().then_some(name)
    }

    /// None where that would be too long, or mean something else to browsers.
    fn label(&self) -> Option<String> {
        let label = format!("{}{BETWEEN}{}", self.plugin, self.tenant);
        (label.len() <= LABEL_BYTES_MAX && self.plugin.as_str() != "xn").then_some(label)
    }
}

impl PluginDomain {
    /// Its name, without the port.
    pub(super) fn host(&self) -> &str {
        &self.host
    }

    /// The address of a host below it; none where there can be none of that name.
    pub(super) fn below(&self, label: &str) -> Option<Url> {
        with_port(format!("https://{label}.{}", self.host), self.port).parse().ok()
    }
}

impl FromStr for PluginDomain {
    type Err = InvalidDomain;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let host = text.to_ascii_lowercase();
        let (name, port) = split(&host);
        let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        let is_label = |label: &str| {
            let inside = !label.starts_with('-') && !label.ends_with('-');
            (1..=LABEL_BYTES_MAX).contains(&label.len()) && inside && label.bytes().all(fits)
        };
        if name.len() <= DOMAIN_BYTES_MAX && name.split('.').all(is_label) {
            Ok(Self { host: name.to_owned(), port })
        } else {
            Err(InvalidDomain(text.chars().take(80).collect()))
        }
    }
}

impl TryFrom<String> for PluginDomain {
    type Error = InvalidDomain;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

/// A host's name and port. What is no port stays with the name, which is none then.
pub(super) fn split(host: &str) -> (&str, Option<u16>) {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => match port.parse() {
            Ok(port) => (name, Some(port)),
            Err(_) => (host, None),
        },
        _ => (host, None),
    }
}

fn with_port(origin: String, port: Option<u16>) -> String {
    match port {
        Some(port) => format!("{origin}:{port}"),
        None => origin,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn domain() -> Origins {
        Origins::Domain("plugins.example.org".parse().unwrap())
    }

    fn name(plugin: &str, tenant: &str) -> OriginName {
        OriginName { plugin: plugin.parse().unwrap(), tenant: tenant.parse().unwrap() }
    }

    #[test]
    fn who_answers_at_a_host() {
        let hello = || Asked::Frontend(name("hello", "default"));
        for (origins, host, expected) in [
            (Origins::Loopback, "hello--default.localhost:8001", hello()),
            (Origins::Loopback, "Hello--DEFAULT.localhost", hello()),
            (Origins::Loopback, "127.0.0.1:8001", Asked::Platform),
            (Origins::Loopback, "localhost:8001", Asked::Platform),
            (Origins::Loopback, "hello.localhost:8001", Asked::Platform),
            (Origins::Loopback, "hello--default.localhost.:8001", Asked::Nobody),
            (Origins::Loopback, "hello--default--x.localhost", Asked::Nobody),
            (Origins::Loopback, "a.hello--default.localhost", Asked::Nobody),
            (Origins::Loopback, "hello--.localhost", Asked::Nobody),
            (Origins::Loopback, "--default.localhost", Asked::Nobody),
            (Origins::Loopback, "hel_lo--default.localhost", Asked::Nobody),
            (Origins::Loopback, "xn--default.localhost", Asked::Nobody),
            (Origins::Loopback, "hello--default.example.org", Asked::Platform),
            (Origins::Loopback, "hello--default.notlocalhost", Asked::Platform),
            (domain(), "hello--default.plugins.example.org", hello()),
            (domain(), "hello--default.plugins.example.org:8443", hello()),
            (domain(), "mint.example.org", Asked::Platform),
            (domain(), "hello--default.localhost", Asked::Platform),
            (domain(), "hello--default.evil-plugins.example.org", Asked::Platform),
            (Origins::Off, "hello--default.localhost", Asked::Platform),
        ] {
            assert_eq!(origins.asked(host), expected, "{origins:?} {host}");
        }
    }

    #[test]
    fn where_a_front_end_stands() {
        let hello = name("hello", "default");
        for (origins, host, expected) in [
            (Origins::Loopback, "127.0.0.1:8001", Some("http://hello--default.localhost:8001")),
            (Origins::Loopback, "[::1]:9000", Some("http://hello--default.localhost:9000")),
            (Origins::Loopback, "localhost", Some("http://hello--default.localhost")),
            (Origins::Loopback, "default.localhost:8001", Some("http://hello--default.localhost:8001")),
            (Origins::Loopback, "mint.example.org", None),
            (Origins::Loopback, "notlocalhost", None),
            (domain(), "mint.example.org", Some("https://hello--default.plugins.example.org")),
            (Origins::Domain("p.example:8443".parse().unwrap()), "x", Some("https://hello--default.p.example:8443")),
            (Origins::Off, "localhost", None),
        ] {
            assert_eq!(origins.of(&hello, host).as_deref(), expected, "{origins:?} {host}");
        }
        let long = "a".repeat(60);
        assert_eq!(domain().of(&name(&long, "default"), "x"), None);
        assert_eq!(domain().of(&name("xn", "default"), "x"), None);
        assert_eq!(domain().of_platform("mint.example.org").as_deref(), Some("https://mint.example.org"));
        assert_eq!(Origins::Loopback.of_platform("127.0.0.1:1").as_deref(), Some("http://127.0.0.1:1"));
        for bad in ["", "a;script-src *", "a b", "a\"", "a/b"] {
            assert_eq!(domain().of_platform(bad), None, "{bad}");
        }
    }

    #[test]
    fn what_is_a_domain() {
        for good in ["x", "plugins.example.org", "Plugins.Example.org:8443"] {
            assert!(good.parse::<PluginDomain>().is_ok(), "{good}");
        }
        for bad in ["", "https://x", "x/", ".x", "x.", "*.x", "-x.org", "x:99999", "x y"] {
            assert!(bad.parse::<PluginDomain>().is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn every_origin_is_read_as_the_plugin_it_is_of(plugin in "[a-z]([a-z0-9]|-[a-z0-9]){0,20}", tenant in "[a-z]([a-z0-9]|-[a-z0-9]){0,20}") {
            let name = name(&plugin, &tenant);
            for origins in [domain(), Origins::Loopback] {
                if let Some(origin) = origins.of(&name, "localhost:1") {
                    prop_assert_eq!(origins.asked(origin.split_once("://").unwrap().1), Asked::Frontend(name.clone()));
                }
            }
        }

        #[test]
        fn no_host_makes_it_panic(host in ".{0,80}") {
            domain().asked(&host);
            Origins::Loopback.asked(&host);
        }
    }
}
