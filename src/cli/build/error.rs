use std::{io, path::PathBuf};

use mint_subprocess::component::RecipeError;

/// Why a bundle was not built. The text names the cause and what to do.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// A file could not be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file of the project is wrong.
    #[error("{}: {message}", path.display())]
    Project {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it, with the line where there is one.
        message: String,
    },
    /// The directory is no guest project.
    #[error(
        "{} has no Cargo.toml, pyproject.toml or package.json beside its mint.toml, and mint.toml names no `executable` \
         under [build]: add one of them",
        .0.display()
    )]
    UnknownLanguage(PathBuf),
    /// A program that the build needs is not installed.
    #[error("`{tool}` is needed and was not found: {hint}")]
    ToolMissing {
        /// The program.
        tool: String,
        /// How to install it.
        hint: &'static str,
    },
    /// A program of the build failed.
    #[error("{step} failed ({tool}, {status}):\n{output}")]
    ToolFailed {
        /// What was being done.
        step: String,
        /// The program.
        tool: String,
        /// How it ended.
        status: std::process::ExitStatus,
        /// The last lines that it wrote.
        output: String,
    },
    /// The Rust toolchain cannot build components.
    #[error(
        "the Rust toolchain has no standard library for wasm32-wasip2: run `rustup target add wasm32-wasip2`, or set RUSTC to \
         a compiler that has it"
    )]
    NoWasmTarget,
    /// A Python dependency that cannot be part of a component.
    #[error(
        "`{0}` has native code, which a component cannot carry: set `outputs = [\"wheels\"]` under [build] in mint.toml, so \
         that the plugin runs isolated, or do without it"
    )]
    NativeDependency(String),
    /// The SDK for the guest's language was not found.
    #[error(
        "the SDK for {language} was not found: give --sdk-dir, or set MINT_SDK_DIR, to the directory `guests/sdk` of MINT's \
         source (looked for {})",
        looked_for.display()
    )]
    SdkMissing {
        /// For which language.
        language: &'static str,
        /// What was tried.
        looked_for: PathBuf,
    },
    /// The code imports what the manifest does not ask for.
    #[error(
        "the code imports `{import}`, but mint.toml declares no capability that unlocks it: add the capability under \
         [[capabilities]] or drop the import"
    )]
    ImportNotDeclared {
        /// The interface, with its version.
        import: String,
    },
    /// The tool's answer was not understood.
    #[error("{step}: unexpected output of `{tool}`: {message}")]
    ToolOutput {
        /// What was being done.
        step: String,
        /// The program.
        tool: String,
        /// What was wrong.
        message: String,
    },
    /// The component could not be prepared.
    #[error(transparent)]
    Component(RecipeError),
    /// The bundle could not be put together.
    #[error(transparent)]
    Bundle(#[from] mint_bundle::Error),
}

impl From<RecipeError> for BuildError {
    fn from(error: RecipeError) -> Self {
        match error {
            RecipeError::File { path, source } => Self::File { path, source },
            RecipeError::Native(package) => Self::NativeDependency(package),
            other => Self::Component(other),
        }
    }
}

impl BuildError {
    /// For `map_err`, to say which file it was.
    pub(super) fn at(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { path, source }
    }

    pub(super) fn project(path: impl Into<PathBuf>, message: impl Into<String>) -> Self {
        Self::Project { path: path.into(), message: message.into() }
    }
}
