//! What a process may open, and whom it may signal: Landlock rulesets.

use std::{
    ffi::CStr,
    io,
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd},
    path::Path,
};

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, NetPort, PathBeneath, PathFd, Ruleset, RulesetAttr, RulesetCreated,
    RulesetCreatedAttr, RulesetError, Scope, make_bitflags, path_beneath_rules,
};

use rustix::fs::{FileType, Mode, OFlags};

use super::{Allowance, places};

/// The newest kernel that this was thought through for. An older one enforces what it knows.
const KNOWN: ABI = ABI::V9;

const RUN: BitFlags<AccessFs> = make_bitflags!(AccessFs::{Execute | ReadFile | ReadDir});
const READ: BitFlags<AccessFs> = make_bitflags!(AccessFs::{ReadFile | ReadDir});
const REMOVE: BitFlags<AccessFs> = make_bitflags!(AccessFs::{RemoveFile | RemoveDir});
const DEVICE: BitFlags<AccessFs> = make_bitflags!(AccessFs::{ReadFile | WriteFile});
/// No listing: names are chosen at random, and who does not know one cannot open it.
const SHARE: BitFlags<AccessFs> = make_bitflags!(AccessFs::{ReadFile | WriteFile | Truncate | MakeReg | RemoveFile});
const LISTEN: BitFlags<AccessFs> = make_bitflags!(AccessFs::{ReadDir | MakeSock | RemoveFile | ResolveUnix});
const NEVER: BitFlags<AccessFs> = make_bitflags!(AccessFs::{Execute | MakeChar | MakeBlock});

/// The version of Landlock's interface that the kernel has.
pub(super) fn kernel_abi() -> io::Result<i32> {
    const VERSION: libc::c_uint = 1;
    // SAFETY: with this flag the kernel reads no memory.
    let version = unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, std::ptr::null::<u8>(), 0_usize, VERSION) };
    if version < 0 { Err(io::Error::last_os_error()) } else { Ok(i32::try_from(version).unwrap_or(i32::MAX)) }
}

/// A ruleset that allows nothing.
pub(super) fn strictest() -> io::Result<OwnedFd> {
    descriptor(empty(true).map_err(io::Error::other)?)
}

/// The ruleset of a process. `ports` are those that it may connect to; none: Landlock does not hold its connections.
///
/// # Errors
/// When one of its own files cannot be opened.
pub(super) fn ruleset(places: &places::Places, allowance: &Allowance, ports: Option<&[u16]>) -> io::Result<OwnedFd> {
    let made = || {
        let mut rules = empty(ports.is_some())?
            .add_rules(path_beneath_rules(&places.programs, RUN))?
            .add_rules(path_beneath_rules(&places.settings, READ))?
            .add_rules(places.machine.iter().map(|file| Ok::<_, RulesetError>(PathBeneath::new(file, read_of(file)))))?
            .add_rules(path_beneath_rules(places::DEVICES, DEVICE))?
            .add_rules(path_beneath_rules([places::SHARED_MEMORY], SHARE))?;
        for port in ports.unwrap_or_default() {
            rules = rules.add_rule(NetPort::new(*port, AccessNet::ConnectTcp))?;
        }
        Ok::<_, RulesetError>(rules)
    };
    let mut rules = made().map_err(io::Error::other)?;
    let own = [
        (&allowance.programs, RUN),
        (&allowance.readable, READ),
        (&allowance.writable, AccessFs::from_all(KNOWN) & !NEVER),
        (&allowance.removable, READ | REMOVE),
    ];
    for (paths, access) in own {
        for path in paths {
            rules = own_rule(rules, path, access)?;
        }
    }
    if let Some(directory) = &allowance.socket_directory {
        rules = own_rule(rules, directory, LISTEN)?;
    }
    descriptor(rules)
}

fn empty(holds_connections: bool) -> Result<RulesetCreated, RulesetError> {
    let ruleset = Ruleset::default().handle_access(AccessFs::from_all(KNOWN))?;
    let ruleset = if holds_connections { ruleset.handle_access(AccessNet::from_all(KNOWN))? } else { ruleset };
    ruleset.scope(Scope::from_all(KNOWN))?.create()
}

fn own_rule(rules: RulesetCreated, path: &Path, access: BitFlags<AccessFs>) -> io::Result<RulesetCreated> {
    let opened = PathFd::new(path).map_err(|error| io::Error::other(format!("`{}`: {error}", path.display())))?;
    let access = if path.is_dir() { access } else { access & AccessFs::from_file(KNOWN) };
    rules.add_rule(PathBeneath::new(opened, access)).map_err(io::Error::other)
}

fn read_of(file: impl AsFd) -> BitFlags<AccessFs> {
    let is_directory = rustix::fs::fstat(file).is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode).is_dir());
    if is_directory { READ } else { AccessFs::ReadFile.into() }
}

fn descriptor(rules: RulesetCreated) -> io::Result<OwnedFd> {
    Option::from(rules).ok_or_else(|| io::Error::from(io::ErrorKind::Unsupported))
}

/// What `/proc` tells of a process: all of it where it has a network of its own, else not what it tells of the machine's
/// network, in which the sockets of others are listed.
pub(super) fn own_proc(has_own_network: bool) -> &'static [&'static CStr] {
    const ALL: &[&CStr] = &[c"/proc/self"];
    const PARTS: &[&CStr] = &[
        c"/proc/self/cgroup",
        c"/proc/self/cmdline",
        c"/proc/self/comm",
        c"/proc/self/environ",
        c"/proc/self/fd",
        c"/proc/self/fdinfo",
        c"/proc/self/limits",
        c"/proc/self/maps",
        c"/proc/self/mountinfo",
        c"/proc/self/stat",
        c"/proc/self/statm",
        c"/proc/self/status",
    ];
    if has_own_network { ALL } else { PARTS }
}

/// Allows the calling process to read these parts of what `/proc` tells of it. Makes system calls only.
pub(super) fn allow_own_proc(ruleset: BorrowedFd<'_>, parts: &[&CStr]) -> io::Result<()> {
    parts.iter().try_for_each(|part| allow_part(ruleset, part))
}

fn allow_part(ruleset: BorrowedFd<'_>, part: &CStr) -> io::Result<()> {
    /// As the kernel declares it.
    #[repr(C, packed)]
    struct Beneath {
        allowed: u64,
        parent: RawFd,
    }
    const PATH_BENEATH: libc::c_int = 1;
    let own = rustix::fs::open(part, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
    let rule = Beneath { allowed: read_of(&own).bits(), parent: own.as_raw_fd() };
    // SAFETY: the kernel reads `rule`, which lives until the call returns.
    let added = unsafe { libc::syscall(libc::SYS_landlock_add_rule, ruleset.as_raw_fd(), PATH_BENEATH, &raw const rule, 0) };
    if added == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Holds the calling thread, and what it starts, to a ruleset. Makes one system call.
pub(super) fn restrict(ruleset: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: takes a descriptor and no memory.
    let done = unsafe { libc::syscall(libc::SYS_landlock_restrict_self, ruleset.as_raw_fd(), 0) };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
