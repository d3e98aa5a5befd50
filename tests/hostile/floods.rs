//! Plugins that say too much.

use http::StatusCode;
use mint_tests::resident_bytes;
use serde_json::json;

use super::neighbour::{ask, counted, hostile_with};

const MIB: u64 = 1 << 20;

async fn floods(route: &str) {
    let server = hostile_with(json!({ "cpu_ms_max": 1500, "log_bytes_per_minute_max": 2000 })).await;
    assert_eq!(server.admin.get("/api/hostile/").await.status, StatusCode::OK);
    let before = resident_bytes();
    let reply = ask(&server, route).await;
    assert_eq!((reply.code().as_str(), &reply.json()["details"]["limit"]), ("plugin.limit", &json!("cpu_ms_max")), "{reply:?}");
    let grown = resident_bytes().saturating_sub(before);
    assert!(grown < 32 * MIB, "the server grew by {} MiB", grown / MIB);
    let log = server.admin.plugin("hostile").await["log"].clone();
    let kept =
        log.as_array().unwrap().iter().filter(|line| line.as_str().unwrap().starts_with("a line that nobody needs")).count();
    assert!(log.to_string().contains("The plugin reached its limit log_bytes_per_minute_max."), "{log:#}");
    assert!((10..50).contains(&kept), "{kept} lines of some 62 bytes within 2000: {log:#}");
    counted(&server.admin, "hostile", "log_bytes_per_minute_max").await;
}

#[tokio::test]
pub(super) async fn a_log_is_bounded() {
    floods("/flood").await;
}

#[tokio::test]
pub(super) async fn the_standard_output_is_bounded() {
    floods("/stdout").await;
}
