//! Time, memory, stack.

use std::time::{Duration, Instant};

use http::StatusCode;
use mint_tests::{Reply, eventually, resident_bytes};
use serde_json::json;

use super::neighbour::{ask, beside, hostile_with};

const MIB: u64 = 1 << 20;

#[track_caller]
fn stopped_at(reply: &Reply, limit: &str, words: &str) {
    assert_eq!((reply.status, reply.code().as_str()), (StatusCode::INTERNAL_SERVER_ERROR, "plugin.limit"), "{reply:?}");
    let said = reply.json();
    assert_eq!(said["details"]["limit"], limit);
    assert!(said["message"].as_str().unwrap().contains(words), "{said:#}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_loop_ends_when_its_time_to_compute_is_used_up() {
    let server = hostile_with(json!({ "cpu_ms_max": 700 })).await;
    let begun = Instant::now();
    let (reply, answered) = beside(&server, server.admin.get("/api/hostile/spin")).await;
    stopped_at(&reply, "cpu_ms_max", "700 ms");
    assert!(begun.elapsed() >= Duration::from_millis(700), "{:?}", begun.elapsed());
    assert!(answered >= 10, "the neighbour answered {answered} times");
    let usage = server.admin.plugin("hostile").await["usage"].clone();
    assert_eq!((&usage["plugin_faults"], &usage["host_faults"], &usage["in_progress"]), (&json!(1), &json!(0), &json!(0)));
}

/// With one thread for everything, a loop must let others go on.
#[tokio::test]
async fn a_loop_shares_its_thread() {
    let server = hostile_with(json!({ "cpu_ms_max": 700 })).await;
    let (reply, answered) = beside(&server, server.admin.get("/api/hostile/spin")).await;
    stopped_at(&reply, "cpu_ms_max", "700 ms");
    assert!(answered >= 3, "the neighbour answered {answered} times");
}

#[tokio::test]
async fn as_many_loops_as_are_allowed_leave_room_for_others() {
    let server = hostile_with(json!({ "cpu_ms_max": 300, "concurrency_max": 4 })).await;
    let loops = futures_util::future::join_all((0..4).map(|_| server.admin.get("/api/hostile/spin")));
    let (replies, answered) = beside(&server, loops).await;
    for reply in replies {
        stopped_at(&reply, "cpu_ms_max", "300 ms");
    }
    assert!(answered >= 1);
}

#[tokio::test]
async fn waiting_is_not_computing_and_ends_at_the_wall() {
    let server = hostile_with(json!({ "cpu_ms_max": 50, "wall_ms_max": 800 })).await;
    assert_eq!(ask(&server, "/sleep?ms=400").await.text(), "awake");
    let begun = Instant::now();
    let reply = ask(&server, "/sleep?ms=3600000").await;
    assert_eq!((reply.status, reply.code().as_str()), (StatusCode::GATEWAY_TIMEOUT, "plugin.timeout"), "{reply:?}");
    assert!(reply.json()["message"].as_str().unwrap().contains("0.8 s"), "{reply:?}");
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn memory_ends_at_its_limit_and_is_given_back() {
    let server = hostile_with(json!({ "instance_memory_bytes_max": 64 * MIB, "cpu_ms_max": 20_000 })).await;
    assert_eq!(server.admin.get("/api/hostile/").await.status, StatusCode::OK);
    let before = resident_bytes();
    for _ in 0..3 {
        // The plugin notices by itself that there is no more, and says how much it got.
        let reply = ask(&server, "/eat").await;
        assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
        let pages: u64 = reply.text().trim_end_matches(" pages").parse().unwrap();
        assert!((900..1024).contains(&pages), "{pages} pages of 64 KiB");
    }
    eventually("the memory to come back", || async { (resident_bytes() < before + 32 * MIB).then_some(()) }).await;
}

#[tokio::test]
async fn a_plugin_that_breaks_for_want_of_memory_is_told_so() {
    // Too little for the canary's words: its allocator gives up, which is a trap.
    let server = hostile_with(json!({ "instance_memory_bytes_max": 3 * MIB / 2 })).await;
    let reply = ask(&server, "/canary").await;
    if reply.status == StatusCode::OK {
        // The first memory alone fits; what is beyond was refused without a trap.
        assert!(reply.json()["words"].as_u64().unwrap() < 100_000, "{reply:?}");
    } else {
        stopped_at(&reply, "instance_memory_bytes_max", "1 MiB of memory");
    }
}

#[tokio::test]
async fn a_stack_ends() {
    let server = hostile_with(json!({})).await;
    let reply = ask(&server, "/deep").await;
    assert_eq!((reply.status, reply.code().as_str()), (StatusCode::INTERNAL_SERVER_ERROR, "plugin.broke"), "{reply:?}");
    let log = server.admin.plugin("hostile").await["log"].to_string();
    assert!(log.contains("stack"), "{log}");
}
