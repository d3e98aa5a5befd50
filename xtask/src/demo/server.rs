//! The server under demonstration: the program `mint` on SQLite in a directory of its own. It ends with this program,
//! however that ends: by `stop`, by `drop`, and by the kernel if this program is killed.

use std::{
    fs,
    io::{self, Read as _},
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Error, Result, anyhow, bail};
use rustix::process::{Pid, Signal, getpid, getppid, kill_process, kill_process_group, set_parent_process_death_signal};
use tokio::io::AsyncWriteExt as _;

use crate::{run::say, tools::Tools};

const START_TIMEOUT: Duration = Duration::from_secs(60);
/// How long an unfinished demonstration may still end its work; a second signal then ends the server at once.
const HURRY: Duration = Duration::from_secs(3);
/// Longer than a server takes that ends its requests and plugins properly.
const STOP_TIMEOUT: Duration = Duration::from_secs(45);
const POLL: Duration = Duration::from_millis(50);
const LOG_LINES: usize = 30;

/// Who signs in.
pub(super) struct Account {
    pub(super) tenant: &'static str,
    pub(super) username: &'static str,
    pub(super) password: String,
}

impl Account {
    /// With a new password, so that none is known beforehand.
    pub(super) fn new() -> Result<Self> {
        let mut bytes = [0_u8; 9];
        fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
        Ok(Self { tenant: "demo", username: "demo", password: hex::encode(bytes) })
    }
}

pub(super) struct Server {
    /// Makes a command that finds the tools and uses the data directory.
    command: Box<dyn Fn() -> Command>,
    child: Option<Child>,
    url: String,
    log: PathBuf,
}

impl Server {
    /// A server that is not started yet, with its data and log in `dir`.
    pub(super) fn prepare(tools: &Tools, mint: &Path, dir: &Path, port: u16) -> Self {
        let address = format!("127.0.0.1:{port}");
        let url = format!("http://{address}");
        let variables = [
            ("MINT_SERVER__LISTEN", address.into()),
            ("MINT_SERVER__DATA_PATH", dir.join("data").into_os_string()),
            ("MINT_PLUGINS__UV__PATH", tools.uv.clone().into_os_string()),
            ("MINT_PLUGINS__UV__PYTHON", tools.python.clone().into_os_string()),
        ];
        let base = tools.clone();
        let (mint, directory) = (mint.to_owned(), dir.to_owned());
        let command = Box::new(move || {
            let mut command = base.command(&mint);
            // What a person has configured for servers of their own has no place here.
            for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("MINT_")) {
                command.env_remove(name);
            }
            command.envs(variables.clone()).current_dir(&directory);
            command
        });
        Self { command, child: None, url, log: dir.join("server.log") }
    }

    /// Makes an administrator and starts to serve; returns when the server answers.
    pub(super) async fn start(&mut self, account: &Account) -> Result<()> {
        self.create_user(account).await?;
        let log = fs::File::create(&self.log)?;
        let mut command = (self.command)();
        command.arg("serve").stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        // A group of its own: a Ctrl-C is for this program, which then stops the server as an operator would.
        command.process_group(0);
        let parent = getpid();
        // SAFETY: `follow` makes system calls only: it neither allocates nor takes a lock.
        unsafe {
            command.pre_exec(move || follow(parent));
        }
        self.child = Some(command.spawn().context("cannot start `mint serve`")?);
        self.until_ready().await
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// Adds what the server wrote last, if it got so far.
    pub(super) fn explain(&self, error: Error) -> Error {
        let text = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        let last = lines.get(lines.len().saturating_sub(LOG_LINES)..).unwrap_or_default();
        if last.is_empty() { error } else { anyhow!("{error:#}\nThe end of {}:\n{}", self.log.display(), last.join("\n")) }
    }

    /// Returns when the server has ended by itself, and why.
    pub(super) async fn ended(&mut self) -> Error {
        loop {
            match self.try_wait() {
                Ok(None) => tokio::time::sleep(POLL).await,
                Ok(Some(status)) => return self.explain(anyhow!("the server ended ({status})")),
                Err(error) => return error,
            }
        }
    }

    /// Stops the server as an operator would, and waits.
    pub(super) fn stop(&mut self) -> Result<()> {
        match self.terminate(STOP_TIMEOUT)? {
            Some(status) if !status.success() => Err(self.explain(anyhow!("the server did not end well ({status})"))),
            _ => Ok(()),
        }
    }

    async fn create_user(&self, account: &Account) -> Result<()> {
        let mut command = (self.command)();
        command.args(["user", "create", account.username, "--tenant", account.tenant, "--role", "admin"]);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = tokio::process::Command::from(command).kill_on_drop(true).spawn().context("cannot start mint")?;
        if let Some(mut input) = child.stdin.take() {
            input.write_all(account.password.as_bytes()).await?;
        }
        let output = child.wait_with_output().await?;
        if !output.status.success() {
            bail!("`mint user create` failed ({}): {}", output.status, String::from_utf8_lossy(&output.stderr).trim_end());
        }
        Ok(())
    }

    async fn until_ready(&mut self) -> Result<()> {
        let begun = Instant::now();
        let ready = format!("{}/api/health/ready", self.url);
        let http = reqwest::Client::builder().timeout(Duration::from_secs(2)).no_proxy().build()?;
        loop {
            if let Some(status) = self.try_wait()? {
                bail!("the server did not start ({status})");
            }
            if http.get(&ready).send().await.is_ok_and(|response| response.status().is_success()) {
                return Ok(());
            }
            if begun.elapsed() > START_TIMEOUT {
                bail!("the server does not answer {ready}");
            }
            tokio::time::sleep(POLL).await;
        }
    }

    fn try_wait(&mut self) -> Result<Option<ExitStatus>> {
        Ok(self.child.as_mut().context("the server was not started")?.try_wait()?)
    }

    /// Ends a server that runs and waits for it; what is unfinished after `patience` is broken off.
    fn terminate(&mut self, patience: Duration) -> io::Result<Option<ExitStatus>> {
        let Some(mut child) = self.child.take() else { return Ok(None) };
        let pid = Pid::from_child(&child);
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        say("Stopping the server");
        for patience in [patience, HURRY] {
            kill_process(pid, Signal::TERM)?;
            if let Some(status) = wait(&mut child, patience)? {
                return Ok(Some(status));
            }
        }
        kill_process_group(pid, Signal::KILL)?;
        child.wait().map(Some)
    }
}

fn wait(child: &mut Child, patience: Duration) -> io::Result<Option<ExitStatus>> {
    let begun = Instant::now();
    while begun.elapsed() < patience {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        thread::sleep(POLL);
    }
    Ok(None)
}

impl Drop for Server {
    fn drop(&mut self) {
        // Nobody is left to hear of an error.
        let _ = self.terminate(HURRY);
    }
}

/// Runs in the new process: it is told to end when the thread that started it is gone.
fn follow(parent: Pid) -> io::Result<()> {
    set_parent_process_death_signal(Some(Signal::TERM))?;
    if getppid() == Some(parent) { Ok(()) } else { Err(io::ErrorKind::BrokenPipe.into()) }
}
