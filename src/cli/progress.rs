//! The steps of an operation, as a person sees them go on: a bar for the one that runs, on a terminal; else a line for each
//! that has ended.

use std::{
    io::{IsTerminal as _, stderr},
    path::Path,
    time::Duration,
};

use anyhow::Context as _;
use futures_util::TryStreamExt as _;
use indicatif::{ProgressBar, ProgressStyle};
use reqwest::Body;
use serde_json::Value;
use tokio::fs::File;
use tokio_util::io::ReaderStream;

use crate::output::Output;

/// Time between two pictures of the bar.
const TICK: Duration = Duration::from_millis(100);
/// Bytes of a file that are read at once.
const PIECE_BYTES: usize = 64 << 10;

/// A step that does not know how much there is.
const SPINNER: &str = "{spinner} {msg:<11} {elapsed}";
/// A step that does.
const FRACTION: &str = "{spinner} {msg:<11} [{bar:30}] {percent:>3} % {elapsed}";
/// Bytes on their way.
const BYTES: &str = "{spinner} {msg:<11} [{bar:30}] {bytes} of {total_bytes} {elapsed}";

/// What was shown so far.
pub(crate) struct Progress {
    output: Output,
    told: usize,
    bar: Option<ProgressBar>,
}

impl Progress {
    /// Nothing yet.
    pub(crate) fn new(output: Output) -> Self {
        Self { output, told: 0, bar: None }
    }

    /// Shows what has happened since.
    pub(crate) fn show(&mut self, operation: &Value) {
        let steps = operation.get("steps").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        for step in steps.iter().skip(self.told).take_while(|step| text(step, "status") != "running") {
            let mark = if text(step, "status") == "done" { "done  " } else { "failed" };
            self.note(&format!("{mark} {:<9} {}", text(step, "name"), text(step, "note")));
            self.told += 1;
        }
        match steps.get(self.told) {
            Some(step) => self.go_on(text(step, "name"), step.get("progress")),
            None => self.rest(),
        }
    }

    /// Prints a line above the bar.
    pub(crate) fn note(&mut self, line: &str) {
        self.rest();
        self.output.note(line);
    }

    fn go_on(&mut self, name: &str, progress: Option<&Value>) {
        let number = |key: &str| progress.and_then(|progress| progress.get(key)).and_then(Value::as_u64);
        let bar = self.bar.get_or_insert_with(|| bar(self.output, name, None));
        if let (Some(done), Some(total)) = (number("done"), number("total")) {
            bar.set_style(style(FRACTION));
            bar.set_length(total);
            bar.set_position(done);
        }
    }

    fn rest(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}

/// A file on its way to the server, with a bar, and its length.
///
/// # Errors
/// It cannot be read.
pub(crate) async fn sent_file(output: Output, path: &Path) -> anyhow::Result<(Body, u64)> {
    let named = || path.display().to_string();
    let file = File::open(path).await.with_context(named)?;
    let length = file.metadata().await.with_context(named)?.len();
    let bar = transfer(output, "upload", Some(length));
    let pieces = ReaderStream::with_capacity(file, PIECE_BYTES).inspect_ok(move |piece| {
        bar.inc(piece.len() as u64);
        if bar.position() >= length {
            bar.finish_and_clear();
        }
    });
    Ok((Body::wrap_stream(pieces), length))
}

/// A bar for bytes on their way; none where nobody would see it.
pub(crate) fn transfer(output: Output, name: &'static str, total: Option<u64>) -> ProgressBar {
    bar(output, name, total)
}

fn bar(output: Output, name: &str, total: Option<u64>) -> ProgressBar {
    if output.json || !stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = match total {
        Some(total) => ProgressBar::new(total).with_style(style(BYTES)),
        None => ProgressBar::new_spinner().with_style(style(SPINNER)),
    };
    let bar = bar.with_message(name.to_owned());
    bar.enable_steady_tick(TICK);
    bar
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner())
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}
