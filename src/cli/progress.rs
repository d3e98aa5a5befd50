//! The steps of an operation, as a person sees them go on: a bar for the one that runs, on a terminal; else a line for each
//! that has ended.

use std::{
    io::{IsTerminal as _, stderr},
    time::Duration,
};

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::Value;

use crate::output::Output;

/// Time between two pictures of the bar.
const TICK: Duration = Duration::from_millis(100);

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
            Some(step) => self.go_on(text(step, "name")),
            None => self.rest(),
        }
    }

    /// Prints a line above the bar.
    pub(crate) fn note(&mut self, line: &str) {
        self.rest();
        self.output.note(line);
    }

    fn go_on(&mut self, name: &str) {
        if self.bar.is_some() || self.output.json || !stderr().is_terminal() {
            return;
        }
        let style =
            ProgressStyle::with_template("{spinner} {msg:<11} {elapsed}").unwrap_or_else(|_| ProgressStyle::default_spinner());
        let bar = ProgressBar::new_spinner().with_style(style).with_message(name.to_owned());
        bar.enable_steady_tick(TICK);
        self.bar = Some(bar);
    }

    fn rest(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}
