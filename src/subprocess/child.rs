//! A started process: its end, its group, and no zombie.

use std::{
    io,
    os::fd::OwnedFd,
    process::{Child as StdChild, ChildStderr, ChildStdout},
    sync::Arc,
};

use rustix::process::{Pid, PidfdFlags, Signal};
use tokio::io::{Interest, unix::AsyncFd};

use crate::{control::Control, exit::Exit, sandbox::Kept, spawn::Spawner};

/// A process that leads a session and a group of its own. Dropped, it is killed with its group.
#[derive(Debug)]
pub(crate) struct Child {
    inner: Option<Origin>,
    pid: Pid,
    pidfd: Option<OwnedFd>,
    watched: Option<AsyncFd<OwnedFd>>,
    spawner: Option<Spawner>,
    kept: Kept,
}

/// Whose child it is.
#[derive(Debug)]
enum Origin {
    /// This process's.
    Own(StdChild),
    /// Of what it is a copy of.
    Copy(Arc<Control>),
}

impl Child {
    /// A copy that was just made, and watches for its end, on the present runtime.
    ///
    /// # Errors
    /// When the system gives no descriptor.
    pub(crate) fn copy(pid: Pid, control: Arc<Control>, spawner: Spawner) -> io::Result<Self> {
        let (inner, kept) = (Some(Origin::Copy(control)), Kept::default());
        let mut child = Self { inner, pid, pidfd: None, watched: None, spawner: None, kept };
        child.pidfd = Some(rustix::process::pidfd_open(pid, PidfdFlags::NONBLOCK)?);
        child.adopt(spawner)?;
        Ok(child)
    }

    /// A process that was just started.
    pub(crate) fn new(inner: StdChild, kept: Kept) -> io::Result<Self> {
        let pid = Pid::from_child(&inner);
        let mut child = Self { inner: Some(Origin::Own(inner)), pid, pidfd: None, watched: None, spawner: None, kept };
        child.kept.begin(pid)?;
        child.pidfd = Some(rustix::process::pidfd_open(pid, PidfdFlags::NONBLOCK)?);
        Ok(child)
    }

    /// Watches for its end, on the present runtime.
    pub(crate) fn adopt(&mut self, spawner: Spawner) -> io::Result<()> {
        self.spawner = Some(spawner);
        if let Some(pidfd) = self.pidfd.take() {
            // SAFETY: an `OwnedFd` stays open, and the same, for as long as the `AsyncFd` has it.
            self.watched = Some(unsafe { AsyncFd::register_with_interest(pidfd, Interest::READABLE) }?);
        }
        Ok(())
    }

    /// Its process id, which is also that of its group and session.
    pub(crate) fn pid(&self) -> Pid {
        self.pid
    }

    /// A handle that names it beyond the reuse of its id.
    ///
    /// # Errors
    /// When the system gives no descriptor.
    pub(crate) fn handle(&self) -> io::Result<OwnedFd> {
        Ok(rustix::process::pidfd_open(self.pid, PidfdFlags::empty())?)
    }

    /// Its output; once.
    pub(crate) fn output(&mut self) -> (Option<ChildStdout>, Option<ChildStderr>) {
        match &mut self.inner {
            Some(Origin::Own(inner)) => (inner.stdout.take(), inner.stderr.take()),
            Some(Origin::Copy(_)) | None => (None, None),
        }
    }

    /// The listeners of its own network: where it expects the platform, and the proxy if it has one; once.
    ///
    /// # Errors
    /// When it handed over fewer.
    pub(crate) fn listeners(&mut self) -> io::Result<Vec<OwnedFd>> {
        self.kept.listeners()
    }

    /// Whether the kernel killed it for want of memory within its limit.
    pub(crate) fn ran_out_of_memory(&self) -> bool {
        self.kept.ran_out_of_memory()
    }

    /// Sends a signal to the whole group. Safe as long as the process is not reaped: its id is then nobody else's.
    pub(crate) fn signal_group(&self, signal: Signal) {
        let is_its_own = match &self.inner {
            Some(Origin::Own(_)) => true,
            // Its parent reaps it when asked to; without a parent, whoever took it over does.
            Some(Origin::Copy(control)) => !control.has_ended(),
            None => false,
        };
        if is_its_own {
            // A group that is gone needs no signal.
            let _gone = rustix::process::kill_process_group(self.pid, signal);
        }
    }

    /// Waits until it has ended. It is not reaped yet, so its group can still be signalled. Can be cancelled.
    pub(crate) async fn ended(&self) {
        match &self.watched {
            Some(pidfd) => {
                // Ready or broken: either way the kernel is asked next, by `reap`.
                let _ready = pidfd.readable().await;
            }
            None => std::future::pending().await,
        }
    }

    /// Kills the group. Somebody has to reap what is given back.
    pub(crate) fn kill(mut self) -> Option<StdChild> {
        self.signal_group(Signal::KILL);
        match self.inner.take() {
            Some(Origin::Own(inner)) => Some(inner),
            Some(Origin::Copy(_)) | None => None,
        }
    }

    /// Kills what is left of the group and takes note of the end. Call after [`Child::ended`].
    pub(crate) fn reap(mut self) -> io::Result<Exit> {
        self.signal_group(Signal::KILL);
        let exit = match self.inner.take() {
            Some(Origin::Own(mut inner)) => inner.wait().map(Exit::from)?,
            Some(Origin::Copy(control)) => control.reap(self.pid),
            None => return Err(io::ErrorKind::NotFound.into()),
        };
        Ok(if self.kept.ran_out_of_memory() { Exit::OutOfMemory } else { exit })
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.signal_group(Signal::KILL);
        let Some(Origin::Own(mut inner)) = self.inner.take() else { return };
        if let (Ok(None), Some(spawner)) = (inner.try_wait(), &self.spawner) {
            spawner.reap(inner);
        }
    }
}
