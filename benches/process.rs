//! A server as a child process: started, looked at from outside, ended.

use std::{
    collections::HashMap,
    fs,
    net::{SocketAddr, TcpListener, TcpStream},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

const START_TIMEOUT: Duration = Duration::from_secs(120);
/// Ticks of a second in what Linux tells programs, on every machine.
const TICKS_PER_SECOND: f64 = 100.0;
/// Fields of `/proc/<pid>/stat` after the name of the program.
const PARENT: usize = 1;
const USER_TICKS: usize = 11;
const SYSTEM_TICKS: usize = 12;

/// A running server. Ends with this value.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    pub(crate) address: Address,
    log: PathBuf,
}

/// Where a server listens.
#[derive(Clone, Debug)]
pub(crate) enum Address {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

impl From<SocketAddr> for Address {
    fn from(address: SocketAddr) -> Self {
        Self::Tcp(address)
    }
}

impl Address {
    fn accepts(&self) -> bool {
        match self {
            Self::Tcp(address) => TcpStream::connect(address).is_ok(),
            Self::Unix(path) => UnixStream::connect(path).is_ok(),
        }
    }
}

/// An address of this machine that nobody uses.
pub(crate) fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?)
}

impl Server {
    /// Starts `command` and waits until it accepts connections at `address`. What it prints goes to a file in `dir`.
    ///
    /// # Errors
    /// It ends or does not listen in time; with what it printed.
    pub(crate) fn start(mut command: Command, address: impl Into<Address>, dir: &Path) -> Result<Self> {
        let address = address.into();
        let log = match &address {
            Address::Tcp(address) => dir.join(format!("{}.log", address.port())),
            Address::Unix(path) => path.with_extension("log"),
        };
        let file = fs::File::create(&log)?;
        // A backtrace for every error that nobody reads costs more than the request.
        command.env_remove("RUST_BACKTRACE").stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file);
        let child = command.spawn().with_context(|| format!("cannot start {command:?}"))?;
        let mut server = Self { child, address, log };
        let begun = Instant::now();
        while !server.address.accepts() {
            if server.child.try_wait()?.is_some() || begun.elapsed() > START_TIMEOUT {
                bail!(
                    "{command:?} does not listen at {:?}:\n{}",
                    server.address,
                    fs::read_to_string(&server.log).unwrap_or_default()
                );
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(server)
    }

    /// Where it listens, if that is a port.
    ///
    /// # Errors
    /// It is a file.
    pub(crate) fn port(&self) -> Result<SocketAddr> {
        match &self.address {
            Address::Tcp(address) => Ok(*address),
            Address::Unix(path) => bail!("{} is no port", path.display()),
        }
    }

    /// Where it listens, if that is a file.
    ///
    /// # Errors
    /// It is a port.
    pub(crate) fn path(&self) -> Result<&Path> {
        match &self.address {
            Address::Unix(path) => Ok(path),
            Address::Tcp(address) => bail!("{address} is no file"),
        }
    }

    /// Processor time of the server and its children so far, in seconds.
    pub(crate) fn cpu_seconds(&self) -> Result<f64> {
        let stats: HashMap<u32, Vec<u64>> = processes()?.collect();
        let field = |pid: u32, at: usize| stats.get(&pid).and_then(|fields| fields.get(at)).copied().unwrap_or(0);
        let mut family = vec![self.child.id()];
        let mut ticks = 0;
        while let Some(pid) = family.pop() {
            ticks += field(pid, USER_TICKS) + field(pid, SYSTEM_TICKS);
            family.extend(stats.keys().filter(|child| field(**child, PARENT) == u64::from(pid)));
        }
        Ok(ticks as f64 / TICKS_PER_SECOND)
    }

    /// Resident memory of the server alone, in KiB: what is its own, and pages of files.
    pub(crate) fn resident_kib(&self) -> Result<(u64, u64)> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let value = |name: &str| -> Option<u64> {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            line.trim_start_matches(':').trim().trim_end_matches(" kB").parse().ok()
        };
        Ok((value("RssAnon").context("no RssAnon")?, value("RssFile").context("no RssFile")?))
    }

    /// Bytes that the server has printed.
    pub(crate) fn log_bytes(&self) -> u64 {
        fs::metadata(&self.log).map_or(0, |metadata| metadata.len())
    }
}

/// Every process, with the numbers that follow its name.
fn processes() -> Result<impl Iterator<Item = (u32, Vec<u64>)>> {
    Ok(fs::read_dir("/proc")?.flatten().filter_map(|entry| {
        let pid = entry.file_name().to_str()?.parse().ok()?;
        let stat = fs::read_to_string(entry.path().join("stat")).ok()?;
        let fields = stat.rsplit_once(") ")?.1.split(' ').map(|field| field.parse().unwrap_or(0)).collect();
        Some((pid, fields))
    }))
}

impl Drop for Server {
    fn drop(&mut self) {
        // An error means that it is gone already.
        if let Some(pid) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            let _ = kill_process(pid, Signal::TERM);
        }
        let _ = self.child.wait();
    }
}
