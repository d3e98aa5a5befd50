//! Broken answers.

use http::StatusCode;
use mint_tests::{TestServer, bundle, repackaged};
use serde_json::{Value, json};

use super::neighbour::{ask, beside, hostile_with, neighbour_answers};

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

/// A schema of so many definitions, each of which refers so often to the next one.
fn schema(count: usize, times: usize) -> Value {
    let link = |number: usize| json!({ "anyOf": vec![json!({ "$ref": format!("#/$defs/d{}", number + 1) }); times] });
    let mut definitions: Value = (0..count).map(|number| (format!("d{number}"), link(number))).collect();
    definitions[format!("d{count}")] = json!(false);
    json!({ "$defs": definitions, "$ref": "#/$defs/d0" })
}

/// A few lines that would take a validator years, or the end of its stack, which is the server's.
#[tokio::test]
async fn a_schema_that_would_never_end_is_not_begun() {
    let server = TestServer::start().await;
    server.admin.installed(&bundle("hello"), json!({})).await;
    for (slug, schema, words) in [("doubles", schema(60, 2), "500000 steps"), ("descends", schema(5_000, 1), "500 parts deep")] {
        let guest = repackaged(&bundle("hostile"), |manifest| {
            manifest["plugin"]["slug"] = json!(slug);
            manifest["plugin"]["routes_prefix"] = json!(format!("/{slug}"));
            manifest["settings_schema"] = schema;
        });
        server.admin.installed(&guest, json!({})).await;
        let (reply, _) = beside(&server, server.admin.configure(slug, json!({ "a": 1 }))).await;
        assert_eq!((reply.status, reply.code().as_str()), (StatusCode::BAD_REQUEST, "VALIDATION_ERROR"), "{reply:?}");
        assert!(reply.json()["message"].as_str().unwrap().contains(words), "{reply:?}");
    }
    neighbour_answers(&server).await;
}
