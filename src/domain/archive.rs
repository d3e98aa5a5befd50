//! Names of what a plugin left behind when it was removed.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::Slug;

/// What the name of every archive begins with. No slug has an underscore, so that none is taken for a plugin's own.
const PREFIX: &str = "archived_";
/// Year to milliseconds, in UTC.
const STAMP_DIGITS: usize = 17;

/// `archived_<timestamp>_<slug>`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ArchiveName {
    stamp: String,
    plugin: Slug,
}

/// Why a text is not such a name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not the name of an archive: `mint plugin archives` lists them")]
pub struct InvalidArchiveName(String);

impl ArchiveName {
    /// The name for what `plugin` leaves behind at an instant.
    pub fn new(plugin: Slug, at: OffsetDateTime) -> Self {
        let at = at.to_offset(time::UtcOffset::UTC);
        let (date, (hour, minute, second, millisecond)) = (at.date(), at.time().as_hms_milli());
        let day = format!("{:04}{:02}{:02}", date.year(), u8::from(date.month()), date.day());
        Self { stamp: format!("{day}{hour:02}{minute:02}{second:02}{millisecond:03}"), plugin }
    }

    /// When, as digits.
    pub fn stamp(&self) -> &str {
        &self.stamp
    }

    /// Whose it was.
    pub fn plugin(&self) -> &Slug {
        &self.plugin
    }
}

impl FromStr for ArchiveName {
    type Err = InvalidArchiveName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts = text.strip_prefix(PREFIX).and_then(|rest| rest.split_once('_'));
        let is_stamp = |stamp: &str| stamp.len() == STAMP_DIGITS && stamp.bytes().all(|byte| byte.is_ascii_digit());
        let named = parts.filter(|(stamp, _)| is_stamp(stamp)).and_then(|(stamp, plugin)| Some((stamp, plugin.parse().ok()?)));
        let (stamp, plugin) = named.ok_or_else(|| InvalidArchiveName(text.chars().take(80).collect()))?;
        Ok(Self { stamp: stamp.to_owned(), plugin })
    }
}

impl TryFrom<String> for ArchiveName {
    type Error = InvalidArchiveName;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<ArchiveName> for String {
    fn from(name: ArchiveName) -> Self {
        name.to_string()
    }
}

impl fmt::Display for ArchiveName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}_{}", self.stamp, self.plugin)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written() {
        let at = OffsetDateTime::from_unix_timestamp_nanos(1_700_000_000_123_000_000).unwrap();
        let name = ArchiveName::new("peak-picking".parse().unwrap(), at);
        assert_eq!(name.to_string(), "archived_20231114221320123_peak-picking");
        assert_eq!(name.to_string().parse(), Ok(name));
    }

    #[test]
    fn nothing_else_is_one() {
        for text in ["", "archived_", "archived_1_x", "archived_20231114221320123_", "archived_20231114221320123_../x", "hello"] {
            assert!(text.parse::<ArchiveName>().is_err(), "{text}");
        }
    }
}
