//! Running programs and saying so.

use std::{
    io::IsTerminal as _,
    process::{Command, Output, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use indicatif::{ProgressBar, ProgressStyle};

/// Says what happens next, on one line.
pub(crate) fn say(text: &str) {
    eprintln!("» {text}");
}

/// Runs a program that shows its own progress.
pub(crate) fn show(command: &mut Command) -> Result<()> {
    let name = name(command);
    let status = command.status().with_context(|| format!("cannot run {name}"))?;
    if !status.success() {
        bail!("{name} failed ({status})");
    }
    Ok(())
}

/// Runs a silent program under a spinner; its output appears only when it fails.
pub(crate) fn quietly(step: &str, command: &mut Command) -> Result<Output> {
    during(step, || capture(step, command))
}

/// Does something silent under a spinner.
pub(crate) fn during<T>(step: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    let progress = Progress::begin(step);
    progress.end(work())
}

/// The same for what is awaited.
pub(crate) async fn during_async<T>(step: &str, work: impl Future<Output = Result<T>>) -> Result<T> {
    let progress = Progress::begin(step);
    progress.end(work.await)
}

/// Runs a program; its output appears only when it fails.
pub(crate) fn capture(step: &str, command: &mut Command) -> Result<Output> {
    let name = name(command);
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("{step}: cannot run {name}"))?;
    if !output.status.success() {
        let text = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
        bail!("{step}: {name} failed ({}):\n{}", output.status, String::from_utf8_lossy(&text).trim_end());
    }
    Ok(output)
}

/// What a program prints, trimmed; none if it is missing or fails.
pub(crate) fn ask(command: &mut Command) -> Option<String> {
    let output = command.stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// A spinner, and the time that a step took.
struct Progress<'a> {
    step: &'a str,
    begun: Instant,
    spinner: ProgressBar,
}

impl<'a> Progress<'a> {
    fn begin(step: &'a str) -> Self {
        Self { step, begun: Instant::now(), spinner: spinner(step) }
    }

    fn end<T>(self, result: Result<T>) -> Result<T> {
        self.spinner.finish_and_clear();
        if result.is_ok() && self.begun.elapsed() > Duration::from_secs(2) {
            say(&format!("{}: {:.0} s", self.step, self.begun.elapsed().as_secs_f32()));
        }
        result
    }
}

fn spinner(step: &str) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        say(&format!("{step} …"));
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{spinner} {msg} {elapsed}").unwrap_or_else(|_| ProgressStyle::default_spinner());
    let spinner = ProgressBar::new_spinner().with_style(style).with_message(step.to_owned());
    spinner.enable_steady_tick(Duration::from_millis(120));
    spinner
}

fn name(command: &Command) -> String {
    command.get_program().to_string_lossy().into_owned()
}
