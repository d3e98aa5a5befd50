//! `mint config`.

use std::process::ExitCode;

use clap::Subcommand;
use serde_json::json;

use crate::{
    config::{NAMES, variable_of},
    output::{Output, table},
};

/// Tells about the configuration.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Lists every setting with its variable
    Names,
}

/// Lists every setting.
pub(super) fn run(command: &Command, output: Output) -> anyhow::Result<ExitCode> {
    match command {
        Command::Names => {
            let names: Vec<_> = NAMES
                .iter()
                .map(|(name, _, meaning)| json!({ "name": name, "variable": variable_of(name), "meaning": meaning }))
                .collect();
            output.print(&names, |_| {
                let rows: Vec<_> = NAMES
                    .iter()
                    .map(|(name, _, meaning)| vec![(*name).to_owned(), variable_of(name), (*meaning).to_owned()])
                    .collect();
                table(&rows)
            })?;
            Ok(ExitCode::SUCCESS)
        }
    }
}
