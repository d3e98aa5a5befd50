//! `mint build`.

use std::{path::PathBuf, process::ExitCode};

use serde_json::json;

use crate::{
    build::{self, BuildOptions},
    output::Output,
};

/// What to build, and how.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Directory with mint.toml
    #[arg(default_value = ".")]
    directory: PathBuf,

    #[command(flatten)]
    options: BuildOptions,
}

/// Builds a guest's directory into a bundle.
pub(super) fn run(arguments: Arguments, output: Output) -> anyhow::Result<ExitCode> {
    let mut options = arguments.options;
    options.quiet |= output.json;
    let built = build::build(&arguments.directory, &options)?;
    output.print(&json!({ "path": built.path, "digest": built.digest }), |_| {
        format!("{}\n{}", built.path.display(), built.digest)
    })?;
    Ok(ExitCode::SUCCESS)
}
