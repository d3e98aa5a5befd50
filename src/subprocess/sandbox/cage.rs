//! Everything that is applied to one process, made before it is forked.

use std::{
    ffi::CStr,
    io,
    os::fd::{AsFd, OwnedFd},
};

use rustix::{
    fs::{Mode, OFlags},
    io::Errno,
    process::{Gid, Pid, Uid},
    thread::{CapabilitySet, CapabilitySets},
};
use seccompiler::BpfProgram;

use super::{
    Group, files,
    namespace::{self, Namespace},
};

/// What is applied to one process. What is absent was found not to hold on this machine, or is not wanted.
#[derive(Debug, Default)]
pub(crate) struct Cage {
    pub(super) door: Option<OwnedFd>,
    pub(super) namespace: Option<Namespace>,
    pub(super) user: Option<Uid>,
    pub(super) ruleset: Option<OwnedFd>,
    pub(super) filters: Vec<BpfProgram>,
}

/// What the server keeps of a process's cage for as long as the process runs.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    pub(super) listeners: Option<(OwnedFd, usize)>,
    pub(super) group: Option<Group>,
    pub(super) own_proc: &'static [&'static CStr],
    held: Vec<OwnedFd>,
}

impl Cage {
    /// Runs in the new process while it still has the server's privileges. Makes system calls only.
    pub(crate) fn separate(&self) -> io::Result<()> {
        if let Some(door) = &self.door {
            rustix::io::write(door, b"0")?;
        }
        if let Some(namespace) = &self.namespace {
            namespace.enter()?;
        }
        if let Some(user) = self.user {
            let group = Gid::from_raw(user.as_raw());
            rustix::thread::set_thread_groups(&[])?;
            rustix::thread::set_thread_res_gid(group, group, group)?;
            rustix::thread::set_thread_res_uid(user, user, user)?;
        }
        Ok(())
    }

    /// Runs in the new process as the last step, when it has no way to get privileges back. Makes system calls only.
    pub(crate) fn confine(&self) -> io::Result<()> {
        drop_capabilities()?;
        if let Some(ruleset) = &self.ruleset {
            files::allow_own_proc(ruleset.as_fd(), files::own_proc(self.namespace.is_some()))?;
            files::restrict(ruleset.as_fd())?;
        }
        for filter in &self.filters {
            apply(filter)?;
        }
        Ok(())
    }

    /// Whether its user runs nothing else.
    pub(crate) fn has_own_user(&self) -> bool {
        self.user.is_some()
    }
}

impl Kept {
    /// Keeps what it takes that a process, started by now, stays as it is: what the kernel was told about its directory
    /// in `/proc` holds as long as somebody has that open.
    pub(crate) fn begin(&mut self, process: Pid) -> io::Result<()> {
        for part in self.own_proc {
            let part = part.to_string_lossy().replace("self", &process.as_raw_nonzero().to_string());
            match rustix::fs::open(part, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()) {
                Ok(held) => self.held.push(held),
                // It has ended already.
                Err(Errno::NOENT) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Takes the listeners of the network that the process made for itself, in the order of their places there; once.
    ///
    /// # Errors
    /// When it handed over fewer.
    pub(crate) fn listeners(&mut self) -> io::Result<Vec<OwnedFd>> {
        let Some((taken, count)) = self.listeners.take() else { return Ok(Vec::new()) };
        (0..count).map(|_| namespace::take_listener(&taken)).collect()
    }

    /// Whether the kernel killed it for want of memory within its limit.
    pub(crate) fn ran_out_of_memory(&self) -> bool {
        self.group.as_ref().is_some_and(Group::ran_out_of_memory)
    }
}

/// With `no_new_privs` set, none ever comes back.
fn drop_capabilities() -> io::Result<()> {
    let none = CapabilitySet::empty();
    Ok(rustix::thread::set_capabilities(None, CapabilitySets { effective: none, permitted: none, inheritable: none })?)
}

/// An error is given as the kernel gave it: making words of it would allocate.
pub(super) fn apply(filter: &BpfProgram) -> io::Result<()> {
    seccompiler::apply_filter(filter).map_err(|_said_by_errno| io::Error::last_os_error())
}
