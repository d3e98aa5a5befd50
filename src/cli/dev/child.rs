//! The development server's process, with whatever it starts.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    path::Path,
    process::{ExitStatus, Stdio},
    time::Duration,
};

use anyhow::Context as _;
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::{Child, ChildStdin, Command};

/// How long it may take to end.
const GRACE: Duration = Duration::from_secs(5);

/// A running server. Its standard input is never written to: it ends with this process.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    /// Closed, it tells the server that nobody wants it any more.
    _input: Option<ChildStdin>,
    group: Option<Pid>,
}

/// A command in a project's directory.
#[expect(clippy::disallowed_methods, reason = "the developer's own programs, which run as the developer")]
pub(crate) fn command(words: &[OsString], directory: &Path, environment: &BTreeMap<String, OsString>) -> anyhow::Result<Command> {
    let (program, arguments) = words.split_first().context("there is no command")?;
    let mut command = Command::new(program);
    command.args(arguments).current_dir(directory).envs(environment);
    Ok(command)
}

impl Server {
    /// Starts it, in a process group of its own, so that nothing of it stays.
    ///
    /// # Errors
    /// It cannot be started.
    pub(crate) fn start(mut command: Command) -> anyhow::Result<Self> {
        command.stdin(Stdio::piped()).process_group(0).kill_on_drop(true);
        let program = command.as_std().get_program().to_string_lossy().into_owned();
        let mut child = command.spawn().with_context(|| format!("`{program}` cannot be started"))?;
        let group = child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
        Ok(Self { _input: child.stdin.take(), child, group })
    }

    /// Waits until it has ended by itself.
    ///
    /// # Errors
    /// The system's.
    pub(crate) async fn ended(&mut self) -> anyhow::Result<ExitStatus> {
        Ok(self.child.wait().await?)
    }

    /// Ends it: asks, waits, then kills.
    pub(crate) async fn stop(mut self) {
        self.signal(Signal::TERM);
        if tokio::time::timeout(GRACE, self.child.wait()).await.is_err() {
            self.signal(Signal::KILL);
            let _ended = self.child.wait().await;
        }
        // Those whom it left behind.
        self.signal(Signal::KILL);
    }

    fn signal(&self, signal: Signal) {
        if let Some(group) = self.group {
            // It may have ended already.
            let _gone = kill_process_group(group, signal);
        }
    }
}
