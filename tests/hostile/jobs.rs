//! Plugins that ask for more work than they may.

use std::time::{Duration, Instant};

use mint_tests::{Client, Guest, TestServer, bundle, eventually};
use serde_json::{Value, json};

use super::neighbour::{beside, counted_and_told, neighbour_answers};
use crate::jobs::{ask, begin, job, stands, worker};

const SHARED: &str = "hostile";
const ISOLATED: &str = "worker";

fn guest(slug: &str) -> Guest {
    if slug == SHARED { bundle(SHARED) } else { worker() }
}

async fn server_with(slug: &str, limits: Value) -> TestServer {
    let server = TestServer::start().await;
    server.admin.installed(&guest(slug), limits).await;
    server.admin.installed(&bundle("hello"), json!({})).await;
    server
}

async fn cancel(client: &Client, id: i64) {
    client.post(&format!("/api/jobs/{id}/cancel"), &Value::Null).await;
}

/// How one limit of a plugin stands.
async fn limit(client: &Client, slug: &str, name: &str) -> Value {
    let limits = client.get(&format!("/api/plugins/{slug}/limits")).await.json();
    limits.as_array().unwrap().iter().find(|limit| limit["name"] == name).unwrap().clone()
}

async fn crowd(slug: &str) {
    let server = server_with(slug, json!({ "jobs_concurrency_max": 2 })).await;
    let admin = &server.admin;
    let wanted = || json!({ "kind": "wait", "payload": {} });
    let mut ids = Vec::new();
    for _ in 0..5 {
        ids.push(begin(admin, slug, wanted()).await);
    }
    let running = || async {
        let running = admin.get("/api/jobs?status=running").await.json();
        running.as_array().unwrap().iter().map(|job| job["id"].as_i64().unwrap()).collect::<Vec<_>>()
    };
    let (first, _) = beside(&server, async {
        counted_and_told(admin, slug, "jobs_concurrency_max").await;
        running().await
    })
    .await;
    assert_eq!(first, [ids[1], ids[0]], "those that came first");
    let status = limit(admin, slug, "jobs_concurrency_max").await;
    assert_eq!((&status["current"], &status["peak"], &status["value"]), (&json!(2), &json!(2), &json!(2)));
    assert_eq!(limit(admin, slug, "jobs_queue_max").await["current"], 3);
    cancel(admin, ids[0]).await;
    eventually("the next one to begin", || async { running().await.contains(&ids[2]).then_some(()) }).await;
    assert_eq!(running().await, [ids[2], ids[1]]);
    for id in ids {
        cancel(admin, id).await;
        stands(admin, id, "cancelled").await;
    }
}

#[tokio::test]
pub(super) async fn jobs_beyond_those_at_once_wait() {
    crowd(SHARED).await;
}

#[tokio::test]
pub(super) async fn jobs_of_a_process_beyond_those_at_once_wait() {
    crowd(ISOLATED).await;
}

/// Whether it computes or waits.
async fn overlong(slug: &str) {
    let server = server_with(slug, json!({ "job_ms_max": 700 })).await;
    for (kind, payload) in [("spin", json!({})), ("sleep", json!({ "ms": 3_600_000 }))] {
        let begun = Instant::now();
        let id = begin(&server.admin, slug, json!({ "kind": kind, "payload": payload })).await;
        let (failed, answered) = beside(&server, stands(&server.admin, id, "failed")).await;
        assert!(failed["error"].as_str().unwrap().contains("0.7 s"), "{failed:#}");
        assert!(begun.elapsed() >= Duration::from_millis(700) && answered > 0, "{:?}, {answered} answers", begun.elapsed());
    }
    counted_and_told(&server.admin, slug, "job_ms_max").await;
    let short = begin(&server.admin, slug, json!({ "kind": "echo", "payload": 1 })).await;
    stands(&server.admin, short, "completed").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
pub(super) async fn a_job_ends_with_its_time() {
    overlong(SHARED).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
pub(super) async fn a_job_of_a_process_ends_with_its_time() {
    overlong(ISOLATED).await;
}

async fn queue(slug: &str) {
    let server = server_with(slug, json!({ "jobs_queue_max": 2 })).await;
    let wanted = |key: &str| json!({ "kind": "echo", "payload": 1, "delay_seconds": 3_600, "key": key });
    let first = begin(&server.admin, slug, wanted("a")).await;
    begin(&server.admin, slug, wanted("b")).await;
    for _ in 0..2 {
        let refused = ask(&server.admin, slug, wanted("c")).await;
        assert_eq!(refused.code(), "QUOTA_EXCEEDED", "{refused:?}");
        assert_eq!(refused.json()["details"]["limit"], "jobs_queue_max", "{refused:?}");
    }
    assert_eq!(begin(&server.admin, slug, wanted("a")).await, first, "what is there already takes no place");
    counted_and_told(&server.admin, slug, "jobs_queue_max").await;
    neighbour_answers(&server).await;
    cancel(&server.admin, first).await;
    begin(&server.admin, slug, wanted("c")).await;
    let status = limit(&server.admin, slug, "jobs_queue_max").await;
    assert_eq!((&status["current"], &status["peak"], &status["reached"]), (&json!(2), &json!(2), &json!(2)));
}

#[tokio::test]
pub(super) async fn jobs_beyond_those_that_may_wait_are_refused() {
    queue(SHARED).await;
}

#[tokio::test]
pub(super) async fn jobs_of_a_process_beyond_those_that_may_wait_are_refused() {
    queue(ISOLATED).await;
}

/// A plugin cannot work beside the queue, and one that eats is stopped as in any request.
#[tokio::test]
async fn a_job_has_no_more_memory_than_a_request() {
    let server = server_with(SHARED, json!({ "instance_memory_bytes_max": 64 << 20 })).await;
    let id = begin(&server.admin, SHARED, json!({ "kind": "eat", "payload": {} })).await;
    let (failed, _) = beside(&server, stands(&server.admin, id, "failed")).await;
    assert!(failed["error"].as_str().unwrap().contains("64 MiB"), "{failed:#}");
    counted_and_told(&server.admin, SHARED, "instance_memory_bytes_max").await;
}

/// All plugins of a laboratory together leave places for the jobs of others.
#[tokio::test]
async fn a_laboratory_does_no_more_jobs_at_once_than_its_share() {
    let server = TestServer::with(&[("MINT_PLUGINS__LABORATORY__JOBS_MAX", "3")]).await;
    let other = server.other_tenant("other").await;
    for client in [&server.admin, &other] {
        for slug in [SHARED, ISOLATED] {
            client.installed(&guest(slug), json!({})).await;
        }
    }
    let mut ids = Vec::new();
    for slug in [SHARED, ISOLATED, SHARED, ISOLATED] {
        ids.push(begin(&server.admin, slug, json!({ "kind": "wait", "payload": {} })).await);
    }
    let part = || async {
        let share = server.admin.get("/api/platform/share").await.json();
        share.as_array().unwrap().iter().find(|part| part["name"] == "laboratory_jobs_max").unwrap().clone()
    };
    let reached = eventually("the share to be reached", || async {
        let part = part().await;
        (part["reached"].as_u64().unwrap() > 0).then_some(part)
    })
    .await;
    assert_eq!((&reached["current"], &reached["peak"], &reached["value"]), (&json!(3), &json!(3), &json!(3)));
    assert_eq!(server.admin.get("/api/jobs?status=running").await.json().as_array().unwrap().len(), 3);
    let elsewhere = begin(&other, ISOLATED, json!({ "kind": "echo", "payload": 1 })).await;
    stands(&other, elsewhere, "completed").await;
    for id in ids {
        cancel(&server.admin, id).await;
        stands(&server.admin, id, "cancelled").await;
    }
}

/// An attempt that was given up, or is somebody else's, tells nothing any more.
#[tokio::test]
async fn only_the_present_attempt_tells_how_far_it_is() {
    let server = server_with(ISOLATED, json!({})).await;
    let id = begin(&server.admin, ISOLATED, json!({ "kind": "wait", "payload": {} })).await;
    stands(&server.admin, id, "running").await;
    for (job_id, attempt) in [(id, 0), (id, 2), (id + 1, 1), (-1, 1)] {
        for (verb, said) in
            [("progress", json!({ "attempt": attempt, "percent": 50 })), ("heartbeat", json!({ "attempt": attempt }))]
        {
            let call = json!({ "method": "POST", "path": format!("/jobs/{job_id}/{verb}"), "body": said });
            let answer = server.admin.post("/api/worker/call", &call).await.json();
            assert_eq!(answer["status"], 409, "{job_id} {attempt}: {answer}");
        }
    }
    let wrong = json!({ "method": "POST", "path": format!("/jobs/{id}/progress"), "body": { "attempt": 1, "percent": 1_000 } });
    assert_eq!(server.admin.post("/api/worker/call", &wrong).await.json()["status"], 400);
    assert_eq!(job(&server.admin, id).await["percent"], Value::Null);
    cancel(&server.admin, id).await;
    stands(&server.admin, id, "cancelled").await;
}
