//! What a plugin may ask for. One file per kind that has rules of its own.
//!
//! The text form is the one that an author writes into the manifest and an administrator types: `experiments:read`,
//! `http:api.example.org:443`, `results:read-others:peak-picking`.

mod http;

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

pub use http::HttpTarget;

use crate::{InstrumentId, Slug};

/// One capability.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Capability {
    /// Read projects.
    ProjectsRead,
    /// Read experiments and designs.
    ExperimentsRead,
    /// Create, change and delete experiments.
    ExperimentsWrite,
    /// Save design data.
    DesignsWrite,
    /// Save results.
    ResultsWrite,
    /// Read the results of another plugin.
    ResultsReadOthers(Slug),
    /// Replace file results of another plugin that it may also read.
    ResultsWriteOthers(Slug),
    /// Read the directory of instruments.
    InstrumentsRead,
    /// Add and change instruments.
    InstrumentsWrite,
    /// Report how one instrument is doing.
    InstrumentsReport(InstrumentId),
    /// Read and write files of experiments.
    Objects,
    /// Tables of its own.
    Database,
    /// Work that goes on when the request has ended.
    Jobs,
    /// Change its own settings.
    SettingsWrite,
    /// Look up users.
    UsersRead,
    /// Two directories of its own: `/artifacts` and `/cache`.
    Files,
    /// Outbound HTTP to one host.
    Http(HttpTarget),
}

/// Why a text is not a capability.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown capability `{text}`: {expected}")]
pub struct InvalidCapability {
    text: String,
    expected: &'static str,
}

const PLAIN: &[(&str, Capability)] = &[
    ("projects:read", Capability::ProjectsRead),
    ("experiments:read", Capability::ExperimentsRead),
    ("experiments:write", Capability::ExperimentsWrite),
    ("designs:write", Capability::DesignsWrite),
    ("results:write", Capability::ResultsWrite),
    ("objects", Capability::Objects),
    ("database", Capability::Database),
    ("jobs", Capability::Jobs),
    ("settings:write", Capability::SettingsWrite),
    ("users:read", Capability::UsersRead),
    ("files", Capability::Files),
    ("instruments:read", Capability::InstrumentsRead),
    ("instruments:write", Capability::InstrumentsWrite),
];

impl Capability {
    /// Whether a grant of `self` lets the plugin do what `wanted` names. Writing implies reading.
    pub fn allows(&self, wanted: &Capability) -> bool {
        match (self, wanted) {
            (Self::ExperimentsWrite, Self::ExperimentsRead) | (Self::InstrumentsWrite, Self::InstrumentsRead) => true,
            (Self::Http(granted), Self::Http(target)) => granted.allows(target),
            (granted, wanted) => granted == wanted,
        }
    }

    /// All that have a name of their own, without a target.
    pub fn plain() -> impl Iterator<Item = Self> {
        PLAIN.iter().map(|(_, capability)| capability.clone())
    }

    /// The interfaces of `mint:platform` that this capability unlocks.
    pub fn interfaces(&self) -> &'static [&'static str] {
        match self {
            Self::ProjectsRead => &["projects"],
            Self::ExperimentsRead => &["experiments", "designs", "results"],
            Self::ExperimentsWrite => &["experiments", "designs", "results"],
            Self::DesignsWrite => &["designs"],
            Self::ResultsWrite | Self::ResultsReadOthers(_) | Self::ResultsWriteOthers(_) => &["results"],
            Self::Objects => &["objects"],
            Self::Database => &["database", "migration-ops"],
            Self::Jobs => &["jobs"],
            Self::SettingsWrite | Self::UsersRead | Self::Files | Self::Http(_) => &[],
            Self::InstrumentsRead | Self::InstrumentsWrite | Self::InstrumentsReport(_) => &[],
        }
    }
}

impl fmt::Display for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ResultsReadOthers(slug) => write!(f, "results:read-others:{slug}"),
            Self::ResultsWriteOthers(slug) => write!(f, "results:write-others:{slug}"),
            Self::InstrumentsReport(id) => write!(f, "instruments:report:{id}"),
            Self::Http(target) => write!(f, "http:{target}"),
            plain => {
                let name = PLAIN.iter().find(|(_, capability)| capability == plain).map_or("", |(name, _)| name);
                f.write_str(name)
            }
        }
    }
}

impl FromStr for Capability {
    type Err = InvalidCapability;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = |expected| InvalidCapability { text: text.chars().take(120).collect(), expected };
        if let Some((_, capability)) = PLAIN.iter().find(|(name, _)| *name == text) {
            return Ok(capability.clone());
        }
        if let Some(slug) = text.strip_prefix("results:read-others:") {
            return slug.parse().map(Self::ResultsReadOthers).map_err(|_| invalid("use `results:read-others:<plugin slug>`"));
        }
        if let Some(slug) = text.strip_prefix("results:write-others:") {
            return slug.parse().map(Self::ResultsWriteOthers).map_err(|_| invalid("use `results:write-others:<plugin slug>`"));
        }
        if let Some(id) = text.strip_prefix("instruments:report:") {
            return id
                .parse()
                .map(Self::InstrumentsReport)
                .map_err(|_| invalid("use `instruments:report:<the instrument's UUID>`"));
        }
        if let Some(target) = text.strip_prefix("http:") {
            return target.parse().map(Self::Http).map_err(|_| invalid("use `http:<host>` or `http:<host>:<port>`"));
        }
        Err(invalid(
            "known are projects:read, experiments:read, experiments:write, designs:write, results:write, \
             results:read-others:<slug>, results:write-others:<slug>, objects, database, jobs, settings:write, users:read, files, \
             instruments:read, instruments:write, instruments:report:<uuid> and http:<host>[:port]",
        ))
    }
}

impl TryFrom<String> for Capability {
    type Error = InvalidCapability;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Capability> for String {
    fn from(capability: Capability) -> Self {
        capability.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_round_trips() {
        for text in PLAIN.iter().map(|(name, _)| *name).chain([
            "results:read-others:x",
            "results:write-others:x",
            "instruments:report:6f9619ff-8b86-4d01-b42d-00cf4fc964ff",
            "http:a.example",
            "http:a.example:8443",
        ]) {
            assert_eq!(text.parse::<Capability>().unwrap().to_string(), text);
        }
        for bad in
            ["", "experiment:read", "results:read-others:", "instruments:report:1", "http:", "http:a:b", "http:a b", "files "]
        {
            assert!(bad.parse::<Capability>().is_err(), "{bad}");
        }
    }

    #[test]
    fn write_implies_read_and_not_the_reverse() {
        assert!(Capability::ExperimentsWrite.allows(&Capability::ExperimentsRead));
        assert!(!Capability::ExperimentsRead.allows(&Capability::ExperimentsWrite));
        assert!(!Capability::Objects.allows(&Capability::Files));
    }
}
