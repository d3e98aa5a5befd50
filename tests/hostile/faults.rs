//! Broken answers.

use http::StatusCode;
use serde_json::json;

use super::neighbour::{ask, hostile_with};

#[tokio::test]
async fn each_is_one_requests_error_and_the_author_reads_why() {
    let server = hostile_with(json!({})).await;
    for (route, status, code, in_log) in [
        ("/trap", StatusCode::INTERNAL_SERVER_ERROR, "plugin.broke", "unreachable"),
        ("/exit", StatusCode::INTERNAL_SERVER_ERROR, "plugin.broke", "exited with status"),
        ("/dropped", StatusCode::INTERNAL_SERVER_ERROR, "plugin.broke", "unknown handle"),
        ("/garbage", StatusCode::BAD_GATEWAY, "plugin.garbage", "without an answer"),
    ] {
        let reply = ask(&server, route).await;
        assert_eq!((reply.status, reply.code().as_str()), (status, code), "{route}: {reply:?}");
        let said = reply.json();
        assert_eq!(said["request_id"], reply.headers["x-request-id"].to_str().unwrap());
        // Internals are for the log.
        assert!(!said["message"].as_str().unwrap().contains(in_log), "{said:#}");
        let log = server.admin.plugin("hostile").await["log"].to_string();
        assert!(log.contains(in_log), "{route}: {in_log:?} is not in {log}");
    }
    let plugin = server.admin.plugin("hostile").await;
    assert_eq!((&plugin["state"], &plugin["usage"]["plugin_faults"]), (&json!("ready"), &json!(4)), "{plugin:#}");
    assert_eq!(plugin["runtime"]["faults_within_a_minute"], 4);
}

#[tokio::test]
async fn what_is_no_response_does_not_reach_the_client() {
    let server = hostile_with(json!({})).await;
    for (route, in_log) in [
        ("/no-status", "1000, which is no HTTP status"),
        ("/no-header", "which is no header"),
        ("/wrong-length", "not as many as it promised"),
        ("/twice", "another way to answer"),
    ] {
        let reply = ask(&server, route).await;
        assert_eq!((reply.status, reply.code().as_str()), (StatusCode::BAD_GATEWAY, "plugin.garbage"), "{route}: {reply:?}");
        assert!(!reply.headers.contains_key("set-cookie"), "{reply:?}");
        let log = server.admin.plugin("hostile").await["log"].to_string();
        assert!(log.contains(in_log), "{route}: {in_log:?} is not in {log}");
    }
}
