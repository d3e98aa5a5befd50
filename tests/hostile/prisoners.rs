//! A process that tries to get out of its sandbox, beside a neighbour that keeps answering.

use std::fs;

use http::StatusCode;
use mint_tests::{TestServer, bundle, eventually};
use serde_json::{Value, json};

use super::neighbour::beside;
use crate::subprocess::{
    is_alive,
    sandbox::{holds, prisoner, tries},
};

/// A server with two prisoners, and `hello`.
async fn prison() -> TestServer {
    let server = TestServer::start().await;
    server.install(&prisoner("prisoner", &["files"])).await;
    server.install(&prisoner("victim", &["files", "http:a.example"])).await;
    server.admin.installed(&bundle("hello"), json!({})).await;
    server
}

/// Every attempt ends with this error, and the plugin serves on.
async fn all_end_with(server: &TestServer, error: &str, attempts: &[Value]) {
    let (answers, _) = beside(server, tries(server, "prisoner", json!(attempts))).await;
    for (attempt, answer) in attempts.iter().zip(&answers) {
        assert_eq!(answer, error, "{attempt}");
    }
    assert_eq!(answers.len(), attempts.len());
    for slug in ["prisoner", "victim"] {
        assert_eq!(server.admin.get(&format!("/api/{slug}/pid")).await.status, StatusCode::OK);
    }
}

#[tokio::test]
pub(super) async fn it_reads_nobody_elses_files() {
    let server = prison().await;
    if !holds(&server, "prisoner", "files").await {
        return;
    }
    let home = |slug: &str| server.data.join("plugin-data/default").join(slug);
    let secret = home("victim").join("secret");
    fs::write(&secret, "x").unwrap();
    let victim = server.admin.get("/api/victim/pid").await.json()["pid"].clone();
    let runtime = server.data.parent().unwrap().join("run");
    let database = server.data.join("mint.sqlite");
    all_end_with(
        &server,
        "EACCES",
        &[
            json!(["read", secret]),
            json!(["write", secret]),
            json!(["remove", secret]),
            json!(["list", home("victim")]),
            json!(["list", server.data]),
            json!(["read", database]),
            json!(["write", database]),
            json!(["list", runtime]),
            json!(["list", "/root"]),
            json!(["list", "/proc"]),
            json!(["list", "/tmp"]),
            json!(["list", "/dev/shm"]),
            json!(["read", format!("/proc/{victim}/cmdline")]),
            json!(["read", format!("/proc/{victim}/environ")]),
            json!(["list", format!("/proc/{}/fd", std::process::id())]),
            json!(["read", format!("/proc/{}/mem", std::process::id())]),
            json!(["read", "/etc/shadow"]),
            json!(["write", "/etc/ld.so.preload"]),
            json!(["write", "/usr/bin/mint-was-here"]),
        ],
    )
    .await;
    // By a link in its own directory neither.
    let link = home("prisoner").join("link");
    std::os::unix::fs::symlink(&database, &link).unwrap();
    all_end_with(&server, "EACCES", &[json!(["read", link])]).await;
    let hard = home("prisoner").join("hard");
    let answers = tries(&server, "prisoner", json!([["link", database, hard], ["rename", secret, hard]])).await;
    assert!(answers.iter().all(|answer| answer == "EXDEV" || answer == "EACCES"), "{answers:?}");
    assert_eq!(fs::read_to_string(secret).unwrap(), "x");
}

#[tokio::test]
pub(super) async fn it_changes_neither_its_program_nor_runs_another() {
    let server = prison().await;
    if !holds(&server, "prisoner", "files").await {
        return;
    }
    let pid = server.admin.get("/api/prisoner/pid").await.json()["pid"].clone();
    let line = fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap();
    let program = line.split('\0').find(|part| part.contains("/executables/")).unwrap();
    let own = server.data.join("plugin-data/default/prisoner/tool");
    fs::copy("/bin/true", &own).unwrap();
    all_end_with(&server, "EACCES", &[json!(["write", program]), json!(["remove", program]), json!(["run", own])]).await;
}

#[tokio::test]
pub(super) async fn it_makes_no_system_call_that_opens_the_machine() {
    let server = prison().await;
    if !holds(&server, "prisoner", "syscalls").await || std::env::consts::ARCH != "x86_64" {
        return;
    }
    let victim = server.admin.get("/api/victim/pid").await.json()["pid"].clone();
    let parent = std::process::id();
    let (new_user, attach) = (0x1000_0000, 16);
    all_end_with(
        &server,
        "EPERM",
        &[
            json!(["call", 101, attach, victim, 0, 0]),
            json!(["call", 101, attach, parent, 0, 0]),
            json!(["call", 272, new_user]),
            json!(["call", 308, 0, 0]),
            json!(["call", 165, 0, 0, 0, 0, 0]),
            json!(["call", 166, 0, 0]),
            json!(["call", 155, 0, 0]),
            json!(["call", 161, 0]),
            json!(["call", 56, new_user | 17, 0, 0, 0, 0]),
            json!(["call", 321, 0, 0, 0]),
            json!(["call", 250, 0, 0, 0, 0, 0]),
            json!(["call", 298, 0, 0, 0, 0, 0]),
            json!(["call", 323, 0]),
            json!(["call", 246, 0, 0, 0, 0]),
            json!(["call", 310, parent, 0, 0, 0, 0, 0]),
            json!(["call", 311, victim, 0, 0, 0, 0, 0]),
            json!(["call", 304, 0, 0, 0]),
            json!(["call", 438, 0, 0, 0]),
            json!(["call", 302, parent, 7, 0, 0]),
            json!(["call", 141, 0, parent, 19]),
            json!(["call", 203, parent, 0, 0]),
        ],
    )
    .await;
    all_end_with(&server, "ENOSYS", &[json!(["call", 425, 1, 0]), json!(["call", 435, 0, 0])]).await;
}

#[tokio::test]
pub(super) async fn it_signals_nobody_else() {
    let server = prison().await;
    if !holds(&server, "prisoner", "signals").await {
        return;
    }
    let victim = server.admin.get("/api/victim/pid").await.json()["pid"].clone();
    let server_pid = std::process::id();
    let term = 15;
    all_end_with(
        &server,
        "EPERM",
        &[json!(["kill", victim, 9]), json!(["kill", server_pid, 0]), json!(["kill", server_pid, term])],
    )
    .await;
    // To all at once: nobody but itself is left, and it is spared.
    let before = server.admin.get("/api/victim/pid").await.json();
    let answers = tries(&server, "prisoner", json!([["kill", -1, 9]])).await;
    assert!(answers[0] == "EPERM" || answers[0].get("done").is_some(), "{answers:?}");
    assert_eq!(server.admin.get("/api/victim/pid").await.json(), before);
    assert!(is_alive(&victim));
}

#[tokio::test]
pub(super) async fn it_does_not_find_its_neighbours_sockets() {
    let server = prison().await;
    if !holds(&server, "prisoner", "files").await {
        return;
    }
    let own = tries(&server, "prisoner", json!([["environment", "MINT_PLUGIN_SOCKET"]])).await[0]["done"].clone();
    let directory = std::path::Path::new(own.as_str().unwrap()).parent().unwrap().to_owned();
    let all = directory.parent().unwrap();
    let attempts = json!([["list", all], ["list", directory], ["connect_unix", own]]);
    for slug in ["prisoner", "victim"] {
        // A network of its own lists its own sockets; the machine's, which the victim is granted, would list everybody's.
        let listed = tries(&server, slug, json!([["text", "/proc/net/unix"], ["text", "/proc/thread-self/net/unix"]])).await;
        assert!(
            listed.iter().all(|listed| !listed.to_string().contains(&format!("default-{}", other(slug)))),
            "{slug}: {listed:?}"
        );
    }
    let answers = tries(&server, "prisoner", attempts).await;
    assert_eq!(answers[0], "EACCES");
    assert!(answers[1..].iter().all(|answer| answer.get("done").is_some()), "{answers:?}");
}

fn other(slug: &str) -> &'static str {
    if slug == "prisoner" { "victim" } else { "prisoner" }
}

#[tokio::test]
pub(super) async fn a_fork_bomb_ends_with_all_its_children() {
    let server = TestServer::start().await;
    server.admin.installed(&prisoner("prisoner", &[]), json!({ "processes_max": 60 })).await;
    server.admin.installed(&bundle("hello"), json!({})).await;
    let first = server.admin.get("/api/prisoner/pid").await.json();
    let socket = tries(&server, "prisoner", json!([["environment", "MINT_PLUGIN_SOCKET"]])).await[0]["done"].clone();
    let (reply, _) = beside(&server, server.admin.get("/api/prisoner/fork-bomb")).await;
    assert_ne!(reply.status, StatusCode::NOT_FOUND, "{reply:?}");
    let second = eventually("another process", || async {
        let reply = server.admin.get("/api/prisoner/pid").await;
        (reply.status == StatusCode::OK && reply.json() != first).then(|| reply.json())
    })
    .await;
    assert_ne!(first, second);
    let entry = format!("MINT_PLUGIN_SOCKET={}", socket.as_str().unwrap());
    let left = fs::read_dir("/proc").unwrap().flatten().filter(|process| {
        let environment = fs::read(process.path().join("environ")).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|one| one == entry.as_bytes())
    });
    assert_eq!(left.count(), 0, "children of the bomb still run");
}
