//! A private PostgreSQL for one test run: in a temporary directory, on a Unix socket, gone afterwards.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use rustix::process::{Pid, Signal, geteuid, kill_process};
use tempfile::TempDir;

use crate::{
    paths,
    run::{ask, quietly},
};

const START_TIMEOUT: Duration = Duration::from_secs(30);

/// A running server; dropping it stops it and deletes its data.
#[derive(Debug)]
pub(crate) struct Postgres {
    server: Child,
    dir: TempDir,
}

impl Postgres {
    /// Starts one; none when PostgreSQL is not installed.
    pub(crate) fn start() -> Result<Option<Self>> {
        let Some(bin) = programs() else { return Ok(None) };
        let dir = tempfile::Builder::new().prefix("mint-pg-").tempdir()?;
        let data = dir.path().join("data");
        if geteuid().is_root() {
            quietly("Giving PostgreSQL its directory", Command::new("chown").arg("postgres").arg(dir.path()))?;
        }
        quietly(
            "Making a private PostgreSQL for the tests",
            as_postgres(&bin.join("initdb"))
                .args(["--username=mint", "--auth=trust", "--no-sync", "--encoding=UTF8", "--no-locale", "--pgdata"])
                .arg(&data)
                .current_dir("/"),
        )?;
        let log = fs::File::create(dir.path().join("log"))?;
        let server = as_postgres(&bin.join("postgres"))
            .arg("-D")
            .arg(&data)
            .arg("-k")
            .arg(dir.path())
            // Nobody needs this data after a crash.
            .args(["-h", "", "-c", "fsync=off", "-c", "full_page_writes=off", "-c", "max_connections=200"])
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .context("cannot start PostgreSQL")?;
        let mut postgres = Self { server, dir };
        postgres.wait(&bin)?;
        Ok(Some(postgres))
    }

    /// How sqlx connects to it.
    pub(crate) fn url(&self) -> String {
        format!("postgres://mint@localhost/postgres?host={}", self.dir.path().display())
    }

    fn wait(&mut self, bin: &Path) -> Result<()> {
        let begun = Instant::now();
        while ask(Command::new(bin.join("pg_isready")).arg("-h").arg(self.dir.path())).is_none() {
            if self.server.try_wait()?.is_some() || begun.elapsed() > START_TIMEOUT {
                let log = fs::read_to_string(self.dir.path().join("log")).unwrap_or_default();
                bail!("PostgreSQL did not start:\n{log}");
            }
            thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // SIGINT is its fast shutdown. An error means that it is gone already.
        if let Some(pid) = i32::try_from(self.server.id()).ok().and_then(Pid::from_raw) {
            let _ = kill_process(pid, Signal::INT);
        }
        let _ = self.server.wait();
    }
}

/// The directory of `initdb` and `postgres`: that of the PATH, else the newest of Debian's.
fn programs() -> Option<PathBuf> {
    let on_path = paths::find_program("initdb").and_then(|initdb| initdb.canonicalize().ok());
    let debian = || {
        let versions = fs::read_dir("/usr/lib/postgresql").ok()?.flatten();
        let newest = versions.max_by_key(|entry| entry.file_name().to_string_lossy().parse::<u32>().unwrap_or(0));
        newest.map(|entry| entry.path().join("bin/initdb"))
    };
    let bin = on_path.or_else(debian)?.parent()?.to_owned();
    ["initdb", "postgres", "pg_isready"].iter().all(|program| bin.join(program).is_file()).then_some(bin)
}

/// PostgreSQL refuses to run as root. It also ends with us, should we be killed.
fn as_postgres(program: &Path) -> Command {
    let Some(setpriv) = paths::find_program("setpriv") else { return Command::new(program) };
    let mut command = Command::new(setpriv);
    if geteuid().is_root() {
        command.args(["--reuid=postgres", "--regid=postgres", "--init-groups"]);
    }
    command.arg("--pdeathsig=INT").arg(program);
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_leaves_nothing_behind() {
        let Some(postgres) = Postgres::start().unwrap() else { return };
        let dir = postgres.dir.path().to_owned();
        assert!(dir.join(".s.PGSQL.5432").exists(), "{}", postgres.url());
        drop(postgres);
        assert!(!dir.exists());
    }
}
