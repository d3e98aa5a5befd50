//! The two modes.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Where a plugin runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// In the server's process, as a component.
    Shared,
    /// As a supervised process of its own.
    Isolated,
}

impl Mode {
    /// The text in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Shared => "shared",
            Self::Isolated => "isolated",
        }
    }

    /// The mode of a text.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Shared, Self::Isolated].into_iter().find(|mode| mode.as_str() == text)
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
