//! Processes that a plugin started and that outlived it.
//!
//! A plugin's group is killed with it. A child that left the group still has the plugin's environment, in which the
//! socket's path names exactly one start of one plugin. (A child that also cleared its environment escapes this; only a
//! control group would hold it.)

use std::{fs, os::unix::ffi::OsStrExt, path::Path, thread, time::Duration};

use rustix::process::{Pid, PidfdFlags, Signal};
use serde::{Deserialize, Serialize};

/// Names the socket in the environment of a plugin and of its children.
pub(crate) const SOCKET_VARIABLE: &str = "MINT_PLUGIN_SOCKET";

/// Rounds of looking for processes that fork while they are being killed.
const ROUNDS: u32 = 20;

/// Names a process beyond the reuse of its id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ProcessMark {
    pid: i32,
    /// Clock ticks from boot to its start.
    started_ticks: u64,
    boot: String,
}

impl ProcessMark {
    /// The mark of a process that runs.
    pub(crate) fn of(pid: Pid) -> Option<Self> {
        let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
        let pid = pid.as_raw_nonzero().get();
        Some(Self { pid, started_ticks: started_ticks(pid)?, boot: boot.trim().to_owned() })
    }

    /// Whether that very process still runs.
    pub(crate) fn is_alive(&self) -> bool {
        Pid::from_raw(self.pid).and_then(Self::of).as_ref() == Some(self)
    }

    /// Kills the group that it leads, if it still runs.
    pub(crate) fn kill_group(&self) {
        if let (true, Some(pid)) = (self.is_alive(), Pid::from_raw(self.pid)) {
            // Gone in between: as wanted.
            let _gone = rustix::process::kill_process_group(pid, Signal::KILL);
        }
    }

    #[cfg(test)]
    pub(crate) fn of_another_time(mut self) -> Self {
        self.started_ticks += 1;
        self
    }
}

/// Kills every process whose environment names `socket`, but `spared`. Gives how many there were. Reads all of `/proc`:
/// blocking.
pub(crate) fn kill(socket: &Path, spared: Option<Pid>) -> usize {
    let entry = [SOCKET_VARIABLE.as_bytes(), b"=", socket.as_os_str().as_bytes()].concat();
    let mut killed = 0;
    for _ in 0..ROUNDS {
        let found = kill_round(&entry, spared);
        if found == 0 {
            break;
        }
        killed += found;
        thread::sleep(Duration::from_millis(10));
    }
    killed
}

fn kill_round(entry: &[u8], spared: Option<Pid>) -> usize {
    let own = rustix::process::getpid();
    let Ok(processes) = fs::read_dir("/proc") else { return 0 };
    processes
        .flatten()
        .filter_map(|process| Pid::from_raw(process.file_name().to_str()?.parse().ok()?))
        .filter(|pid| *pid != own && Some(*pid) != spared && environment_has(*pid, entry))
        .filter(|pid| {
            // Held by a descriptor and looked at again, it cannot be another process of the same id.
            rustix::process::pidfd_open(*pid, PidfdFlags::empty()).is_ok_and(|pidfd| {
                environment_has(*pid, entry) && rustix::process::pidfd_send_signal(&pidfd, Signal::KILL).is_ok()
            })
        })
        .count()
}

/// Whether a process has an entry in its environment. A zombie has none any more.
fn environment_has(pid: Pid, entry: &[u8]) -> bool {
    environment(pid).is_some_and(|environment| environment.split(|byte| *byte == 0).any(|one| one == entry))
}

/// A variable in the environment of a process.
pub(crate) fn environment_entry(pid: Pid, name: &str) -> Option<Vec<u8>> {
    let prefix = [name.as_bytes(), b"="].concat();
    environment(pid)?.split(|byte| *byte == 0).find_map(|one| one.strip_prefix(prefix.as_slice())).map(<[u8]>::to_vec)
}

fn environment(pid: Pid) -> Option<Vec<u8>> {
    fs::read(format!("/proc/{}/environ", pid.as_raw_nonzero())).ok()
}

fn started_ticks(pid: i32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name, in parentheses, may hold anything; start time is field 22, the 20th after it.
    stat.rsplit_once(')')?.1.split_whitespace().nth(19)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_names_one_process() {
        let own = ProcessMark::of(rustix::process::getpid()).unwrap();
        assert!(own.is_alive());
        assert!(!own.clone().of_another_time().is_alive());
        assert!(!ProcessMark { pid: i32::MAX, ..own }.is_alive());
    }

    #[test]
    fn nobody_has_an_unknown_socket() {
        assert_eq!(kill(Path::new("/nowhere/at/all/s"), None), 0);
    }
}
