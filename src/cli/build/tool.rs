//! Running the programs that a build needs.

use std::{
    ffi::OsStr,
    io,
    io::IsTerminal as _,
    path::Path,
    process::{Command, Output},
    time::Duration,
};

use indicatif::{ProgressBar, ProgressStyle};

use super::BuildError;

const OUTPUT_LINES_MAX: usize = 60;

/// Shows what is going on: a spinner on a terminal, else a line per step.
#[derive(Debug)]
pub(super) struct Progress {
    quiet: bool,
}

impl Progress {
    pub(super) fn new(quiet: bool) -> Self {
        Self { quiet }
    }

    fn step(&self, text: &str) -> ProgressBar {
        if self.quiet {
            return ProgressBar::hidden();
        }
        if !io::stderr().is_terminal() {
            eprintln!("{text} …");
            return ProgressBar::hidden();
        }
        let style =
            ProgressStyle::with_template("{spinner} {msg} {elapsed}").unwrap_or_else(|_| ProgressStyle::default_spinner());
        let bar = ProgressBar::new_spinner().with_style(style).with_message(text.to_owned());
        bar.enable_steady_tick(Duration::from_millis(120));
        bar
    }
}

/// One program to run, with the words for when it is missing.
#[derive(Debug)]
pub(super) struct Tool {
    command: Command,
    hint: &'static str,
}

impl Tool {
    #[expect(clippy::disallowed_methods, reason = "the one place that starts build tools")]
    pub(super) fn new(program: impl AsRef<OsStr>, hint: &'static str) -> Self {
        let mut command = Command::new(program);
        // An activated environment of the person's must not leak into what is built.
        command.env_remove("VIRTUAL_ENV").env_remove("PYTHONPATH").env_remove("PYTHONHOME").env_remove("RUST_BACKTRACE");
        command.stdin(std::process::Stdio::null());
        Self { command, hint }
    }

    pub(super) fn uv() -> Self {
        Self::new("uv", "install it with `pip install uv` (https://docs.astral.sh/uv)")
    }

    pub(super) fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.command.arg(arg);
        self
    }

    pub(super) fn args(mut self, args: impl IntoIterator<Item: AsRef<OsStr>>) -> Self {
        self.command.args(args);
        self
    }

    pub(super) fn env_remove(mut self, name: &str) -> Self {
        self.command.env_remove(name);
        self
    }

    pub(super) fn current_dir(mut self, dir: &Path) -> Self {
        self.command.current_dir(dir);
        self
    }

    /// Runs it to its end and returns what it wrote.
    pub(super) fn run(mut self, progress: &Progress, step: &str) -> Result<Output, BuildError> {
        let tool = self.command.get_program().to_string_lossy().into_owned();
        let bar = progress.step(step);
        let output = self.command.output();
        bar.finish_and_clear();
        let output = match output {
            Ok(output) => output,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Err(BuildError::ToolMissing { tool, hint: self.hint }),
            Err(source) => return Err(BuildError::File { path: tool.into(), source }),
        };
        if output.status.success() {
            return Ok(output);
        }
        let said = if output.stderr.is_empty() { &output.stdout } else { &output.stderr };
        Err(BuildError::ToolFailed { step: step.to_owned(), tool, status: output.status, output: last_lines(said) })
    }
}

fn last_lines(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let lines: Vec<&str> = text.trim_end().lines().collect();
    lines.get(lines.len().saturating_sub(OUTPUT_LINES_MAX)..).unwrap_or_default().join("\n")
}
