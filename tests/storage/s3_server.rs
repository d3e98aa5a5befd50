//! A server that speaks S3: moto, from the Python package index, by uv.

use std::{
    fs::File,
    process::{Child, Command, Stdio},
};

use mint_tests::{eventually, uv};
use rustix::process::{Pid, Signal, kill_process_group};
use tempfile::TempDir;

const MOTO: &str = "moto[server]==5.1.16";

/// A running server with an empty bucket `lab`.
pub(super) struct S3Server {
    child: Child,
    /// Its address.
    pub(super) url: String,
    _directory: TempDir,
}

impl S3Server {
    /// Starts one. None where it cannot be had, said aloud.
    #[expect(clippy::disallowed_methods, reason = "runs a server for the test")]
    pub(super) async fn start() -> Option<Self> {
        let directory = tempfile::tempdir().unwrap();
        let log = directory.path().join("log");
        let mut command = Command::new(uv());
        let arguments = ["tool", "run", "--no-python-downloads", "--from", MOTO, "moto_server", "-p", "0"];
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(File::create(&log).unwrap());
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let mut child = command.spawn().unwrap();
        let address = eventually("moto to listen", || {
            let said = std::fs::read_to_string(&log).unwrap();
            let has_ended = child.try_wait().unwrap().is_some();
            let listening = said.split_once("Running on ").and_then(|(_, rest)| rest.split_once(char::is_whitespace));
            let listening = listening.map(|(url, _)| Ok(url.to_owned()));
            std::future::ready(if has_ended { Some(Err(said)) } else { listening })
        })
        .await;
        match address {
            Ok(url) => {
                let server = Self { child, url, _directory: directory };
                let made = reqwest::Client::new().put(format!("{}/lab", server.url)).send().await.unwrap();
                assert!(made.status().is_success(), "{made:?}");
                Some(server)
            }
            Err(said) => {
                eprintln!("SKIPPED: {MOTO} cannot be had, so nothing was tried on S3: {said}");
                None
            }
        }
    }

    /// Names of everything in the bucket.
    pub(super) async fn names(&self) -> Vec<String> {
        let listed = reqwest::get(format!("{}/lab?list-type=2", self.url)).await.unwrap().text().await.unwrap();
        let keys = listed.split("<Key>").skip(1).filter_map(|rest| rest.split_once("</Key>"));
        keys.map(|(key, _)| key.to_owned()).collect()
    }

    /// Ends it.
    pub(super) fn end(&mut self) {
        // uv may stand before the server itself.
        let _ended = kill_process_group(Pid::from_child(&self.child), Signal::KILL);
        let _reaped = self.child.wait();
    }
}

impl Drop for S3Server {
    fn drop(&mut self) {
        self.end();
    }
}
