//! The platform dies without a word: nothing of it stays, and the next one finds its way.

use std::fs;

use http::{Method, StatusCode};
use mint_tests::{Client, bundle, eventually};
use rustix::process::Signal;
use serde_json::{Value, json};

use super::{Program, is_alive};
use crate::cli::Mint;

#[tokio::test]
async fn a_killed_platform_leaves_no_process_and_starts_again() {
    let mut mint = Mint::serving().await;
    let admin = Client::sign_in(&mint.url, "default", "admin").await;
    let everything = json!({ "grant_requested": true });
    for guest in [bundle("hello-process"), Program::STUBBORN.bundle("stubborn")] {
        assert_eq!(admin.install(&guest, everything.clone()).await["status"], "done");
    }
    let hello = admin.plugin("hello-process").await["runtime"]["pid"].clone();
    let family = admin.get("/api/stubborn/family").await.json()["pids"].clone();
    let run = mint.home().join("run");
    assert_eq!(fs::read_dir(&run).unwrap().count(), 2);

    assert_eq!(mint.end(Signal::KILL), None);
    for pid in [&hello, &family[0]] {
        eventually("the end of a plugin", || async { (!is_alive(pid)).then_some(()) }).await;
    }
    assert_eq!(fs::read_dir(&run).unwrap().count(), 2, "nobody was there to clean up");

    mint.serve().await;
    let admin = admin.at(&mint.url);
    for path in ["/api/hello-process/", "/api/stubborn/family"] {
        let reply = eventually("a plugin that was running before", || async {
            let reply = admin.get(path).await;
            (reply.status == StatusCode::OK).then_some(reply)
        })
        .await;
        assert_ne!(reply.json()["pids"], family);
    }
    assert!(!is_alive(&family[1]), "the child that left its group outlived two platforms");
    assert_eq!(fs::read_dir(&run).unwrap().count(), 2, "stale directories were left");
    let pids: Vec<Value> = admin.get("/api/stubborn/family").await.json()["pids"].as_array().unwrap().clone();
    assert_eq!(mint.end(Signal::TERM), Some(0));
    assert!(!pids.iter().any(is_alive), "{pids:?} outlived the platform");
    assert_eq!(fs::read_dir(&run).unwrap().count(), 0);
}

#[tokio::test]
async fn a_second_signal_ends_at_once() {
    let mut mint = Mint::serving().await;
    let admin = Client::sign_in(&mint.url, "default", "admin").await;
    let operation = admin.install(&Program::NOSY.bundle("nosy"), json!({ "grant_requested": true })).await;
    assert_eq!(operation["status"], "done");
    let pid = admin.plugin("nosy").await["runtime"]["pid"].clone();
    let held = admin.request(Method::GET, "/api/nosy/hold").send();
    let end = async {
        eventually("the request in progress", || async {
            (admin.plugin("nosy").await["usage"]["in_progress"] == 1).then_some(())
        })
        .await;
        mint.signal(Signal::INT);
        eventually("the first signal to be seen", || async { mint.log().contains("a second signal").then_some(()) }).await;
        mint.end(Signal::INT)
    };
    let (held, code) = tokio::join!(held, end);
    assert!(held.is_err(), "a request that never ends was answered: {held:?}");
    assert_eq!(code, Some(1));
    eventually("the end of the plugin", || async { (!is_alive(&pid)).then_some(()) }).await;
}
