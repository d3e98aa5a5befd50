//! Keys of experiment files.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// A relative POSIX path of at most 512 bytes: no leading `/`, no backslash, no control characters, no empty, `.` or
/// `..` segment. The platform never makes a file name of it; it is a name in the database.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ObjectKey(String);

/// Why a text is not an object key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not an object key: use a relative path without empty, `.` or `..` segments, backslashes or control characters, up to 512 bytes"
)]
pub struct InvalidObjectKey(String);

impl ObjectKey {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The last segment.
    pub fn filename(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or(&self.0)
    }
}

impl FromStr for ObjectKey {
    type Err = InvalidObjectKey;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bad_char = |c: char| c == '\\' || c.is_control();
        let bad_segment = |s: &str| matches!(s, "" | "." | "..");
        if text.len() > 512 || text.chars().any(bad_char) || text.split('/').any(bad_segment) {
            return Err(InvalidObjectKey(text.chars().take(80).collect()));
        }
        Ok(Self(text.to_owned()))
    }
}

impl TryFrom<String> for ObjectKey {
    type Error = InvalidObjectKey;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<ObjectKey> for String {
    fn from(key: ObjectKey) -> Self {
        key.0
    }
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_stay_where_they_are() {
        for good in ["run.mzML", "a/b/c.txt", "ä.csv", "a b"] {
            assert!(good.parse::<ObjectKey>().is_ok(), "{good}");
        }
        for bad in ["", "/a", "a/", "a//b", "a/../b", ".", "a\\b", "a\0b", &"x".repeat(513)] {
            assert!(bad.parse::<ObjectKey>().is_err(), "{bad:?}");
        }
    }
}
