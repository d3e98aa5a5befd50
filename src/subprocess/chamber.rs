//! Programs of the platform's own that work on what strangers made: apart from the server, without any network, and within bounds.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs::File,
    io::{self, Read as _},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use rustix::fs::{Mode, OFlags};
use tokio::task::spawn_blocking;

use crate::{
    exit::Exit,
    run::{self, Broken, Ended},
    sandbox::{Allowance, Network, Sandbox},
    spawn::{Bounds, Confinement, Program, Spawner},
};

/// How such a program ends when what it was given is of no use; its last words say why.
pub const REFUSED: u8 = 3;
/// Where it stands, it leaves its result in a file of this name.
pub const RESULT: &str = "result";

const PROCESSES_MAX: u64 = 64;
const LINES: usize = 20;

/// Where such programs run.
#[derive(Clone, Debug)]
pub struct Chamber {
    spawner: Spawner,
    sandbox: Arc<Sandbox>,
    directory: PathBuf,
}

/// What is to be done there.
#[derive(Debug)]
pub struct Work {
    /// The program.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<OsString>,
    /// Its standard input.
    pub input: File,
    /// Memory that it may write.
    pub memory_bytes_max: u64,
    /// Largest result.
    pub result_bytes_max: u64,
    /// Longest time.
    pub timeout: Duration,
}

/// Why there is no result.
#[derive(Debug, thiserror::Error)]
pub enum WorkError {
    /// What it was given is of no use.
    #[error("{0}")]
    Refused(String),
    /// It needed more memory than it may have, in bytes.
    #[error("it took more than {} MiB of memory", .0 >> 20)]
    Memory(u64),
    /// It needed longer than it may take.
    #[error("it took longer than {} s", .0.as_secs())]
    TooSlow(Duration),
    /// Something is wrong with this machine or this program.
    #[error("{0}")]
    Broken(String),
}

impl Chamber {
    pub(crate) fn new(spawner: Spawner, sandbox: Arc<Sandbox>, directory: PathBuf) -> Self {
        Self { spawner, sandbox, directory }
    }

    /// Runs the program to its end, which comes at once when this is dropped, and gives its result.
    ///
    /// # Errors
    /// [`WorkError`].
    pub async fn run(&self, work: Work) -> Result<Vec<u8>, WorkError> {
        let broken = |error: io::Error| WorkError::Broken(format!("{}: {error}", self.directory.display()));
        std::fs::create_dir_all(&self.directory).map_err(broken)?;
        let place = tempfile::tempdir_in(&self.directory).map_err(broken)?;
        let (timeout, memory, most) = (work.timeout, work.memory_bytes_max, work.result_bytes_max);
        let Ended { exit, stderr, .. } =
            match run::to_its_end(&self.spawner, self.program(work, place.path()), timeout, LINES).await {
                Ok(ended) => ended,
                Err(Broken::TooSlow(_)) => return Err(WorkError::TooSlow(timeout)),
                Err(other) => return Err(WorkError::Broken(other.to_string())),
            };
        let last = || stderr.last().cloned().unwrap_or_else(|| "it says nothing".to_owned());
        match exit {
            Exit::Code(0) => {
                let result = place.path().join(RESULT);
                spawn_blocking(move || read(&result, most)).await.map_err(io::Error::from).flatten().map_err(broken)
            }
            Exit::Code(code) if code == i32::from(REFUSED) => Err(WorkError::Refused(last())),
            Exit::OutOfMemory => Err(WorkError::Memory(memory)),
            _ if stderr.iter().any(|line| line.starts_with("memory allocation of")) => Err(WorkError::Memory(memory)),
            other => Err(WorkError::Broken(format!("{other}: {}", last()))),
        }
    }

    fn program(&self, work: Work, place: &Path) -> Program {
        let allowance = Allowance {
            programs: vec![work.program.clone()],
            readable: Vec::new(),
            writable: vec![place.to_owned()],
            removable: Vec::new(),
            socket_directory: None,
            network: Network::Nobody,
            name: format!("chamber-{:016x}", rand::random::<u64>()),
            memory_bytes_max: work.memory_bytes_max,
            processes_max: PROCESSES_MAX,
            home: None,
        };
        Program {
            file: work.program,
            args: work.arguments,
            environment: BTreeMap::new(),
            directory: place.to_owned(),
            input: Some(work.input.into()),
            bounds: Bounds::of_build(work.memory_bytes_max, work.result_bytes_max),
            confinement: Some(Confinement { sandbox: Arc::clone(&self.sandbox), allowance }),
        }
    }
}

/// Reads a file that a program left which may have been led astray: no link, no device, and not more than `bytes_max`.
///
/// # Errors
/// When it is anything else.
pub(crate) fn read(path: &Path, bytes_max: u64) -> io::Result<Vec<u8>> {
    let file = File::from(rustix::fs::open(path, OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK, Mode::empty())?);
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is not a file"));
    }
    let mut bytes = Vec::new();
    if file.take(bytes_max + 1).read_to_end(&mut bytes)? as u64 > bytes_max {
        return Err(io::Error::other(format!("it is larger than {bytes_max} bytes")));
    }
    Ok(bytes)
}
