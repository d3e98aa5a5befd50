//! Who wants which versions of what.

use pep440_rs::VersionSpecifiers;
use serde::{Deserialize, Serialize};

use super::VersionSet;

/// Python itself among the packages. Names in the form of PEP 503 have no capitals.
pub const PYTHON: &str = "Python";

/// One wish.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Want {
    /// Package, in the form of PEP 503, or [`PYTHON`].
    pub package: String,
    /// Which versions, as PEP 440 writes it; empty for any.
    pub versions: VersionSpecifiers,
    /// Who wants it, for people: a distribution with its version, the bundle's lock, the platform.
    pub by: String,
    /// Whether it is a choice of one version rather than a need.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub pinned: bool,
}

impl Want {
    /// The versions that would do.
    pub fn set(&self) -> VersionSet {
        VersionSet::of(&self.versions)
    }
}
