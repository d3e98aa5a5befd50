//! Time, memory, stack.

use std::time::{Duration, Instant};

use http::StatusCode;
use mint_tests::{Reply, bundle, eventually, repackaged, resident_bytes};
use serde_json::json;

use super::neighbour::{ask, beside, counted_and_told, hostile_with};

const MIB: u64 = 1 << 20;

#[track_caller]
pub(super) fn stopped_at(reply: &Reply, limit: &str, words: &str) {
    assert_eq!((reply.status, reply.code().as_str()), (StatusCode::INTERNAL_SERVER_ERROR, "plugin.limit"), "{reply:?}");
    let said = reply.json();
    assert_eq!(said["details"]["limit"], limit);
    assert!(said["message"].as_str().unwrap().contains(words), "{said:#}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
pub(super) async fn a_loop_ends_when_its_time_to_compute_is_used_up() {
    let server = hostile_with(json!({ "cpu_ms_max": 700 })).await;
    let begun = Instant::now();
    let (reply, answered) = beside(&server, server.admin.get("/api/hostile/spin")).await;
    stopped_at(&reply, "cpu_ms_max", "700 ms");
    assert!(begun.elapsed() >= Duration::from_millis(700), "{:?}", begun.elapsed());
    assert!(answered >= 10, "the neighbour answered {answered} times");
    let usage = server.admin.plugin("hostile").await["usage"].clone();
    assert_eq!((&usage["plugin_faults"], &usage["host_faults"], &usage["in_progress"]), (&json!(1), &json!(0), &json!(0)));
    counted_and_told(&server.admin, "hostile", "cpu_ms_max").await;
}

/// Waiting is not computing, and waiting for nothing is not waiting.
#[tokio::test]
async fn who_waits_for_nothing_again_and_again_computes() {
    let server = hostile_with(json!({ "cpu_ms_max": 300, "wall_ms_max": 20_000 })).await;
    let (reply, answered) = beside(&server, server.admin.get("/api/hostile/naps")).await;
    stopped_at(&reply, "cpu_ms_max", "300 ms");
    assert!(answered >= 3, "the neighbour answered {answered} times");
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
pub(super) async fn waiting_is_not_computing_and_ends_at_the_wall() {
    let server = hostile_with(json!({ "cpu_ms_max": 50, "wall_ms_max": 800 })).await;
    assert_eq!(ask(&server, "/sleep?ms=400").await.text(), "awake");
    let begun = Instant::now();
    let reply = ask(&server, "/sleep?ms=3600000").await;
    assert_eq!((reply.status, reply.code().as_str()), (StatusCode::GATEWAY_TIMEOUT, "plugin.timeout"), "{reply:?}");
    assert!(reply.json()["message"].as_str().unwrap().contains("0.8 s"), "{reply:?}");
    assert_eq!(reply.json()["details"]["limit"], "wall_ms_max");
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    counted_and_told(&server.admin, "hostile", "wall_ms_max").await;
}

#[tokio::test]
pub(super) async fn memory_ends_at_its_limit_and_is_given_back() {
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
    counted_and_told(&server.admin, "hostile", "instance_memory_bytes_max").await;
}

#[tokio::test]
pub(super) async fn a_plugin_that_breaks_for_want_of_memory_is_told_so() {
    let server = hostile_with(json!({})).await;
    let warm = repackaged(&bundle("hostile"), |manifest| {
        manifest["plugin"]["slug"] = json!("leaking");
        manifest["plugin"]["routes_prefix"] = json!("/leaking");
        manifest["instances"] = json!("tenant");
    });
    server.admin.installed(&warm, json!({ "instance_memory_bytes_max": 12 * MIB })).await;
    // Each call keeps some memory, until the allocator gives up, which is a trap.
    let mut calls = 0;
    let broken = loop {
        let reply = server.admin.get("/api/leaking/canary").await;
        if reply.status != StatusCode::OK {
            break reply;
        }
        calls += 1;
        assert!(calls < 100, "it keeps leaking");
    };
    stopped_at(&broken, "instance_memory_bytes_max", "12 MiB of memory");
    assert!(calls > 0);
    assert_eq!(server.admin.get("/api/leaking/canary").await.status, StatusCode::OK, "a new instance begins with nothing");
    counted_and_told(&server.admin, "leaking", "instance_memory_bytes_max").await;
    server.admin.uninstall("leaking", "purge").await;

    let operation =
        server.admin.install(&warm, json!({ "grant_requested": true, "limits": { "instance_memory_bytes_max": MIB } })).await;
    let failure = &operation["outcome"]["failure"];
    assert_eq!((&operation["status"], &failure["phase"]), (&json!("failed"), &json!("initialize")), "{operation:#}");
    assert!(failure["reason"].as_str().unwrap().contains("instance_memory_bytes_max"), "{failure:#}");
}

/// What an earlier call was refused is not held against a later one.
#[tokio::test]
async fn a_fault_is_named_after_its_own_cause() {
    let server = hostile_with(json!({})).await;
    let warm = repackaged(&bundle("hostile"), |manifest| {
        manifest["plugin"]["slug"] = json!("leaking");
        manifest["plugin"]["routes_prefix"] = json!("/leaking");
        manifest["instances"] = json!("tenant");
    });
    server.admin.installed(&warm, json!({ "instance_memory_bytes_max": 32 * MIB })).await;
    assert_eq!(server.admin.get("/api/leaking/eat").await.status, StatusCode::OK);
    assert_eq!(server.admin.plugin("leaking").await["runtime"]["warm_instances"], 1);
    assert_eq!(server.admin.get("/api/leaking/trap").await.code(), "plugin.broke");
}

#[tokio::test]
async fn a_stack_ends() {
    let server = hostile_with(json!({})).await;
    let reply = ask(&server, "/deep").await;
    assert_eq!((reply.status, reply.code().as_str()), (StatusCode::INTERNAL_SERVER_ERROR, "plugin.broke"), "{reply:?}");
    let log = server.admin.plugin("hostile").await["log"].to_string();
    assert!(log.contains("wasm trap"), "{log}");
}
