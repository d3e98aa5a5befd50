//! A release's claim of a part of the URL space.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// `/` and one or more segments of lower-case letters, digits and hyphens; public URLs begin with `/api` and then this.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Prefix(String);

/// First segments of the platform's own API, which no plugin may claim.
pub const RESERVED: &[&str] = &[
    "admin",
    "archives",
    "auth",
    "calendar",
    "docs",
    "experiments",
    "filesystem",
    "health",
    "installations",
    "instruments",
    "internal",
    "jobs",
    "marketplace",
    "notifications",
    "oauth",
    "objects",
    "openapi",
    "operations",
    "passkey",
    "platform",
    "plugins",
    "projects",
    "roles",
    "sessions",
    "setup",
    "tenants",
    "tokens",
    "updates",
    "users",
];

/// Why a text is not a prefix.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPrefix {
    /// Characters or form.
    #[error("`{0}` is not a route prefix: use `/` and segments of lower-case letters, digits, `-` and `_`")]
    Form(String),
    /// The platform's own.
    #[error("`/{0}` belongs to the platform; choose another routes_prefix")]
    Reserved(String),
}

impl Prefix {
    /// Longest prefix, in bytes.
    pub const LENGTH_MAX: usize = 200;

    /// The prefix without `/api`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The public path: `/api` and the prefix.
    pub fn public(&self) -> String {
        format!("/api{}", self.0)
    }
}

impl FromStr for Prefix {
    type Err = InvalidPrefix;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let malformed = || InvalidPrefix::Form(text.chars().take(80).collect());
        let rest = text.strip_prefix('/').ok_or_else(malformed)?;
        let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_');
        if text.len() > Self::LENGTH_MAX || rest.split('/').any(|segment| segment.is_empty() || !segment.bytes().all(fits)) {
            return Err(malformed());
        }
        match rest.split('/').next() {
            Some(first) if RESERVED.contains(&first) => Err(InvalidPrefix::Reserved(first.to_owned())),
            _ => Ok(Self(text.to_owned())),
        }
    }
}

impl TryFrom<String> for Prefix {
    type Error = InvalidPrefix;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Prefix> for String {
    fn from(prefix: Prefix) -> Self {
        prefix.0
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plugin_cannot_claim_the_platform_or_hide_in_escapes() {
        for good in ["/hello", "/lab/peaks-2", "/peak_picking"] {
            assert!(good.parse::<Prefix>().is_ok(), "{good}");
        }
        for bad in ["", "/", "hello", "/a/", "//a", "/a//b", "/..", "/a%2f", "/A", "/experiments", "/internal/x", "/a b"] {
            assert!(bad.parse::<Prefix>().is_err(), "{bad}");
        }
    }
}
