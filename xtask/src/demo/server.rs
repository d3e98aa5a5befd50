//! The server under demonstration: the program `mint` on SQLite in a directory of its own.

use std::{
    fs,
    io::{Read as _, Write as _},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

use crate::{run::say, tools::Tools};

const START_TIMEOUT: Duration = Duration::from_secs(60);
const LOG_LINES: usize = 30;

pub(super) struct Server {
    child: Child,
    url: String,
    log: PathBuf,
}

impl Server {
    /// Makes an administrator and starts to serve; returns when the server answers.
    pub(super) async fn start(tools: &Tools, mint: &Path, dir: &Path, port: u16, user: &str, password: &str) -> Result<Self> {
        let data = dir.join("data");
        create_user(tools.command(mint), &data, user, password)?;
        let address = format!("127.0.0.1:{port}");
        let log = dir.join("server.log");
        let log_file = fs::File::create(&log)?;
        say(&format!("Starting mint on {address}, logging to {}", log.display()));
        let child = tools
            .command(mint)
            .args(["serve", "--listen", &address, "--data-dir"])
            .arg(&data)
            .stdin(Stdio::null())
            .stdout(log_file.try_clone()?)
            .stderr(log_file)
            .spawn()
            .with_context(|| format!("cannot start {}", mint.display()))?;
        let mut server = Self { child, url: format!("http://{address}"), log };
        server.wait().await?;
        Ok(server)
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }

    pub(super) fn log_tail(&self) -> String {
        let text = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines.get(lines.len().saturating_sub(LOG_LINES)..).unwrap_or_default().join("\n")
    }

    /// Returns on Ctrl-C, which the server gets as well, or when the server ends by itself.
    pub(super) async fn until_interrupted(&mut self) -> Result<()> {
        let mut every = tokio::time::interval(Duration::from_millis(500));
        loop {
            tokio::select! {
                interrupted = tokio::signal::ctrl_c() => return Ok(interrupted?),
                _ = every.tick() => {
                    if let Some(status) = self.child.try_wait()? {
                        bail!("the server ended ({status}):\n{}", self.log_tail());
                    }
                }
            }
        }
    }

    /// Stops the server as an operator would, and waits.
    pub(super) fn stop(mut self) -> Result<()> {
        self.terminate();
        let status = self.child.wait()?;
        if !status.success() {
            bail!("the server did not end well ({status}):\n{}", self.log_tail());
        }
        Ok(())
    }

    fn terminate(&self) {
        // An error means that it is gone already.
        if let Some(pid) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            let _ = kill_process(pid, Signal::TERM);
        }
    }

    async fn wait(&mut self) -> Result<()> {
        let begun = Instant::now();
        let ready = format!("{}/api/health/ready", self.url);
        let http = reqwest::Client::builder().timeout(Duration::from_secs(2)).no_proxy().build()?;
        loop {
            if let Some(status) = self.child.try_wait()? {
                bail!("the server did not start ({status}):\n{}", self.log_tail());
            }
            if http.get(&ready).send().await.is_ok_and(|response| response.status().is_success()) {
                return Ok(());
            }
            if begun.elapsed() > START_TIMEOUT {
                bail!("the server does not answer {ready}:\n{}", self.log_tail());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.terminate();
        let _ = self.child.wait();
    }
}

fn create_user(mut mint: Command, data: &Path, user: &str, password: &str) -> Result<()> {
    let mut child = mint
        .args(["user", "create", user, "--role", "admin", "--password-stdin", "--data-dir"])
        .arg(data)
        .stdin(Stdio::piped())
        .spawn()
        .context("cannot start mint")?;
    if let Some(mut input) = child.stdin.take() {
        input.write_all(password.as_bytes())?;
    }
    let status = child.wait()?;
    if !status.success() {
        bail!("`mint user create` failed ({status})");
    }
    Ok(())
}

/// A new password for each demonstration, so that none is known beforehand.
pub(super) fn password() -> Result<String> {
    let mut bytes = [0_u8; 9];
    fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(hex::encode(bytes))
}
