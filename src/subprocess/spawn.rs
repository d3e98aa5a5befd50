//! The one thread that starts processes.
//!
//! A process asks the kernel to be killed when its parent dies, and the kernel means the *thread* that started it. So one
//! thread, which lives as long as the runtime, starts them all.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    io,
    os::{fd::OwnedFd, unix::process::CommandExt},
    path::PathBuf,
    process::{Child as StdChild, Command, Stdio},
    sync::Arc,
    time::Duration,
};

use mint_domain::Limits;
use rustix::{
    fs::Mode,
    process::{Pid, Resource, Rlimit, Signal},
};
use tokio::sync::{mpsc, oneshot};

use crate::{
    child::Child,
    sandbox::{Allowance, Cage, Kept, Sandbox},
};

/// Processes that may wait to be started.
const QUEUE: usize = 64;

/// Tries to run a file that is still open for writing.
const BUSY_TRIES: u32 = 50;
const BUSY_PAUSE: Duration = Duration::from_millis(10);

/// Further processes and threads of the same user that the brake on fork bombs leaves room for.
const SHARED_TASKS: u64 = 1_024;

/// What to start.
#[derive(Debug)]
pub(crate) struct Program {
    /// The file to run.
    pub(crate) file: PathBuf,
    /// Its arguments.
    pub(crate) args: Vec<OsString>,
    /// Its whole environment.
    pub(crate) environment: BTreeMap<String, String>,
    /// Where it stands.
    pub(crate) directory: PathBuf,
    /// Its standard input; none for nothing.
    pub(crate) input: Option<OwnedFd>,
    /// Resource limits.
    pub(crate) bounds: Bounds,
    /// What else it is held to; none for programs of the platform's own choice.
    pub(crate) confinement: Option<Confinement>,
}

/// What a plugin's process may do, and who sees to it.
#[derive(Clone, Debug)]
pub(crate) struct Confinement {
    /// Sees to it.
    pub(crate) sandbox: Arc<Sandbox>,
    /// What it may do.
    pub(crate) allowance: Allowance,
}

/// Resource limits of a process.
///
/// The number of processes can be limited for a *user* only, the platform's own, and not at all for root. So this is a
/// brake on fork bombs, not a quota: what the user runs now, the plugin's share, and room for others. The quota is `census`.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Bounds {
    memory_bytes: Option<u64>,
    written_memory_bytes: Option<u64>,
    files: Option<u64>,
    processes: Option<u64>,
    file_bytes: Option<u64>,
}

impl Bounds {
    /// The bounds of a plugin. With tables, it may write the file in which they are.
    pub(crate) fn of(limits: &Limits, has_tables: bool) -> Self {
        let tables = if has_tables { limits.database_bytes_max } else { 0 };
        Self {
            memory_bytes: Some(limits.process_memory_bytes_max),
            written_memory_bytes: None,
            files: Some(limits.open_files_max),
            processes: Some(limits.processes_max),
            file_bytes: Some(limits.files_bytes_max.max(limits.cache_bytes_max).max(tables)),
        }
    }

    /// The bounds of a program that evaluates a plugin's code in a machine of its own. That reserves address space without
    /// end, so what counts is the memory that it can write.
    pub(crate) fn of_build(memory_bytes: u64, file_bytes: u64) -> Self {
        Self { written_memory_bytes: Some(memory_bytes), file_bytes: Some(file_bytes), ..Self::default() }
    }

    fn rlimits(self, has_own_user: bool) -> Vec<(Resource, u64)> {
        let processes = self.processes.filter(|_| has_own_user || !rustix::process::geteuid().is_root());
        let others = if has_own_user { 0 } else { tasks_of_user() + SHARED_TASKS };
        [
            Some((Resource::Core, 0)),
            self.memory_bytes.map(|bytes| (Resource::As, bytes)),
            self.written_memory_bytes.map(|bytes| (Resource::Data, bytes)),
            self.files.map(|files| (Resource::Nofile, files)),
            self.file_bytes.map(|bytes| (Resource::Fsize, bytes)),
            processes.map(|own| (Resource::Nproc, own + others)),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

enum Job {
    Start(Box<Program>, oneshot::Sender<io::Result<Child>>),
    Reap(StdChild),
}

/// Starts processes. Cheap to clone; the thread ends with the last clone, and every process with the thread.
#[derive(Clone, Debug)]
pub(crate) struct Spawner {
    jobs: mpsc::Sender<Job>,
}

impl Spawner {
    /// Starts the thread.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub(crate) fn new() -> io::Result<Self> {
        let (jobs, queue) = mpsc::channel(QUEUE);
        std::thread::Builder::new().name("mint-spawn".to_owned()).spawn(move || serve(queue))?;
        Ok(Self { jobs })
    }

    /// Starts a process with its output in pipes.
    ///
    /// # Errors
    /// When it cannot be started: no such file, not executable, out of processes.
    pub(crate) async fn start(&self, program: Program) -> io::Result<Child> {
        let (reply, answer) = oneshot::channel();
        let ended = || io::Error::other("the thread that starts processes has ended");
        self.jobs.send(Job::Start(Box::new(program), reply)).await.map_err(|_| ended())?;
        let mut child = answer.await.map_err(|_| ended())??;
        child.adopt(self.clone())?;
        Ok(child)
    }

    /// Takes a killed process whose owner does not wait for its end.
    pub(crate) fn reap(&self, child: StdChild) {
        // With a full queue it stays a zombie until the platform ends; nothing else is lost.
        let _full_or_ended = self.jobs.try_send(Job::Reap(child));
    }
}

fn serve(mut queue: mpsc::Receiver<Job>) {
    let mut ending: Vec<StdChild> = Vec::new();
    while let Some(job) = queue.blocking_recv() {
        match job {
            Job::Start(program, reply) => {
                if let Err(Ok(unwanted)) = reply.send(start(*program)) {
                    ending.extend(unwanted.kill());
                }
            }
            Job::Reap(child) => ending.push(child),
        }
        ending.retain_mut(|child| matches!(child.try_wait(), Ok(None)));
    }
}

fn start(program: Program) -> io::Result<Child> {
    let Program { file, args, environment, directory, input, bounds, confinement } = program;
    let made = confinement.map(|Confinement { sandbox, allowance }| sandbox.cage(&allowance)).transpose()?;
    let (cage, kept) = made.map_or((None, Kept::default()), |(cage, kept)| (Some(cage), kept));
    let rlimits = bounds.rlimits(cage.as_ref().is_some_and(Cage::has_own_user));
    let parent = rustix::process::getpid();
    #[expect(clippy::disallowed_methods, reason = "the one place that starts processes")]
    let mut command = Command::new(file);
    command
        .args(args)
        .env_clear()
        .envs(environment)
        .current_dir(directory)
        .stdin(input.map_or_else(Stdio::null, Stdio::from))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    // SAFETY: `confine` makes system calls only: it neither allocates nor takes a lock.
    unsafe {
        command.pre_exec(move || confine(parent, &rlimits, cage.as_ref()));
    }
    for _ in 0..BUSY_TRIES {
        match command.spawn() {
            // A process that is just being started elsewhere holds the file open for a moment.
            Err(error) if error.kind() == io::ErrorKind::ExecutableFileBusy => std::thread::sleep(BUSY_PAUSE),
            started => return Child::new(started?, kept),
        }
    }
    Err(io::ErrorKind::ExecutableFileBusy.into())
}

/// Runs in the new process, before the plugin's own code.
fn confine(parent: Pid, rlimits: &[(Resource, u64)], cage: Option<&Cage>) -> io::Result<()> {
    rustix::process::setsid()?;
    cage.map_or(Ok(()), Cage::separate)?;
    // After a change of user, which takes it back.
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
    if rustix::process::getppid() != Some(parent) {
        // The platform died before it could be watched.
        return Err(io::ErrorKind::BrokenPipe.into());
    }
    rustix::thread::set_no_new_privs(true)?;
    give_way();
    // What the platform's own programs make, such as venvs, is for plugins' users to read.
    rustix::process::umask(Mode::from_bits_truncate(if cage.is_some() { 0o077 } else { 0o022 }));
    close_others_on_exec()?;
    cage.map_or(Ok(()), Cage::confine)?;
    // Last: this process still has the server's files open, and could open none for itself where these are more than it may.
    limit(rlimits)
}

/// Has the process, when it wakes, wait until the server has done what it is at, and find all that it is asked at once, in place
/// of taking the processor for each request. Its share of time is that of others.
fn give_way() {
    let parameters = libc::sched_param { sched_priority: 0 };
    // SAFETY: reads a structure of this function. Refused, for example by a container's filter, the process works as well.
    let _refused = unsafe { libc::sched_setscheduler(0, libc::SCHED_BATCH, &raw const parameters) };
}

fn limit(rlimits: &[(Resource, u64)]) -> io::Result<()> {
    for (resource, most) in rlimits {
        let inherited = rustix::process::getrlimit(*resource).maximum;
        let most = inherited.map_or(*most, |inherited| inherited.min(*most));
        rustix::process::setrlimit(*resource, Rlimit { current: Some(most), maximum: Some(most) })?;
    }
    Ok(())
}

/// Everything but the standard streams is closed when the plugin's program begins, whoever opened it.
fn close_others_on_exec() -> io::Result<()> {
    // SAFETY: marks file descriptors; touches no memory. The pipe by which std reports a failed exec is so marked anyway.
    let done = unsafe { libc::close_range(3, libc::c_uint::MAX, libc::CLOSE_RANGE_CLOEXEC as libc::c_int) };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Processes and threads of this user, as the limit counts them.
fn tasks_of_user() -> u64 {
    let own = rustix::process::getuid().as_raw();
    let tasks = |status: String| {
        let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)?.split_whitespace().next()?.parse().ok());
        (field("Uid:") == Some(u64::from(own))).then(|| field("Threads:").unwrap_or(1))
    };
    let Ok(processes) = std::fs::read_dir("/proc") else { return 0 };
    processes
        .flatten()
        .filter(|entry| entry.file_name().to_str().is_some_and(|name| name.bytes().all(|b| b.is_ascii_digit())))
        .filter_map(|entry| std::fs::read_to_string(entry.path().join("status")).ok())
        .filter_map(tasks)
        .sum()
}
