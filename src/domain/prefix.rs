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
    "replicas",
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

/// Whether a public path begins with a segment that the prefix of a plugin may have: none of the platform's own routes does.
pub fn is_open_to_plugins(path: &str) -> bool {
    let first = path.strip_prefix("/api/").and_then(|rest| rest.split('/').next());
    first.is_some_and(|first| is_segment(first) && !RESERVED.contains(&first))
}

fn is_segment(text: &str) -> bool {
    let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_');
    !text.is_empty() && text.bytes().all(fits)
}

impl FromStr for Prefix {
    type Err = InvalidPrefix;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let malformed = || InvalidPrefix::Form(text.chars().take(80).collect());
        let rest = text.strip_prefix('/').ok_or_else(malformed)?;
        if text.len() > Self::LENGTH_MAX || !rest.split('/').all(is_segment) {
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

    #[test]
    fn the_segments_that_plugins_can_have() {
        for open in ["/api/hello", "/api/hello/a?", "/api/peak_picking/%2f"] {
            assert!(is_open_to_plugins(open), "{open}");
        }
        for closed in
            ["/api", "/api/", "/api//a", "/api/experiments", "/api/users/1", "/api/openapi.json", "/api/A", "/hello", ""]
        {
            assert!(!is_open_to_plugins(closed), "{closed}");
        }
    }
}
