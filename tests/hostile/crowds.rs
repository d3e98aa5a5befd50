//! Too many requests at once.

use futures_util::future::join_all;
use http::StatusCode;
use mint_tests::{Reply, TestServer, bundle, eventually, repackaged};
use serde_json::json;

use super::neighbour::{beside, counted_and_told, hostile_with, neighbour_answers};

#[track_caller]
pub(super) fn busy(reply: &Reply, limit: &str) {
    assert_eq!((reply.status, reply.code().as_str()), (StatusCode::SERVICE_UNAVAILABLE, "plugin.busy"), "{reply:?}");
    assert_eq!((reply.json()["details"]["limit"].as_str(), reply.headers["retry-after"].to_str().unwrap()), (Some(limit), "1"));
}

/// One may ask once in a second, and asks twice.
pub(super) async fn asks_twice(server: &TestServer, slug: &str) {
    let path = format!("/api/{slug}/");
    // However slow the machine is, two of so many come within a second.
    let replies = join_all((0..8).map(|_| server.admin.get(&path))).await;
    let (served, refused): (Vec<_>, Vec<_>) = replies.iter().partition(|reply| reply.status != StatusCode::TOO_MANY_REQUESTS);
    assert!(!served.is_empty() && !refused.is_empty(), "{replies:?}");
    let reply = refused[0];
    assert_eq!(reply.code(), "plugin.too_many_requests");
    assert_eq!((reply.json()["details"]["limit"].as_str(), reply.header("retry-after")), (Some("requests_per_second_max"), "1"));
    let log = server.admin.plugin(slug).await["log"].to_string();
    assert!(log.contains("The plugin reached its limit requests_per_second_max."), "{log}");
    eventually("it to be served again", || async {
        (server.admin.get(&path).await.status != StatusCode::TOO_MANY_REQUESTS).then_some(())
    })
    .await;
}

#[tokio::test]
pub(super) async fn who_asks_too_often_within_a_second_is_sent_away() {
    let server = hostile_with(json!({ "requests_per_second_max": 1 })).await;
    beside(&server, asks_twice(&server, "hostile")).await;
    assert_eq!(server.admin.plugin("hostile").await["usage"]["plugin_faults"], 0);
    counted_and_told(&server.admin, "hostile", "requests_per_second_max").await;
}

async fn until(server: &TestServer, field: &str, count: u64) {
    eventually(field, || async { (server.admin.plugin("hostile").await["usage"][field] == count).then_some(()) }).await;
}

#[tokio::test]
pub(super) async fn so_many_at_once_so_many_waiting_and_the_rest_is_sent_away() {
    let server = hostile_with(json!({ "concurrency_max": 1, "queue_max": 1 })).await;
    let sleep = || server.admin.get("/api/hostile/sleep?ms=1500");
    let second = async {
        until(&server, "in_progress", 1).await;
        sleep().await
    };
    let third = async {
        until(&server, "waiting", 1).await;
        neighbour_answers(&server).await;
        server.admin.get("/api/hostile/").await
    };
    let (first, second, third) = tokio::join!(sleep(), second, third);
    busy(&third, "queue_max");
    assert_eq!((first.text().as_str(), second.text().as_str()), ("awake", "awake"));
    assert_eq!(server.admin.get("/api/hostile/").await.text(), "still here");
    assert_eq!(server.admin.plugin("hostile").await["usage"]["refused"], 1);
    counted_and_told(&server.admin, "hostile", "queue_max").await;
}

/// Three requests that would never end, one place: the first has it, the second gets it after that, and the third has then
/// waited for as long as it may.
pub(super) async fn three_sleepers(server: &TestServer, slug: &str) {
    let path = format!("/api/{slug}/sleep?ms=60000");
    let later = async {
        eventually("the first", || async { (server.admin.plugin(slug).await["usage"]["in_progress"] == 1).then_some(()) }).await;
        tokio::join!(server.admin.get(&path), server.admin.get(&path))
    };
    let ((first, (one, other)), _) = beside(server, async { tokio::join!(server.admin.get(&path), later) }).await;
    assert_eq!(first.code(), "plugin.timeout", "{first:?}");
    let (served, refused) = if one.code() == "plugin.timeout" { (one, other) } else { (other, one) };
    assert_eq!(served.code(), "plugin.timeout", "{served:?}");
    busy(&refused, "concurrency_max");
}

#[tokio::test]
pub(super) async fn who_has_waited_for_long_enough_is_sent_away() {
    let server = hostile_with(json!({ "concurrency_max": 1, "queue_max": 8, "wall_ms_max": 1000 })).await;
    three_sleepers(&server, "hostile").await;
    assert_eq!(server.admin.get("/api/hostile/").await.text(), "still here");
    counted_and_told(&server.admin, "hostile", "concurrency_max").await;
}

#[tokio::test]
async fn who_waits_too_long_is_sent_away() {
    let server = hostile_with(json!({ "concurrency_max": 1, "queue_max": 8, "wall_ms_max": 1000 })).await;
    let first = server.admin.get("/api/hostile/sleep?ms=60000");
    let others = async {
        until(&server, "in_progress", 1).await;
        join_all((0..8).map(|_| server.admin.get("/api/hostile/"))).await
    };
    let (first, others) = tokio::join!(first, others);
    assert_eq!(first.code(), "plugin.timeout");
    for reply in others {
        // The first gave its place back a moment before the others' time was over, or a moment after. Whoever gets it has
        // all of the time for an answer.
        if reply.status != StatusCode::OK {
            busy(&reply, "concurrency_max");
        }
    }
    let usage = server.admin.plugin("hostile").await["usage"].clone();
    assert_eq!((&usage["waiting"], &usage["plugin_faults"]), (&json!(0), &json!(1)), "{usage:#}");
}

/// Everybody in the queue is served, though all of them together take longer than one may.
#[tokio::test]
async fn the_time_to_answer_begins_with_ones_turn() {
    let server = hostile_with(json!({ "concurrency_max": 1, "queue_max": 8, "wall_ms_max": 1500 })).await;
    let first = server.admin.get("/api/hostile/sleep?ms=1000");
    let second = async {
        until(&server, "in_progress", 1).await;
        server.admin.get("/api/hostile/sleep?ms=1000").await
    };
    let (first, second) = tokio::join!(first, second);
    assert_eq!((first.text().as_str(), second.text().as_str()), ("awake", "awake"));
}

#[tokio::test]
async fn one_laboratory_does_not_use_up_anothers_places() {
    let server = hostile_with(json!({ "concurrency_max": 1, "queue_max": 1 })).await;
    let other = server.other_tenant("other").await;
    other.installed(&bundle("hostile"), json!({ "concurrency_max": 1, "queue_max": 1 })).await;
    let sleeping = server.admin.get("/api/hostile/sleep?ms=1500");
    let theirs = async {
        until(&server, "in_progress", 1).await;
        other.get("/api/hostile/").await
    };
    let (sleeping, theirs) = tokio::join!(sleeping, theirs);
    assert_eq!((sleeping.text().as_str(), theirs.text().as_str()), ("awake", "still here"));
}

/// A pool of fewer places than requests: they wait for each other, and for warm instances that nobody uses.
#[tokio::test]
async fn a_small_pool_serves_everybody_in_turn() {
    let server = TestServer::with(&[("MINT_PLUGINS__INSTANCES", "2")]).await;
    for name in ["one", "two", "three"] {
        let warm = repackaged(&bundle("hello"), |manifest| {
            manifest["plugin"]["slug"] = json!(name);
            manifest["plugin"]["routes_prefix"] = json!(format!("/{name}"));
            manifest["instances"] = json!("tenant");
        });
        server.admin.installed(&warm, json!({})).await;
    }
    let replies = join_all((0..90).map(|index| {
        let name = ["one", "two", "three"][index % 3];
        let admin = &server.admin;
        async move { admin.get(&format!("/api/{name}/")).await }
    }));
    for reply in replies.await {
        assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
    }
}

#[tokio::test]
async fn a_full_pool_is_no_fault_of_the_plugin_that_waits() {
    let server = TestServer::with(&[("MINT_PLUGINS__INSTANCES", "1")]).await;
    server.admin.installed(&bundle("hostile"), json!({ "wall_ms_max": 60_000 })).await;
    server.admin.installed(&bundle("hello"), json!({ "wall_ms_max": 500 })).await;
    let sleeping = server.admin.get("/api/hostile/sleep?ms=2000");
    let waiting = async {
        until(&server, "in_progress", 1).await;
        join_all((0..6).map(|_| server.admin.get("/api/hello/"))).await
    };
    let (sleeping, waiting) = tokio::join!(sleeping, waiting);
    assert_eq!(sleeping.text(), "awake");
    for reply in waiting {
        assert_eq!((reply.status, reply.code().as_str()), (StatusCode::SERVICE_UNAVAILABLE, "server.busy"), "{reply:?}");
        assert_eq!(reply.headers["retry-after"], "1");
    }
    let hello = server.admin.plugin("hello").await;
    assert_eq!((&hello["state"], &hello["usage"]["plugin_faults"]), (&json!("ready"), &json!(0)), "{hello:#}");
    assert_eq!(server.admin.get("/api/hello/").await.status, StatusCode::OK);
}
