//! Why a bundle is refused, or cannot be written.

use std::{io, path::PathBuf};

/// The result of every function of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What is wrong with a bundle.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Not a zip file, or a broken one.
    #[error("not a readable zip file: {0}")]
    Zip(#[from] zip::result::ZipError),
    /// A zip file that could be read in two ways, or that hides something.
    #[error("the zip file is not put together as a bundle is: {0}")]
    Layout(String),
    /// An entry whose name could leave the target, or be taken for another.
    #[error("entry `{name}`: {why}")]
    Name {
        /// The name, escaped.
        name: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// Larger than allowed.
    #[error("{what} is larger than {max} {unit}")]
    TooLarge {
        /// What is.
        what: String,
        /// The bound.
        max: u64,
        /// Of what.
        unit: &'static str,
    },
    /// No `manifest.json`.
    #[error("there is no manifest.json in it; was it made by `mint build`?")]
    NoManifest,
    /// A manifest that cannot be.
    #[error(transparent)]
    Manifest(#[from] mint_domain::manifest::InvalidManifest),
    /// An entry that is not what the manifest says.
    #[error("entry `{0}` does not have the SHA-256 that the manifest gives: the bundle was altered or damaged")]
    Altered(String),
    /// An entry that the manifest names and the zip file lacks, or the other way round.
    #[error("entry `{0}` is {1}")]
    Mismatch(String, &'static str),
    /// A wheel that does not say what it is.
    #[error("the wheel `{entry}` cannot be used: {why}")]
    Wheel {
        /// Its entry.
        entry: String,
        /// What is wrong with it.
        why: String,
    },
    /// Reading or writing a file failed.
    #[error("{path}: {source}")]
    Io {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl Error {
    /// Names the file that an operation failed on.
    pub(crate) fn io(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { path, source }
    }
}
