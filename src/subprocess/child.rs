//! A started process: its end, its group, and no zombie.

use std::{
    io,
    os::fd::OwnedFd,
    process::{Child as StdChild, ChildStderr, ChildStdout},
};

use rustix::process::{Pid, PidfdFlags, Signal};
use tokio::io::{Interest, unix::AsyncFd};

use crate::{exit::Exit, sandbox::Kept, spawn::Spawner};

/// A process that leads a session and a group of its own. Dropped, it is killed with its group.
#[derive(Debug)]
pub(crate) struct Child {
    inner: Option<StdChild>,
    pid: Pid,
    pidfd: Option<OwnedFd>,
    watched: Option<AsyncFd<OwnedFd>>,
    spawner: Option<Spawner>,
    kept: Kept,
}

impl Child {
    pub(crate) fn new(inner: StdChild, kept: Kept) -> io::Result<Self> {
        let pid = Pid::from_child(&inner);
        let mut child = Self { inner: Some(inner), pid, pidfd: None, watched: None, spawner: None, kept };
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
        self.inner.as_mut().map_or((None, None), |inner| (inner.stdout.take(), inner.stderr.take()))
    }

    /// The listener of its own network, at which it expects the platform; once.
    ///
    /// # Errors
    /// When it handed over none.
    pub(crate) fn listener(&mut self) -> io::Result<Option<OwnedFd>> {
        self.kept.listener()
    }

    /// Sends a signal to the whole group. Safe as long as the process is not reaped: its id is then nobody else's.
    pub(crate) fn signal_group(&self, signal: Signal) {
        if self.inner.is_some() {
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
        self.inner.take()
    }

    /// Kills what is left of the group and takes note of the end. Call after [`Child::ended`].
    pub(crate) fn reap(mut self) -> io::Result<Exit> {
        self.signal_group(Signal::KILL);
        let Some(mut inner) = self.inner.take() else { return Err(io::ErrorKind::NotFound.into()) };
        let exit = inner.wait().map(Exit::from)?;
        Ok(if self.kept.ran_out_of_memory() { Exit::OutOfMemory } else { exit })
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.signal_group(Signal::KILL);
        let Some(mut inner) = self.inner.take() else { return };
        if let (Ok(None), Some(spawner)) = (inner.try_wait(), &self.spawner) {
            spawner.reap(inner);
        }
    }
}
