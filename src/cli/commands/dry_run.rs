//! Asking what a change would do, and printing it.

use std::process::ExitCode;

use reqwest::RequestBuilder;
use serde_json::Value;

use super::plugin::text;
use crate::output::{Output, table};

/// Whether anything is changed.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(super) struct DryRun {
    /// Tell the steps, each with what it would do, and change nothing
    #[arg(long)]
    pub(super) dry_run: bool,
}

impl DryRun {
    /// The request, as it is meant.
    pub(super) fn on(self, request: RequestBuilder) -> RequestBuilder {
        match self.dry_run {
            true => request.query(&[("dry_run", "true")]),
            false => request,
        }
    }
}

/// Prints what would be done. Fails where it would be refused.
pub(super) fn print(foreseen: &Value, output: Output) -> anyhow::Result<ExitCode> {
    output.print(foreseen, |foreseen| {
        let steps = foreseen.get("steps").and_then(Value::as_array).cloned().unwrap_or_default();
        let row = |step: &Value| vec![text(step, "name").to_owned(), text(step, "would").to_owned()];
        let mut lines: Vec<String> = match steps.is_empty() {
            true => Vec::new(),
            false => vec![table(&steps.iter().map(row).collect::<Vec<_>>())],
        };
        match text(foreseen, "outcome") {
            "refused" => lines.push(format!("It would be refused: {}", text(foreseen, "message"))),
            "nothing" => lines.push(text(foreseen, "message").to_owned()),
            _ => {}
        }
        lines.push("Nothing was changed: this was a dry run.".to_owned());
        lines.join("\n")
    })?;
    Ok(if text(foreseen, "outcome") == "refused" { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}
