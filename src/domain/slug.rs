//! Slugs: the names of plugins and tenants in URLs, paths and log fields.

use std::{fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Serialize};

/// One to 63 characters: a lower-case letter, then lower-case letters, digits and single hyphens.
///
/// A slug can stand in a path, a URL, an environment variable or a database name without escaping.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Slug(Arc<str>);

/// Why a text is not a slug.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a slug: use 1 to 63 lower-case letters, digits and single hyphens, beginning with a letter")]
pub struct InvalidSlug(String);

impl Slug {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The form that MINT puts into environment variables: upper case, hyphens as underscores.
    pub fn environment_name(&self) -> String {
        self.0.to_uppercase().replace('-', "_")
    }
}

impl FromStr for Slug {
    type Err = InvalidSlug;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let starts = text.bytes().next().is_some_and(|b| b.is_ascii_lowercase());
        let inside = text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if starts && inside && text.len() <= 63 && !text.ends_with('-') && !text.contains("--") {
            Ok(Self(text.into()))
        } else {
            Err(InvalidSlug(text.chars().take(80).collect()))
        }
    }
}

impl TryFrom<String> for Slug {
    type Error = InvalidSlug;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Slug> for String {
    fn from(slug: Slug) -> Self {
        slug.0.as_ref().to_owned()
    }
}

impl fmt::Display for Slug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slugs_are_what_a_path_and_a_url_can_hold() {
        for good in ["a", "peak-picking", "x1", &"a".repeat(63)] {
            assert!(good.parse::<Slug>().is_ok(), "{good}");
        }
        for bad in ["", "-a", "a-", "a--b", "A", "1a", "a_b", "a/b", "..", "ä", "a b", &"a".repeat(64)] {
            assert!(bad.parse::<Slug>().is_err(), "{bad}");
        }
    }

    #[test]
    fn environment_name_is_mints() {
        assert_eq!("my-plugin".parse::<Slug>().unwrap().environment_name(), "MY_PLUGIN");
    }
}
