//! A change is watched while it goes on, and stopped before it counts.

use http::StatusCode;
use mint_tests::{TestServer, bundle, eventually};
use serde_json::{Value, json};

use super::upgrade::passed_off;

/// Waits until an operation is at a step.
async fn at_step(server: &TestServer, operation: &Value, step: &str) {
    eventually(step, || async {
        let operation = server.admin.get(&format!("/api/operations/{}", operation["id"])).await.json();
        let steps = operation["steps"].as_array().unwrap().clone();
        steps.last().is_some_and(|last| last["name"] == step && last["status"] == "running").then_some(())
    })
    .await;
}

async fn cancel(server: &TestServer, operation: &Value) -> Value {
    let reply = server.admin.post(&format!("/api/operations/{}/cancel", operation["id"]), &json!(null)).await;
    assert_eq!(reply.status, StatusCode::ACCEPTED, "{reply:?}");
    server.admin.ended(operation).await
}

#[tokio::test]
async fn an_install_that_takes_too_long_is_stopped_and_leaves_nothing() {
    let server = TestServer::start().await;
    let decision = json!({ "limits": { "cpu_ms_max": 60_000, "wall_ms_max": 60_000 } });
    let begun = server.admin.upload(&bundle("endless-start"), &decision).await.json();
    at_step(&server, &begun, "start").await;
    let ended = cancel(&server, &begun).await;
    assert_eq!((&ended["status"], &ended["outcome"]["code"]), (&json!("undone"), &json!("operation.cancelled")), "{ended:#}");
    assert_eq!(server.admin.get("/api/plugins/endless-start").await.status, StatusCode::NOT_FOUND);
    let late = server.admin.post(&format!("/api/operations/{}/cancel", begun["id"]), &json!(null)).await;
    assert_eq!((late.status, late.code().as_str()), (StatusCode::CONFLICT, "CONFLICT"), "{late:?}");
}

#[tokio::test]
async fn an_upgrade_that_is_stopped_leaves_the_old_release() {
    let server = TestServer::start().await;
    server.admin.installed(&bundle("hello"), json!({})).await;
    let decision = json!({ "limits": { "cpu_ms_max": 60_000, "wall_ms_max": 60_000 } });
    let begun = server.admin.begin_upgrade("hello", &passed_off("endless-start", "2.0.0"), &decision).await;
    at_step(&server, &begun, "start").await;
    let stranger = server.client("member").await.post(&format!("/api/operations/{}/cancel", begun["id"]), &json!(null)).await;
    assert_eq!(stranger.status, StatusCode::FORBIDDEN);
    assert_eq!(cancel(&server, &begun).await["status"], "undone");
    let plugin = server.admin.plugin("hello").await;
    assert_eq!((&plugin["version"], &plugin["state"]), (&json!("1.0.0"), &json!("ready")));
    assert_eq!(plugin["limits"]["cpu_ms_max"], 2_000);
    assert_eq!(server.admin.get("/api/hello/").await.status, StatusCode::OK);
}

#[tokio::test]
async fn whoever_watches_hears_of_each_step() {
    let server = TestServer::start().await;
    let begun = server.admin.upload(&bundle("hello"), &json!({})).await.json();
    // The stream ends with the operation.
    let events = server.admin.get(&format!("/api/operations/{}/events", begun["id"])).await;
    assert_eq!(events.headers["content-type"], "text/event-stream");
    let told: Vec<Value> = events
        .text()
        .lines()
        .filter_map(|line| line.strip_prefix("data: "))
        .map(|data| serde_json::from_str(data).unwrap())
        .collect();
    let last = told.last().unwrap();
    let steps: Vec<_> = last["steps"].as_array().unwrap().iter().map(|step| step["name"].as_str().unwrap()).collect();
    let (_, expected) = mint_platform::install::changes().into_iter().find(|(kind, _)| *kind == "install").unwrap();
    assert_eq!((&last["status"], steps), (&json!("done"), expected), "{last:#}");
    assert!(told.windows(2).all(|pair| pair[0] != pair[1]), "{told:?}");
}
