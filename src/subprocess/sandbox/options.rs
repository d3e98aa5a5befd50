//! What the configuration decides about the sandbox.

use std::path::PathBuf;

use serde::{Deserialize, Deserializer, de::Error as _};

use super::Control;

/// Decisions of an administrator.
#[derive(Clone, Debug, Default)]
pub struct SandboxOptions {
    /// Without one of these a plugin is not started.
    pub require: Vec<Control>,
    /// Files and directories that every plugin may read and run, besides the system's own.
    pub readable: Vec<PathBuf>,
    /// Directories that no plugin may open but for its own part of them: the platform's data.
    pub private: Vec<PathBuf>,
    /// User ids to give to plugins.
    pub users: Option<UserRange>,
    /// Processors that one plugin may use at once; none: all.
    pub cpus: Option<u32>,
}

/// User ids `first-last`, both inclusive, which nothing else on the machine uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UserRange {
    /// The first.
    pub first: u32,
    /// The last.
    pub last: u32,
}

impl<'de> Deserialize<'de> for UserRange {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let ends = text.split_once('-').and_then(|(first, last)| Some((first.trim().parse().ok()?, last.trim().parse().ok()?)));
        match ends {
            // -1 means "unchanged" to the kernel, and those below 1000 are the system's.
            Some((first, last)) if 1_000 <= first && first < last && last < u32::MAX => Ok(Self { first, last }),
            _ => Err(D::Error::custom("must be `<first>-<last>` of user ids from 1000 on, such as `200000-265535`")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_of_users() {
        let read = |text: &str| serde_json::from_value::<UserRange>(text.into()).ok();
        assert_eq!(read("200000-265535"), Some(UserRange { first: 200_000, last: 265_535 }));
        for bad in ["", "7", "0-9", "2000-1000", "5000-4294967295", "a-b"] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }
}
