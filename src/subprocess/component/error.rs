use std::{io, path::PathBuf};

/// Why code cannot be prepared to become a component.
#[derive(Debug, thiserror::Error)]
pub enum RecipeError {
    /// A file could not be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It does not name a class.
    #[error("`{0}` is not of the form `module:Class`")]
    Entry(String),
    /// A package that cannot be part of a component.
    #[error("`{0}` has native code, which a component cannot carry")]
    Native(String),
    /// What looked for late imports left something else than a list of names.
    #[error("the late imports cannot be read: {0}")]
    LateImports(serde_json::Error),
}

impl RecipeError {
    /// For `map_err`, to say which file it was.
    pub(super) fn at(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { path, source }
    }
}
