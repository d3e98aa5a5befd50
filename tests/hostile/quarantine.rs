//! A plugin that breaks again and again is left alone for a while.

use http::StatusCode;
use mint_tests::{TestServer, bundle, eventually};
use serde_json::json;

use super::neighbour::{hostile_with, neighbour_answers};

async fn break_it(server: &TestServer) {
    for _ in 0..5 {
        let reply = server.admin.get("/api/hostile/trap").await;
        assert_eq!(reply.code(), "plugin.broke", "{reply:?}");
    }
    eventually("the quarantine", || async { (server.admin.plugin("hostile").await["state"] == "failed").then_some(()) }).await;
}

#[tokio::test]
async fn five_traps_in_a_minute_end_it_with_a_reason_and_a_reload_tries_again() {
    let mut server = hostile_with(json!({})).await;
    let other = server.other_tenant("other").await;
    other.installed(&bundle("hostile"), json!({})).await;
    break_it(&server).await;

    let plugin = server.admin.plugin("hostile").await;
    assert_eq!(plugin["phase"], "run");
    let reason = plugin["reason"].as_str().unwrap();
    assert!(reason.contains("failed 5 times within a minute") && reason.contains("unreachable"), "{reason}");
    assert!(plugin["hint"].as_str().unwrap().contains("tried again by itself"), "{plugin:#}");
    assert_eq!(plugin["quarantine"]["faults"], 5);
    assert!(plugin["quarantine"]["next_probe_at"].is_string());
    assert!(plugin["log_excerpt"].to_string().contains("unreachable"), "{plugin:#}");

    let reply = server.admin.get("/api/hostile/").await;
    assert_eq!((reply.status, reply.code().as_str()), (StatusCode::SERVICE_UNAVAILABLE, "plugin.not_ready"), "{reply:?}");
    assert!(reply.json()["message"].as_str().unwrap().contains("failed 5 times within a minute"), "{reply:?}");
    let wait: u64 = reply.headers["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((600..=900).contains(&wait), "{wait} s");
    neighbour_answers(&server).await;
    assert_eq!(other.get("/api/hostile/").await.text(), "still here", "another laboratory's is not to blame");

    // It stays so over a restart, until somebody or its time to be probed comes.
    server.restart().await;
    eventually("the neighbour", || async { (server.admin.get("/api/hello/").await.status == StatusCode::OK).then_some(()) })
        .await;
    assert_eq!(server.admin.get("/api/hostile/").await.json()["details"]["state"], "failed");
    assert_eq!(server.admin.reload("hostile").await["status"], "done");
    assert_eq!(server.admin.get("/api/hostile/").await.text(), "still here");
    assert_eq!(server.admin.plugin("hostile").await["quarantine"], json!(null));
    break_it(&server).await;
}

#[tokio::test]
async fn what_is_no_fault_of_the_plugin_does_not_count() {
    let server = hostile_with(json!({ "request_body_bytes_max": 1000 })).await;
    for _ in 0..10 {
        assert_eq!(server.admin.get("/api/hostile/no-such-route").await.status, StatusCode::NOT_FOUND);
        let long = server.admin.request(http::Method::POST, "/api/hostile/hold?ms=1").body(vec![0; 2000]);
        assert_eq!(server.admin.send(long).await.status, StatusCode::PAYLOAD_TOO_LARGE);
        let gone =
            server.admin.request(http::Method::GET, "/api/hostile/sleep?ms=5000").timeout(std::time::Duration::from_millis(20));
        assert!(gone.send().await.is_err());
    }
    let plugin = server.admin.plugin("hostile").await;
    assert_eq!((&plugin["state"], &plugin["usage"]["plugin_faults"]), (&json!("ready"), &json!(0)), "{plugin:#}");
    assert_eq!(server.admin.get("/api/hostile/").await.text(), "still here");
}
