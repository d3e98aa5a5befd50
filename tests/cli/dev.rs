//! Developing a plugin beside a running server.

use std::{
    fs::{self, File},
    io::{BufRead as _, BufReader},
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use http::StatusCode;
use mint_tests::{Client, HANDSHAKE, PASSWORD, TestServer, bundle, eventually};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tokio::io::AsyncReadExt as _;

use super::Mint;
use crate::conformance::find_python;

const PYTHON: &str = ">=3.12,<3.14";
const PROJECT: &str = include_str!("projects/peaks.toml");
const PLUGIN: &str = include_str!("projects/peaks.py");
const ECHO: &str = include_str!("projects/echo.py");

/// A running `mint dev`, or a server of a developer's own.
struct Running(Child);

impl Running {
    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.0), signal).unwrap();
    }

    fn end(mut self, signal: Signal) -> Option<i32> {
        self.signal(signal);
        self.0.wait().unwrap().code()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Only one that a failed test leaves still runs; it takes its children along when it is asked.
        if let Ok(None) = self.0.try_wait() {
            self.signal(Signal::TERM);
            let _reaped = self.0.wait();
        }
    }
}

async fn signed_in() -> (Mint, Client) {
    let mint = Mint::serving().await;
    let login = mint.run_with(&["auth", "login", "admin"], PASSWORD);
    assert_eq!(login.code, Some(0), "{}", login.stderr);
    let client = Client::sign_in(&mint.url, "default", "admin").await;
    (mint, client)
}

fn free_port() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string()
}

fn log_path(mint: &Mint) -> PathBuf {
    mint.home().join("dev.log")
}

/// Begins `mint dev`. uv keeps its downloads where they are.
#[expect(clippy::disallowed_methods, reason = "uv reads its variable, too")]
fn dev(mint: &Mint, arguments: &[&str]) -> Running {
    let port = free_port();
    let log = File::create(log_path(mint)).unwrap();
    let mut command = mint.command(&[&["dev", "--port", &port], arguments].concat());
    let uv_cache = std::env::var("UV_CACHE_DIR").map(PathBuf::from);
    let uv_cache = uv_cache.unwrap_or_else(|_| std::env::home_dir().unwrap().join(".cache/uv"));
    command.env("UV_CACHE_DIR", uv_cache).env("UV_LINK_MODE", "copy").env("PYTHONDONTWRITEBYTECODE", "1");
    Running(command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap())
}

/// Waits for an answer; panics with the developer's terminal where `mint dev` has ended instead.
async fn answered(mint: &Mint, running: &mut Running, client: &Client, path: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    let ended = std::cell::RefCell::new(running);
    eventually(path, || async {
        let is_over = ended.borrow_mut().0.try_wait().unwrap().is_some();
        assert!(!is_over, "{}", fs::read_to_string(log_path(mint)).unwrap());
        let reply = client.get(path).await;
        (reply.status == StatusCode::OK).then(|| reply.json()).filter(|json| wanted(json))
    })
    .await
}

async fn gone(client: &Client, path: &str) {
    eventually("the end of it", || async { (client.get(path).await.status == StatusCode::NOT_FOUND).then_some(()) }).await;
    assert_eq!(client.get("/api/plugins").await.json()["installed"], json!([]));
}

/// The lines of `mint plugin list`, without spaces that only make columns.
fn listed(mint: &Mint) -> Vec<String> {
    let list = mint.run(&["plugin", "list"]).stdout;
    list.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

fn write_echo(mint: &Mint) -> String {
    let path = mint.home().join("echo.py");
    fs::write(&path, ECHO).unwrap();
    path.display().to_string()
}

/// A server that nobody but a file knows.
#[expect(clippy::disallowed_methods, reason = "a developer's own server")]
fn start_echo(python: &str, script: &str) -> (Running, u16) {
    let command = &mut Command::new(python);
    let mut child = command.arg(script).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    (Running(child), line.trim().parse().unwrap())
}

#[tokio::test]
async fn a_project_is_developed() {
    let Some(python) = find_python(PYTHON, "`mint dev`") else { return };
    let (mint, client) = signed_in().await;
    let source = mint.home().join("project/src/peaks");
    fs::create_dir_all(&source).unwrap();
    fs::write(mint.home().join("project/pyproject.toml"), PROJECT).unwrap();
    let module = source.join("__init__.py");
    fs::write(&module, PLUGIN).unwrap();
    let experiment = client.experiment("Run one").await;

    let mut running = dev(&mint, &["project", "--python", &python]);
    answered(&mint, &mut running, &client, "/api/peaks/word", |said| said["word"] == "first").await;
    assert_eq!(listed(&mint)[1], "mint-plugin-peaks 0.3.0 ready dev /api/peaks");
    let names = answered(&mint, &mut running, &client, "/api/peaks/experiments", |_| true).await;
    assert_eq!(names, json!({ "names": ["Run one"] }));
    assert_eq!(Client::anonymous(&mint.url).get("/api/peaks/word").await.status, StatusCode::UNAUTHORIZED);

    let changed = client.patch(&format!("/api/experiments/{experiment}"), &json!({ "status": "ongoing" })).await;
    assert_eq!(changed.status, StatusCode::OK, "{changed:?}");
    let heard = client.get("/api/peaks/word").await.json();
    assert_eq!(heard["seen"], json!([[experiment, "ongoing"]]));

    let (head, mut socket) = client.handshake("/api/peaks/socket", &HANDSHAKE).await;
    assert!(head.starts_with("HTTP/1.1 101"), "{head}");
    let mut frame = [0; 7];
    socket.read_exact(&mut frame).await.unwrap();
    assert_eq!(&frame, b"\x81\x05hello");

    fs::write(&module, PLUGIN.replace("first", "second")).unwrap();
    answered(&mint, &mut running, &client, "/api/peaks/word", |said| said["word"] == "second").await;
    // Who it acts for is known to new code, too.
    let names = client.get("/api/peaks/experiments").await.json();
    assert_eq!(names, json!({ "names": ["Run one"] }));

    assert_eq!(running.end(Signal::INT), Some(0));
    gone(&client, "/api/peaks/word").await;
}

#[tokio::test]
async fn what_a_killed_developer_left_is_gone_at_once() {
    let Some(python) = find_python(PYTHON, "a development server") else { return };
    let (mint, client) = signed_in().await;
    let echo = write_echo(&mint);
    let mut running = dev(&mint, &["--slug", "echo", "--prefix", "/e/cho", "--", &python, &echo]);
    let said = answered(&mint, &mut running, &client, "/api/e/cho/x?y=1", |_| true).await;
    assert_eq!(said["path"], "/api/e/cho/x?y=1");
    let token = said["environment"]["MINT_PLUGIN_TOKEN"].as_str().unwrap();
    assert_eq!((&said["headers"]["x-mint-internal-token"], token.len()), (&json!(token), 64));
    assert_eq!(said["environment"]["MINT_PLATFORM_URL"], json!(mint.url));
    assert_eq!((&said["headers"]["x-mint-username"], &said["headers"]["authorization"]), (&json!("admin"), &Value::Null));

    let hello = bundle("hello").path.display().to_string();
    let other = mint.run(&["dev", "--slug", "echo", "--port", &free_port(), "--", &python, &echo]);
    assert!(other.stderr.contains("is being developed here"), "{}", other.stderr);
    assert_eq!(mint.run(&["plugin", "install", &hello, "--yes"]).code, Some(0));
    let taken = mint.run(&["dev", "--slug", "other", "--prefix", "/hello", "--port", &free_port(), "--", &python, &echo]);
    assert!(taken.stderr.contains("mint plugin uninstall hello"), "{}", taken.stderr);
    assert_eq!(mint.run(&["plugin", "uninstall", "hello"]).code, Some(0));

    let token = HANDSHAKE_OF_A_PLUGIN.replace("<token>", token);
    let facts = |token: &str| {
        let lines = token.lines().filter_map(|line| line.split_once(": "));
        lines.fold(
            reqwest::Client::builder().build().unwrap().get(format!("{}/api/internal/platform", mint.url)),
            |ask, (name, value)| ask.header(name, value),
        )
    };
    assert_eq!(facts(&token).send().await.unwrap().status(), StatusCode::OK);
    running.end(Signal::KILL);
    gone(&client, "/api/e/cho/x").await;
    let refused = || async { (facts(&token).send().await.unwrap().status() == StatusCode::FORBIDDEN).then_some(()) };
    eventually("the end of its secret", refused).await;
}

const HANDSHAKE_OF_A_PLUGIN: &str = "x-mint-internal-token: <token>\nx-mint-plugin-name: echo";

#[tokio::test]
async fn a_server_that_is_down_is_told_of_and_may_come_back() {
    let Some(python) = find_python(PYTHON, "a development server") else { return };
    let (mint, client) = signed_in().await;
    // It listens once it is told to.
    let script = mint.home().join("late.py");
    let waits = "import os, time\nwhile not os.path.exists('go'):\n    time.sleep(0.02)\n";
    fs::write(&script, format!("{waits}{ECHO}")).unwrap();
    let script = script.display().to_string();
    let mut running = dev(&mint, &["--slug", "late", "--", &python, &script]);
    let away = eventually("the place", || async {
        let reply = client.get("/api/late").await;
        (reply.status != StatusCode::NOT_FOUND).then_some(reply)
    })
    .await;
    assert_eq!((away.status, away.code().as_str()), (StatusCode::SERVICE_UNAVAILABLE, "plugin.dev_server_away"));
    assert_eq!(listed(&mint)[1], "late dev ready, unhealthy dev /api/late");
    fs::write(mint.home().join("go"), "").unwrap();
    answered(&mint, &mut running, &client, "/api/late", |_| true).await;
    assert_eq!(running.end(Signal::TERM), Some(0));
    gone(&client, "/api/late").await;
}

#[tokio::test]
async fn the_file_of_mints_own_dev_command_is_followed() {
    let Some(python) = find_python(PYTHON, "a development server") else { return };
    let (mint, client) = signed_in().await;
    let (one, first) = start_echo(&python, &write_echo(&mint));
    let (_two, second) = start_echo(&python, &write_echo(&mint));
    let write = |text: &str| {
        // As a whole, as an editor does.
        fs::write(mint.home().join("new.toml"), text).unwrap();
        fs::rename(mint.home().join("new.toml"), mint.home().join("config.dev.toml")).unwrap();
    };
    let answers = async |path: &str, port: u16| {
        eventually(path, || async {
            let reply = client.get(path).await;
            (reply.status == StatusCode::OK && reply.json()["headers"]["host"].is_string()).then_some(())?;
            let shown = client.get("/api/plugins").await.text();
            shown.contains(&port.to_string()).then(|| reply.json())
        })
        .await
    };
    write(&format!("[proxy]\n\"/peaks\" = \"http://localhost:{first}\"\n"));
    let said = answers("/api/peaks/a", first).await;
    assert_eq!((&said["path"], &said["headers"]["x-mint-username"]), (&json!("/api/peaks/a"), &json!("admin")));
    for secret in ["x-mint-internal-token", "authorization", "cookie"] {
        assert_eq!(said["headers"][secret], Value::Null, "{secret}");
    }

    let table = format!(
        "[proxy.\"/peaks\"]\ntarget = \"http://127.0.0.1:{second}\"\nname = \"Peaks\"\nversion = \"2.0\"\nnav_items = []\n"
    );
    write(&table);
    answers("/api/peaks/a", second).await;
    assert_eq!(listed(&mint)[1], "peaks 2.0 ready dev /api/peaks");
    drop(one);

    write("[proxy]\n\"/peaks\" = \"http://10.0.0.1:80\"\n");
    eventually("the mistake in the log", || async { mint.log().contains("config.dev.toml: line 2: the target").then_some(()) })
        .await;
    assert_eq!(client.get("/api/peaks/a").await.status, StatusCode::OK);

    fs::remove_file(mint.home().join("config.dev.toml")).unwrap();
    gone(&client, "/api/peaks/a").await;
}

#[tokio::test]
async fn what_may_not_be_developed_is_refused() {
    let wanted = |address: &str, plugin: Value| json!({ "plugin": plugin, "address": address });
    let echo = json!({ "slug": "echo", "version": "1" });
    let server = TestServer::start().await;
    let refused = async |client: &Client, wanted: &Value| {
        let reply = client.post("/api/plugins/dev", wanted).await;
        (reply.status.as_u16(), reply.code())
    };
    let here = wanted("127.0.0.1:9", echo.clone());
    assert_eq!(refused(&server.client("member").await, &here).await, (403, "PERMISSION_DENIED".to_owned()));
    assert_eq!(refused(&Client::anonymous(&server.url), &here).await.0, 401);
    for bad in [
        wanted("10.0.0.1:80", echo),
        wanted("127.0.0.1:9", json!({ "slug": "plan", "version": "1" })),
        wanted("127.0.0.1:9", json!({ "slug": "echo", "version": "" })),
    ] {
        assert_eq!(refused(&server.admin, &bad).await, (400, "VALIDATION_ERROR".to_owned()), "{bad}");
    }
    let off = TestServer::with(&[("MINT_PLUGINS__DEV", "false")]).await;
    assert_eq!(refused(&off.admin, &here).await, (403, "plugin.dev_off".to_owned()));
    assert!(!Path::new("config.dev.toml").exists());
}
