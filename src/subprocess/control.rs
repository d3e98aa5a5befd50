//! The platform's end of the line to a process that is copied for every start. Everything here blocks, for a while at most.

use std::{
    collections::BTreeMap,
    io::{self, IoSlice},
    mem::MaybeUninit,
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::{net::UnixDatagram, process::ExitStatusExt},
    },
    process::ExitStatus,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use rustix::{
    event::{PollFd, PollFlags, Timespec},
    net::{AddressFamily, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketFlags, SocketType},
    process::Pid,
};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::exit::Exit;

/// Longest wait for an answer but the first.
const PATIENCE: Duration = Duration::from_secs(10);
/// Most bytes of an answer.
const ANSWER_BYTES_MAX: usize = 4 << 10;

/// The line to one process. Questions take turns.
#[derive(Debug)]
pub(crate) struct Control {
    line: Mutex<UnixDatagram>,
    /// The process.
    pidfd: OwnedFd,
}

impl Control {
    /// A line, and the end of it that becomes the process's input.
    ///
    /// # Errors
    /// When the system gives none.
    pub(crate) fn line() -> io::Result<(OwnedFd, OwnedFd)> {
        // In packets, and with an end when the other side goes.
        Ok(rustix::net::socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?)
    }

    /// Takes the line of a process that was started.
    pub(crate) fn new(line: OwnedFd, pidfd: OwnedFd) -> Self {
        Self { line: Mutex::new(UnixDatagram::from(line)), pidfd }
    }

    /// Waits until the process has imported its plugin.
    ///
    /// # Errors
    /// Why it cannot be copied.
    pub(crate) fn imported(&self, patience: Duration) -> io::Result<()> {
        #[derive(Deserialize)]
        struct Said {
            unfit: Option<String>,
        }
        let said: Said = answer(&self.turn(), patience)?;
        said.unfit.map_or(Ok(()), |why| Err(io::Error::other(why)))
    }

    /// Has a copy made, with these variables and this output.
    ///
    /// # Errors
    /// When there is none.
    pub(crate) fn copy(&self, environment: &BTreeMap<String, String>, output: [BorrowedFd<'_>; 2]) -> io::Result<Pid> {
        #[derive(Deserialize)]
        struct Said {
            pid: Option<i32>,
        }
        let line = self.turn();
        let asked = json!({ "environment": environment }).to_string();
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(2))];
        let mut with = SendAncillaryBuffer::new(&mut space);
        with.push(SendAncillaryMessage::ScmRights(&output));
        rustix::net::sendmsg(line.as_fd(), &[IoSlice::new(asked.as_bytes())], &mut with, SendFlags::NOSIGNAL)?;
        let said: Said = answer(&line, PATIENCE)?;
        said.pid.and_then(Pid::from_raw).ok_or_else(|| io::Error::other("its copy ended at once"))
    }

    /// How a copy ended that has.
    pub(crate) fn reap(&self, copy: Pid) -> Exit {
        #[derive(Deserialize)]
        struct Said {
            status: i32,
        }
        let line = self.turn();
        let asked = json!({ "reap": copy.as_raw_nonzero() }).to_string();
        let said = rustix::net::send(line.as_fd(), asked.as_bytes(), SendFlags::NOSIGNAL);
        let said = said.map_err(io::Error::from).and_then(|_| answer::<Said>(&line, PATIENCE));
        match said {
            Ok(said) => Exit::from(ExitStatus::from_raw(said.status)),
            // The kernel kills copies with what they are copies of.
            Err(_) if self.has_ended() => Exit::Signal(libc::SIGKILL),
            Err(_) => Exit::Unknown,
        }
    }

    /// Whether the process has ended.
    pub(crate) fn has_ended(&self) -> bool {
        let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
        let ready = rustix::event::poll(&mut [PollFd::new(&self.pidfd, PollFlags::IN)], Some(&at_once));
        ready.is_ok_and(|ready| ready > 0)
    }

    fn turn(&self) -> MutexGuard<'_, UnixDatagram> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn answer<T: for<'a> Deserialize<'a>>(line: &UnixDatagram, patience: Duration) -> io::Result<T> {
    line.set_read_timeout(Some(patience))?;
    let mut buffer = [0; ANSWER_BYTES_MAX];
    let length = line.recv(&mut buffer)?;
    if length == 0 {
        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "its process ended"));
    }
    let said: Value = serde_json::from_slice(buffer.get(..length).unwrap_or_default())?;
    Ok(serde_json::from_value(said)?)
}
