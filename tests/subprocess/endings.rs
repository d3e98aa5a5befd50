//! Processes that do not want to end, or do not want to be quiet.

use std::time::{Duration, Instant};

use http::StatusCode;
use mint_domain::limit::LOG_LINE_BYTES_MAX;
use mint_tests::{TestServer, bundle, eventually, resident_bytes};
use serde_json::{Value, json};

use super::{Program, is_alive};
use crate::hostile::neighbour::{counted, neighbour_answers};

#[tokio::test]
async fn one_that_ignores_sigterm_ends_with_its_children() {
    let server = TestServer::start().await;
    let admin = &server.admin;
    assert_eq!(server.install(&Program::STUBBORN.bundle("stubborn")).await["status"], "done");
    let family = admin.get("/api/stubborn/family").await.json();
    let pids = family["pids"].as_array().unwrap();
    assert!(pids.iter().all(is_alive));

    let began = Instant::now();
    let operation = admin.uninstall("stubborn", "keep").await;
    assert_eq!(operation["status"], "done", "{operation}");
    assert!(began.elapsed() < Duration::from_secs(40));
    assert!(!pids.iter().any(is_alive), "{pids:?} still run");
    assert_eq!(admin.get("/api/plugins/stubborn").await.status, StatusCode::NOT_FOUND);
    assert_eq!(admin.get("/api/stubborn/family").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_willing_one_ends_at_once_and_leaves_nothing() {
    let mut server = TestServer::start().await;
    assert_eq!(server.install(&bundle("hello-process")).await["status"], "done");
    let pid = server.admin.plugin("hello-process").await["runtime"]["pid"].clone();
    let run = server.data.with_file_name("run");
    assert_eq!(std::fs::read_dir(&run).unwrap().count(), 1);
    let began = Instant::now();
    assert_eq!(server.admin.reload("hello-process").await["status"], "done");
    assert!(!is_alive(&pid));
    let pid = server.admin.plugin("hello-process").await["runtime"]["pid"].clone();
    server.stop().await;
    assert!(began.elapsed() < Duration::from_secs(20));
    assert!(!is_alive(&pid));
    assert_eq!(std::fs::read_dir(&run).unwrap().count(), 0, "a private directory was left behind");
}

#[tokio::test]
pub(crate) async fn one_that_prints_without_end_is_bounded_and_answers() {
    let server = TestServer::start().await;
    let admin = &server.admin;
    let decision = json!({ "limits": { "log_bytes_per_minute_max": 20_000 } });
    assert_eq!(admin.install(&Program::TALKATIVE.bundle("talkative"), decision).await["status"], "done");
    for _ in 0..20 {
        assert_eq!(admin.get("/api/talkative/pid").await.status, StatusCode::OK);
    }
    admin.installed(&bundle("hello"), json!({})).await;
    neighbour_answers(&server).await;
    let before = resident_bytes();
    for _ in 0..200 {
        assert_eq!(admin.get("/api/talkative/pid").await.status, StatusCode::OK);
    }
    let grown = resident_bytes().saturating_sub(before);
    assert!(grown < 64 << 20, "the host grew by {grown} bytes");
    let shown = admin.plugin("talkative").await;
    assert_eq!(shown["state"], "ready");
    let log: Vec<&str> = shown["log"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    assert!(!log.is_empty() && log.len() <= 50, "{} lines", log.len());
    assert!(log.iter().all(|line| line.len() <= LOG_LINE_BYTES_MAX + 64 && !line.contains('\u{1b}')), "{log:?}");
    assert!(log.iter().any(|line| line.contains("of very many")), "{log:?}");
    neighbour_answers(&server).await;
    counted(admin, "talkative", "log_bytes_per_minute_max").await;

    let pid = shown["runtime"]["pid"].clone();
    assert_eq!(admin.uninstall("talkative", "keep").await["status"], "done");
    eventually("the end of the process", || async { (!is_alive(&pid)).then_some(()) }).await;
}
