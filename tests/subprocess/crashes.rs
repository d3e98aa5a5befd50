//! A process that ends by itself, or by a foreign hand, is started again: within a budget.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use http::StatusCode;
use mint_domain::State;
use mint_store::installations;
use mint_tests::{TestServer, bundle, eventually};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use super::{Program, is_alive};
use crate::hostile::neighbour::beside;

/// A first restart waits for half a second at most; the rest is for a machine that is busy.
const RECOVERY_MAX: Duration = Duration::from_secs(10);

#[tokio::test]
async fn a_killed_process_is_replaced_while_others_go_on() {
    let server = TestServer::start().await;
    let admin = &server.admin;
    assert_eq!(server.install(&Program::MORTAL.bundle("mortal")).await["status"], "done");
    assert_eq!(server.install(&bundle("hello-process")).await["status"], "done");
    let first = admin.get("/api/mortal/pid").await.json()["pid"].clone();

    let ended = AtomicBool::new(false);
    let mortal = join_all((0..8).map(async |_| {
        let mut statuses = Vec::new();
        while !ended.load(Ordering::Relaxed) {
            statuses.push(admin.get("/api/mortal/pid").await.status.as_u16());
        }
        statuses
    }));
    let neighbour = join_all((0..8).map(async |_| {
        while !ended.load(Ordering::Relaxed) {
            let reply = admin.get("/api/hello-process/").await;
            assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
        }
    }));
    let killer = async {
        let began = Instant::now();
        kill_process(Pid::from_raw(first.as_i64().unwrap() as i32).unwrap(), Signal::KILL).unwrap();
        let second = eventually("another process", || async {
            let reply = admin.get("/api/mortal/pid").await;
            (reply.status == StatusCode::OK && reply.json()["pid"] != first).then(|| reply.json()["pid"].clone())
        })
        .await;
        ended.store(true, Ordering::Relaxed);
        assert!(began.elapsed() < RECOVERY_MAX, "it answered again after {:?}", began.elapsed());
        second
    };
    let (statuses, _, second) = tokio::join!(mortal, neighbour, killer);
    assert!(statuses.iter().flatten().all(|status| [200, 500, 502, 503].contains(status)), "{statuses:?}");
    assert!(!is_alive(&first) && is_alive(&second));

    let shown = admin.plugin("mortal").await;
    assert_eq!((&shown["state"], &shown["health"]["status"]), (&json!("ready"), &json!("healthy")));
    let runtime = &shown["runtime"];
    assert_eq!((&runtime["process"], &runtime["pid"], &runtime["restarts"]), (&json!("up"), &second, &json!(1)));
    assert!(runtime["last_exit"]["how"].as_str().unwrap().contains("SIGKILL"), "{runtime}");
}

#[tokio::test]
pub(crate) async fn a_process_that_eats_memory_gets_no_more_than_its_limit() {
    let server = TestServer::start().await;
    let admin = &server.admin;
    let gluttonous = Program::of(
        "@route('/eat')\ndef eat(_):\n    try:\n        return {'eaten': len(bytes(2 << 30))}\n    \
         except MemoryError:\n        return {'eaten': 0}\n\nserve()\n",
    );
    admin.installed(&gluttonous.bundle("gluttonous"), json!({ "process_memory_bytes_max": 1_u64 << 30 })).await;
    admin.installed(&bundle("hello"), json!({})).await;
    let first = admin.get("/api/gluttonous/pid").await.json();
    let (eaten, _) = beside(&server, admin.get("/api/gluttonous/eat")).await;
    assert_eq!(eaten.json()["eaten"], 0);
    assert_eq!(admin.get("/api/gluttonous/pid").await.json(), first);
}

#[tokio::test]
async fn a_process_that_ends_again_and_again_is_left_alone() {
    let server = TestServer::start().await;
    let admin = &server.admin;
    assert_eq!(server.install(&Program::MORTAL.bundle("mortal")).await["status"], "done");
    assert_eq!(server.install(&bundle("hello-process")).await["status"], "done");
    let failed = eventually("the end of the budget", || async {
        let reply = admin.get("/api/mortal/die").await;
        assert!(matches!(reply.status.as_u16(), 500 | 503), "{reply:?}");
        let shown = admin.plugin("mortal").await;
        (shown["state"] == "failed").then_some(shown)
    })
    .await;
    assert_eq!(failed["quarantine"]["faults"], 5);
    assert!(failed["quarantine"]["next_probe_at"].as_str().unwrap().ends_with('Z'), "{failed}");
    let reason = failed["reason"].as_str().unwrap();
    assert!(reason.contains("5 times within 60 s") && reason.contains("exited with code 7"), "{reason}");
    let lines: Vec<&str> = failed["log_excerpt"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    assert!(lines.contains(&"I was told to die") && lines.contains(&"so I do"), "{lines:?}");
    assert!(!failed["hint"].as_str().unwrap().is_empty());

    let refused = admin.get("/api/mortal/pid").await;
    assert_eq!((refused.status, refused.code().as_str()), (StatusCode::SERVICE_UNAVAILABLE, "plugin.not_ready"), "{refused:?}");
    assert!(refused.headers.contains_key("retry-after") && refused.text().contains("exited with code 7"), "{refused:?}");
    assert_eq!(admin.get("/api/hello-process/").await.status, StatusCode::OK);
    let listed = admin.get("/api/plugins").await.json();
    assert_eq!(listed["loaded"], json!(["hello-process"]));

    probe_is_due(&server, "mortal").await;
    eventually("the probe", || async { (admin.get("/api/mortal/pid").await.status == StatusCode::OK).then_some(()) }).await;
    let mended = admin.plugin("mortal").await;
    assert_eq!((&mended["state"], &mended["quarantine"]), (&json!("ready"), &Value::Null), "{mended:#}");
}

/// As if the time until the next probe had passed.
async fn probe_is_due(server: &TestServer, slug: &str) {
    let services = server.server.as_ref().unwrap().platform.services();
    let mut tx = services.db.begin().await.unwrap();
    let all = installations::list_all(&mut tx).await.unwrap();
    let found = all.into_iter().find(|one| one.slug == slug).unwrap();
    let State::Failed(mut failure) = found.state else { panic!("{:?}", found.state) };
    let now = services.clock.now();
    failure.quarantine.as_mut().unwrap().next_probe_at = now;
    installations::set_state(&mut tx, found.tenant_id, found.id, &State::Failed(failure), now).await.unwrap();
    tx.commit().await.unwrap();
}
