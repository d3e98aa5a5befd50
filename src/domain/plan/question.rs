//! Everything that a plan depends on.

use std::collections::BTreeMap;

use pep440_rs::Version;
use serde::{Deserialize, Serialize};

use crate::{
    Manifest, Mode,
    requirement::{PythonParts, Want},
};

/// What the platform has for Python plugins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlatformPython {
    /// The Python inside components.
    pub component: Version,
    /// The packages that components carry, by name in the form of PEP 503.
    pub packages: BTreeMap<String, Version>,
    /// The one Python that plugin processes run on, where an administrator names its version.
    pub process: Option<Version>,
    /// The machine, as `uname -m` says it.
    pub machine: String,
    /// Whether plugins' tables stand in files of SQLite, else in PostgreSQL.
    pub tables_in_files: bool,
}

impl PlatformPython {
    /// The one Python of processes, if its version says more than `3`.
    pub(super) fn process_python(&self) -> Option<&Version> {
        self.process.as_ref().filter(|version| version.release().len() > 1)
    }
}

/// What an installed plugin wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Installed {
    /// Its slug.
    pub slug: String,
    /// What it wants.
    pub wants: Vec<Want>,
}

/// Who forces a mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ForcedBy {
    /// `plugins.forceShared` or `plugins.forceIsolated`.
    Configuration,
    /// Whoever installs.
    Decision,
}

/// Everything that a plan depends on.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// The bundle.
    pub manifest: &'a Manifest,
    /// Its Python part, if it has wheels.
    pub python: Option<&'a PythonParts>,
    /// What the platform has.
    pub platform: &'a PlatformPython,
    /// Why no component is made of the bundle's wheels, whatever they want, in a sentence; none where one can be, as far as
    /// is known.
    pub not_made: Option<&'a str>,
    /// Other installed plugins of the same tenant.
    pub installed: &'a [Installed],
    /// The mode that the configuration forces it into.
    pub configured: Option<Mode>,
    /// The mode that whoever installs it asks for.
    pub decided: Option<Mode>,
}
