//! Control groups (version 2): limits for all processes of a plugin together, and a way to end every one of them.

use std::{
    fs, io,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use rustix::fs::{Mode, OFlags};

use super::Allowance;

/// Begins the names of groups, before the id of the server's process.
const PREFIX: &str = "mint-";
/// A processor's time is dealt out in parts so long, in microseconds.
const PERIOD_US: u64 = 100_000;
/// Waits for killed processes to leave a group.
const ROUNDS: u32 = 20;
const PAUSE: Duration = Duration::from_millis(5);

/// A directory of control groups that was delegated to the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Groups {
    base: PathBuf,
    cpus: Option<u32>,
}

/// The group of one process and its children. Dropped, they are killed.
#[derive(Debug)]
pub(crate) struct Group {
    path: PathBuf,
}

impl Groups {
    /// Looks for a directory in which groups can be made. `enter` tries whether a process can be put into one.
    pub(super) fn detect(cpus: Option<u32>, enter: impl Fn(OwnedFd) -> io::Result<()>) -> Result<Self, String> {
        let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
        let own = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        let (mount, own) = place(&mounts, &own).ok_or("cgroup version 2 is not mounted, or this process is in no group of it")?;
        // A group with processes in it gives none of its controllers to others, so it is the one above that is delegated.
        let above = own.parent().filter(|above| above.starts_with(&mount));
        let mut refused = "no control group is delegated to the server".to_owned();
        for base in above.into_iter().chain([own.as_path()]) {
            let groups = Self { base: base.to_owned(), cpus };
            match groups.try_out(&enter) {
                Ok(()) => {
                    groups.sweep();
                    return Ok(groups);
                }
                Err(error) => refused = format!("no control group is delegated to the server: `{}`: {error}", base.display()),
            }
        }
        Err(refused)
    }

    fn try_out(&self, enter: impl Fn(OwnedFd) -> io::Result<()>) -> io::Result<()> {
        let offered = fs::read_to_string(self.base.join("cgroup.controllers"))?;
        let wanted: &[&str] = if self.cpus.is_some() { &["memory", "pids", "cpu"] } else { &["memory", "pids"] };
        if let Some(lacking) = wanted.iter().find(|wanted| !offered.split_whitespace().any(|one| one == **wanted)) {
            return Err(io::Error::other(format!("it does not offer the controller `{lacking}`")));
        }
        let given = fs::read_to_string(self.base.join("cgroup.subtree_control"))?;
        for controller in wanted.iter().filter(|wanted| !given.split_whitespace().any(|one| one == **wanted)) {
            fs::write(self.base.join("cgroup.subtree_control"), format!("+{controller}"))?;
        }
        let group = self.make("probe", 1 << 30, 16)?;
        enter(group.door()?)
    }

    /// What its groups hold.
    pub(super) fn in_words(&self) -> String {
        let cpus = self.cpus.map(|cpus| format!(", {cpus} processors")).unwrap_or_default();
        format!("memory and processes{cpus}, under `{}`", self.base.display())
    }

    /// Makes the group of a process that is about to start.
    pub(super) fn group(&self, allowance: &Allowance) -> io::Result<Group> {
        self.make(&allowance.name, allowance.memory_bytes_max, allowance.processes_max)
    }

    fn make(&self, name: &str, memory_bytes_max: u64, processes_max: u64) -> io::Result<Group> {
        let path = self.base.join(format!("{PREFIX}{}-{name}", std::process::id()));
        fs::create_dir(&path)?;
        let group = Group { path };
        group.set("memory.max", &memory_bytes_max.to_string())?;
        group.set("memory.oom.group", "1")?;
        group.set("pids.max", &processes_max.to_string())?;
        if let Some(cpus) = self.cpus {
            group.set("cpu.max", &format!("{} {PERIOD_US}", u64::from(cpus) * PERIOD_US))?;
        }
        Ok(group)
    }

    /// Ends what servers that died left behind.
    fn sweep(&self) {
        let left = fs::read_dir(&self.base).into_iter().flatten().flatten().filter(|entry| {
            let name = entry.file_name();
            let server = name.to_str().and_then(|name| name.strip_prefix(PREFIX)?.split('-').next()?.parse::<u32>().ok());
            server.is_some_and(|server| !Path::new("/proc").join(server.to_string()).exists())
        });
        for entry in left {
            drop(Group { path: entry.path() });
        }
    }
}

impl Group {
    /// Where a process writes `0` to enter.
    pub(super) fn door(&self) -> io::Result<OwnedFd> {
        Ok(rustix::fs::open(self.path.join("cgroup.procs"), OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())?)
    }

    /// Whether the kernel killed it for want of memory within its limit.
    pub(crate) fn ran_out_of_memory(&self) -> bool {
        let events = fs::read_to_string(self.path.join("memory.events")).unwrap_or_default();
        let kills = events.lines().find_map(|line| line.strip_prefix("oom_kill ")?.trim().parse::<u64>().ok());
        kills.is_some_and(|kills| kills > 0)
    }

    fn set(&self, file: &str, value: &str) -> io::Result<()> {
        fs::write(self.path.join(file), value)
            .map_err(|error| io::Error::new(error.kind(), format!("`{}` cannot be set: {error}", self.path.join(file).display())))
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        for _ in 0..ROUNDS {
            // With nobody in it there is nobody to kill.
            let _nobody = self.set("cgroup.kill", "1");
            match fs::remove_dir(&self.path) {
                Err(error) if error.kind() == io::ErrorKind::ResourceBusy => thread::sleep(PAUSE),
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    tracing::warn!(path = %self.path.display(), %error, "a control group could not be removed");
                    return;
                }
                Ok(()) | Err(_) => return,
            }
        }
        tracing::warn!(path = %self.path.display(), "a control group could not be removed: its processes do not end");
    }
}

/// Where version 2 is mounted, and the group of this process in it.
fn place(mounts: &str, own: &str) -> Option<(PathBuf, PathBuf)> {
    let fields = mounts.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let mount =
        fields.into_iter().find_map(|fields| (fields.get(2) == Some(&"cgroup2")).then(|| fields.get(1).map(PathBuf::from))?)?;
    let own = own.lines().find_map(|line| line.strip_prefix("0::/"))?;
    Some((mount.clone(), mount.join(own)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_own_group_is_found() {
        let mounts = "tmpfs /sys/fs/cgroup tmpfs rw 0 0\ncgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0\n";
        let found = place(mounts, "4:memory:/x\n0::/system.slice/mint.service/server\n").unwrap();
        assert_eq!(found.0, Path::new("/sys/fs/cgroup/unified"));
        assert_eq!(found.1, Path::new("/sys/fs/cgroup/unified/system.slice/mint.service/server"));
        assert_eq!(place(mounts, "0::/\n").unwrap().1, Path::new("/sys/fs/cgroup/unified/"));
        assert_eq!(place("tmpfs / tmpfs rw 0 0\n", "0::/\n"), None);
        assert_eq!(place(mounts, "4:memory:/x\n"), None);
    }

    /// Plain files take the place of the kernel's; what is written into them is what the kernel would read.
    #[test]
    fn a_group_has_the_limits_of_its_plugin() {
        let base = tempfile::tempdir().unwrap();
        fs::write(base.path().join("cgroup.controllers"), "cpu memory pids\n").unwrap();
        fs::write(base.path().join("cgroup.subtree_control"), "memory pids cpu\n").unwrap();
        let groups = Groups { base: base.path().to_owned(), cpus: Some(2) };
        let group = groups.make("peaks", 5 << 20, 40).unwrap();
        let read = |file: &str| fs::read_to_string(group.path.join(file)).unwrap();
        assert_eq!(
            (read("memory.max"), read("pids.max"), read("cpu.max")),
            ("5242880".into(), "40".into(), "200000 100000".into())
        );
        assert_eq!(read("memory.oom.group"), "1");
        assert!(!group.ran_out_of_memory());
        fs::write(group.path.join("memory.events"), "oom 1\noom_kill 1\n").unwrap();
        assert!(group.ran_out_of_memory());
    }

    #[test]
    fn what_is_not_offered_is_told() {
        let base = tempfile::tempdir().unwrap();
        fs::write(base.path().join("cgroup.controllers"), "hugetlb\n").unwrap();
        let error = Groups { base: base.path().to_owned(), cpus: None }.try_out(|_| Ok(())).unwrap_err();
        assert!(error.to_string().contains("controller `memory`"), "{error}");
    }
}
