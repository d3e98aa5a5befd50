//! Runs a program to its end: bounded in time, and in what is kept of its output.

use std::{io, time::Duration};

use rustix::process::Signal;

use crate::{
    exit::Exit,
    output,
    spawn::{Program, Spawner},
};

/// How a program ended, with its last lines.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) exit: Exit,
    pub(crate) stdout: Vec<String>,
    pub(crate) stderr: Vec<String>,
}

/// Why a program has no end to tell of.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Broken {
    #[error("it cannot be started: {0}")]
    Start(io::Error),
    #[error("its output cannot be read: {0}")]
    Output(io::Error),
    #[error("it was stopped after {} s", .0.as_secs())]
    TooSlow(Duration),
}

/// Runs it, keeping so many lines of each stream. Ends it with the time, or when dropped.
///
/// # Errors
/// [`Broken`].
pub(crate) async fn to_its_end(spawner: &Spawner, program: Program, timeout: Duration, lines: usize) -> Result<Ended, Broken> {
    let mut child = spawner.start(program).await.map_err(Broken::Start)?;
    let (stdout, stderr) = child.output();
    let stdout = stdout.map(|pipe| output::last_lines(pipe, lines)).transpose().map_err(Broken::Output)?;
    let stderr = stderr.map(|pipe| output::last_lines(pipe, lines)).transpose().map_err(Broken::Output)?;
    if tokio::time::timeout(timeout, child.ended()).await.is_err() {
        child.signal_group(Signal::KILL);
        return Err(Broken::TooSlow(timeout));
    }
    let exit = child.reap().map_err(Broken::Output)?;
    let mut kept = [Vec::new(), Vec::new()];
    for (kept, reading) in kept.iter_mut().zip([stdout, stderr]) {
        if let Some(reading) = reading {
            *kept = reading.await.unwrap_or_default();
        }
    }
    let [stdout, stderr] = kept;
    Ok(Ended { exit, stdout, stderr })
}
