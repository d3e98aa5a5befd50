//! How jobs end that do not come to their end by themselves, and how far they are before.

use std::time::{Duration, Instant};

use http::StatusCode;
use mint_tests::{TestServer, eventually};
use serde_json::{Value, json};

use super::{begin, is_cancelled, job, plugins, stands};
use crate::hostile::neighbour::beside;

#[tokio::test]
async fn one_that_listens_ends_when_it_is_not_wanted_any_more() {
    let server = TestServer::start().await;
    for (slug, guest) in plugins() {
        server.admin.installed(&guest, json!({})).await;
        let id = begin(&server.admin, slug, json!({ "kind": "wait", "payload": {} })).await;
        stands(&server.admin, id, "running").await;
        let begun = Instant::now();
        let ended = is_cancelled(&server.admin, id).await;
        assert!(begun.elapsed() < Duration::from_secs(8), "{:?}: it was not told", begun.elapsed());
        assert_eq!((&ended["outcome"], &ended["is_cancelled"]), (&Value::Null, &json!(true)));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_does_not_listen_is_cut_off() {
    let server = TestServer::start().await;
    server.admin.installed(&mint_tests::bundle("hello"), json!({})).await;
    for (slug, guest) in plugins() {
        server.admin.installed(&guest, json!({})).await;
        let id = begin(&server.admin, slug, json!({ "kind": "spin", "payload": {} })).await;
        stands(&server.admin, id, "running").await;
        let (ended, answered) = beside(&server, is_cancelled(&server.admin, id)).await;
        assert!(answered > 10, "the neighbour answered {answered} times beside {ended:#}");
        assert_eq!(server.admin.plugin(slug).await["state"], "ready");
    }
}

#[tokio::test]
async fn one_that_breaks_is_told_so_and_tried_again() {
    let server = TestServer::start().await;
    for (slug, guest) in plugins() {
        server.admin.installed(&guest, json!({})).await;
        let id = begin(&server.admin, slug, json!({ "kind": "trap", "payload": {}, "retries": 1 })).await;
        let failed = stands(&server.admin, id, "failed").await;
        assert_eq!(failed["attempt"], 2, "{failed:#}");
        assert!(failed["error"].as_str().unwrap().starts_with("The plugin broke"), "{failed:#}");
        let after = begin(&server.admin, slug, json!({ "kind": "echo", "payload": "still here" })).await;
        assert_eq!(stands(&server.admin, after, "completed").await["outcome"], "still here");
    }
}

#[tokio::test]
async fn what_is_too_long_to_be_kept_is_no_outcome() {
    let server = TestServer::start().await;
    for (slug, guest) in plugins() {
        server.admin.installed(&guest, json!({})).await;
        let most = begin(&server.admin, slug, json!({ "kind": "long", "payload": { "bytes": 65_536 } })).await;
        assert_eq!(stands(&server.admin, most, "completed").await["outcome"].as_str().unwrap().len(), 65_534);
        for bytes in [65_537, 1_000_000] {
            let id = begin(&server.admin, slug, json!({ "kind": "long", "payload": { "bytes": bytes }, "retries": 3 })).await;
            let failed = eventually("the end of a job that gives too much", || async {
                let job = job(&server.admin, id).await;
                // That a process gives far too much is found out while it does, and may be another time otherwise.
                (job["error"] != Value::Null).then_some(job)
            })
            .await;
            cancel_quietly(&server, id).await;
            assert_ne!(failed["status"], "completed", "{failed:#}");
        }
    }
}

async fn cancel_quietly(server: &TestServer, id: i64) {
    let reply = server.admin.post(&format!("/api/jobs/{id}/cancel"), &Value::Null).await;
    assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
}

#[tokio::test]
async fn one_that_promised_signs_of_life_and_gives_none_has_failed() {
    let server = TestServer::start().await;
    for (slug, guest) in plugins() {
        server.admin.installed(&guest, json!({})).await;
        let silent = json!({ "kind": "sleep", "payload": { "ms": 60_000 }, "heartbeat_seconds": 1 });
        let silent = begin(&server.admin, slug, silent).await;
        let lively = begin(&server.admin, slug, json!({ "kind": "wait", "payload": {}, "heartbeat_seconds": 1 })).await;
        let failed = stands(&server.admin, silent, "failed").await;
        assert!(failed["error"].as_str().unwrap().contains("no sign of life for the 1 s"), "{failed:#}");
        if slug == "worker" {
            assert_eq!(job(&server.admin, lively).await["status"], "running");
        }
        cancel_quietly(&server, lively).await;
    }
}

#[tokio::test]
async fn one_tells_how_far_it_is() {
    for server in TestServer::on_every_database(&[]).await {
        for (slug, guest) in plugins() {
            server.admin.installed(&guest, json!({})).await;
            let payload = json!({ "percent": 40, "message": "spectrum 400 of 1,000", "ms": 3_000 });
            let id = begin(&server.admin, slug, json!({ "kind": "progress", "payload": payload })).await;
            let under_way = eventually("its progress", || async {
                let job = job(&server.admin, id).await;
                (job["percent"] == 40).then_some(job)
            })
            .await;
            assert_eq!((&under_way["message"], &under_way["status"]), (&json!("spectrum 400 of 1,000"), &json!("running")));
            let done = stands(&server.admin, id, "completed").await;
            assert_eq!((&done["percent"], &done["outcome"]), (&json!(40), &Value::Null));
            let wrong = begin(&server.admin, slug, json!({ "kind": "progress", "payload": { "percent": 101, "ms": 0 } })).await;
            let failed = stands(&server.admin, wrong, "failed").await;
            assert!(failed["error"].as_str().unwrap().contains("0 to 100"), "{failed:#}");
        }
    }
}
