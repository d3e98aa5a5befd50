//! How many processes and threads each plugin has, and whether they compute, looked at now and then.
//!
//! The kernel's own limit counts a *user's* processes, not a plugin's, and nobody's for root. So they are counted here,
//! and a plugin that has more than its limit is killed. Between two looks only the brake of `spawn` holds it.

use std::{
    collections::HashMap,
    fs, io,
    os::{fd::OwnedFd, unix::ffi::OsStrExt},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use mint_context::{PluginAuthority, meters::Meters};
use mint_domain::limit::Limit;
use rustix::process::{Pid, Signal};
use tokio::{sync::Mutex, time::Instant};
use tokio_util::task::AbortOnDropHandle;

use crate::{
    activity::Activity,
    child::Child,
    exit::Exit,
    leftovers::{SOCKET_VARIABLE, environment_entry},
    task,
};

/// Pause between two looks at one plugin.
const PAUSE: Duration = Duration::from_secs(1);
/// A look that is no older serves for other plugins too.
const FRESH: Duration = Duration::from_millis(500);
/// Hundredths of a second of processor time between two looks from which on a plugin is at work: an application server that
/// waits takes less than one.
const AT_WORK_TICKS: u64 = 5;
/// Parent of whoever lost its own.
const INIT: i32 = 1;

/// All processes of the machine, shared by the plugins that are counted.
#[derive(Debug, Default)]
pub(crate) struct Census {
    latest: Mutex<Option<(Instant, Arc<Processes>)>>,
}

/// A plugin's process, and where its children are found.
#[derive(Debug)]
pub(crate) struct Family {
    /// The process that was started. It leads a session.
    pub(crate) head: Pid,
    /// The same process, beyond the reuse of its id.
    pub(crate) pidfd: OwnedFd,
    /// Its socket, which stands in the environment of its children.
    pub(crate) socket: PathBuf,
    /// Most processes and threads.
    pub(crate) tasks_max: u64,
    /// Where it is noted what they use.
    pub(crate) meters: Arc<Meters>,
    /// Is told when they compute: a job may go on for long after the request that began it.
    pub(crate) activity: Arc<Activity>,
}

/// Processes by id.
type Processes = HashMap<i32, Process>;

#[derive(Clone, Debug, PartialEq, Eq)]
struct Process {
    parent: i32,
    session: i32,
    threads: u64,
    /// Processor time of it and of children that it waited for, in ticks.
    spent: u64,
    /// The socket in the environment of one that lost its parent.
    socket: Option<Vec<u8>>,
}

/// Its processes and threads at the last look, and the task that counts them.
#[derive(Debug)]
pub(crate) struct Crowd {
    tasks: Arc<AtomicU64>,
    tasks_max: u64,
    _census: AbortOnDropHandle<()>,
}

impl Crowd {
    /// Counts the family of `child` until dropped.
    ///
    /// # Errors
    /// When the system gives no descriptor.
    pub(crate) fn watched(
        census: &Arc<Census>,
        child: &Child,
        socket: PathBuf,
        authority: &PluginAuthority,
        activity: Arc<Activity>,
    ) -> io::Result<Self> {
        let (tasks_max, meters) = (authority.limits().processes_max, Arc::clone(&authority.meters));
        let family = Family { head: child.pid(), pidfd: child.handle()?, socket, tasks_max, meters, activity };
        let tasks = Arc::default();
        let census = task::owned(Arc::clone(census).watch(family, Arc::clone(&tasks)));
        Ok(Self { tasks, tasks_max, _census: census })
    }

    /// The last count.
    pub(crate) fn tasks(&self) -> &Arc<AtomicU64> {
        &self.tasks
    }

    /// How it ended, if it was killed for having too many.
    pub(crate) fn exit(&self) -> Option<Exit> {
        let (tasks, tasks_max) = (self.tasks.load(Ordering::Relaxed), self.tasks_max);
        (tasks > tasks_max).then_some(Exit::Crowded { tasks, tasks_max })
    }
}

impl Census {
    /// Notes the size of a family at every look, and kills the head of one that has grown too large. Returns after that only.
    pub(crate) async fn watch(self: Arc<Self>, family: Family, seen: Arc<AtomicU64>) {
        let mut spent_before = 0;
        loop {
            tokio::time::sleep(PAUSE).await;
            let processes = self.look().await;
            let (tasks, spent) = sums(&processes, family.head.as_raw_nonzero().get(), &family.socket);
            seen.store(tasks, Ordering::Relaxed);
            family.note(tasks).await;
            if spent >= spent_before + AT_WORK_TICKS {
                family.activity.note();
            }
            spent_before = spent;
            if tasks > family.tasks_max {
                // Gone in between: as wanted. Its group and what left the group follow when it is reaped.
                let _gone = rustix::process::pidfd_send_signal(&family.pidfd, Signal::KILL);
                return;
            }
        }
    }

    async fn look(&self) -> Arc<Processes> {
        let mut latest = self.latest.lock().await;
        if let Some((at, processes)) = &*latest
            && at.elapsed() < FRESH
        {
            return Arc::clone(processes);
        }
        let processes = Arc::new(tokio::task::spawn_blocking(processes).await.unwrap_or_default());
        *latest = Some((Instant::now(), Arc::clone(&processes)));
        processes
    }
}

impl Family {
    /// Notes what is in use: processes of all of them, memory and files of the one that was started.
    async fn note(&self, tasks: u64) {
        self.meters.set(Limit::processes_max, tasks);
        let head = self.head.as_raw_nonzero();
        let Ok((memory, files)) = tokio::task::spawn_blocking(move || in_use(head.get())).await else { return };
        if let Some(bytes) = memory {
            self.meters.set(Limit::process_memory_bytes_max, bytes);
        }
        if let Some(files) = files {
            self.meters.set(Limit::open_files_max, files);
        }
    }
}

/// Bytes of address space, and open files, of a process; none where the kernel does not say. Blocking.
fn in_use(pid: i32) -> (Option<u64>, Option<u64>) {
    let pages = fs::read_to_string(format!("/proc/{pid}/statm"));
    let pages = pages.ok().and_then(|line| line.split(' ').next()?.parse::<u64>().ok());
    let files = fs::read_dir(format!("/proc/{pid}/fd")).ok().map(|files| files.count() as u64);
    (pages.map(|pages| pages.saturating_mul(rustix::param::page_size() as u64)), files)
}

/// Processes and threads of the family of `head`, and the processor time that they took.
fn sums(processes: &Processes, head: i32, socket: &Path) -> (u64, u64) {
    let family = processes.iter().filter(|(pid, _)| is_member(processes, **pid, head, socket));
    family.fold((0, 0), |(threads, spent), (_, process)| (threads + process.threads, spent + process.spent))
}

fn is_member(processes: &Processes, pid: i32, head: i32, socket: &Path) -> bool {
    let mut pid = pid;
    // As many steps as there can be ancestors, whatever happened while they were listed.
    for _ in 0..processes.len() {
        if pid == head {
            return true;
        }
        let Some(process) = processes.get(&pid) else { return false };
        if process.session == head || process.socket.as_deref() == Some(socket.as_os_str().as_bytes()) {
            return true;
        }
        pid = process.parent;
    }
    false
}

/// Reads `/proc`: blocking.
fn processes() -> Processes {
    let Ok(entries) = fs::read_dir("/proc") else { return Processes::new() };
    let ids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    ids.filter_map(|pid| {
        let mut process = parse(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)?;
        if process.parent == INIT {
            process.socket = Pid::from_raw(pid).and_then(|pid| environment_entry(pid, SOCKET_VARIABLE));
        }
        Some((pid, process))
    })
    .collect()
}

/// Reads a line of `/proc/<pid>/stat`.
fn parse(stat: &str) -> Option<Process> {
    // The name, in parentheses, may hold anything. Behind it stand state, parent, group, session, …; processor times are
    // fields 14 to 17, threads are field 20.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let number = |index: usize| fields.get(index)?.parse::<i32>().ok();
    let times = fields.get(11..15)?.iter().filter_map(|time| time.parse::<u64>().ok());
    let threads = u64::try_from(number(17)?).ok()?;
    Some(Process { parent: number(1)?, session: number(3)?, threads, spent: times.sum(), socket: None })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(parent: i32, session: i32, threads: u64, socket: Option<&str>) -> Process {
        Process { parent, session, threads, spent: 10, socket: socket.map(|socket| socket.as_bytes().to_vec()) }
    }

    #[test]
    fn a_family_is_its_session_its_descendants_and_what_names_its_socket() {
        let processes = Processes::from([
            (1, process(0, 1, 1, None)),
            (10, process(1, 1, 30, None)),
            (20, process(10, 20, 5, None)),
            (21, process(20, 20, 2, None)),
            // Left the session, but has its parent still.
            (22, process(21, 22, 1, None)),
            // Lost both, and has a child.
            (23, process(1, 23, 1, Some("/run/a"))),
            (24, process(23, 23, 1, None)),
            // Another plugin's.
            (30, process(10, 30, 7, None)),
            (31, process(1, 31, 7, Some("/run/b"))),
        ]);
        assert_eq!(sums(&processes, 20, Path::new("/run/a")), (10, 50));
        assert_eq!(sums(&processes, 30, Path::new("/run/b")), (14, 20));
        assert_eq!(sums(&processes, 99, Path::new("/run/c")), (0, 0));
    }

    #[test]
    fn this_process_is_found() {
        let own = rustix::process::getpid().as_raw_nonzero().get();
        let found = processes();
        assert!(found.get(&own).is_some_and(|process| process.threads >= 1), "{found:?}");
        assert_eq!(parse("7 (a) b) S 1 7 5 0 -1 4194560 1 2 3 4 1 2 3 4 20 0 9 0 1"), Some(process(1, 5, 9, None)));
    }
}
