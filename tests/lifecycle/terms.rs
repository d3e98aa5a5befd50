//! What a plugin may do and use up, changed while it answers.

use http::{Method, StatusCode};
use mint_tests::{Client, Reply, TestServer, bundle};
use serde_json::{Value, json};

use crate::{
    hostile::neighbour::counted_and_told,
    subprocess::{Program, is_alive},
};

async fn set(client: &Client, slug: &str, edits: Value) -> Reply {
    client.patch(&format!("/api/plugins/{slug}/limits"), &edits).await
}

async fn limit(client: &Client, slug: &str, name: &str) -> Value {
    let limits = client.get(&format!("/api/plugins/{slug}/limits")).await.json();
    limits.as_array().unwrap().iter().find(|limit| limit["name"] == name).unwrap().clone()
}

/// Changes what is granted, and waits until the plugin was started again with it.
async fn decide(client: &Client, slug: &str, edits: Value) -> Value {
    let reply = client.patch(&format!("/api/plugins/{slug}/grants"), &edits).await;
    assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
    let changed = reply.json();
    let operation = client.ended(&json!({ "id": changed["operation"] })).await;
    assert_eq!(operation["status"], "done", "{operation:#}");
    changed["grants"].clone()
}

#[tokio::test]
async fn limits_hold_from_the_next_call_on() {
    for server in TestServer::on_every_database(&[]).await {
        let admin = &server.admin;
        admin.installed(&bundle("hostile"), json!({})).await;
        admin.installed(&Program::GREEDY.bundle("greedy"), json!({})).await;
        let pid = admin.get("/api/greedy/pid").await.json();
        for (slug, asked) in [("hostile", "/api/hostile/handles?count=200"), ("greedy", "/api/greedy/sleep?ms=2000")] {
            assert_eq!(admin.get(asked).await.status, StatusCode::OK);
            let (name, value) = if slug == "hostile" { ("handles_max", 100) } else { ("wall_ms_max", 300) };
            let reply = set(admin, slug, json!({ name: value })).await;
            assert_eq!((reply.status, &reply.json()["operation"]), (StatusCode::OK, &Value::Null), "{reply:?}");
            assert_eq!(admin.get(asked).await.json()["details"]["limit"], name);
            counted_and_told(admin, slug, name).await;
            let shown = limit(admin, slug, name).await;
            assert_eq!((&shown["value"], &shown["from"]), (&json!(value), &json!("administrator")), "{shown}");
            assert_eq!(set(admin, slug, json!({ name: null })).await.status, StatusCode::OK);
            assert_eq!(admin.get(asked).await.status, StatusCode::OK);
            assert_eq!(limit(admin, slug, name).await["from"], "platform");
        }
        assert_eq!(admin.get("/api/greedy/pid").await.json(), pid, "it is the same process");

        // What a process is given when it starts needs another one.
        let reply = set(admin, "greedy", json!({ "open_files_max": 64 })).await;
        let operation = admin.ended(&json!({ "id": reply.json()["operation"] })).await;
        assert_eq!(operation["status"], "done", "{operation:#}");
        assert_eq!(admin.get("/api/greedy/files").await.json()["error"], "EMFILE");
        assert!(!is_alive(&pid["pid"]), "{pid}");
    }
}

#[tokio::test]
async fn a_laboratory_has_defaults_of_its_own() {
    for server in TestServer::on_every_database(&[]).await {
        let admin = &server.admin;
        admin.installed(&bundle("hostile"), json!({})).await;
        let other = server.other_tenant("other").await;
        other.installed(&bundle("hostile"), json!({})).await;
        let asked = "/api/hostile/handles?count=200";

        let reply = admin.patch("/api/platform/limits", &json!({ "handles_max": 100 })).await;
        assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
        assert_eq!(admin.get(asked).await.json()["details"]["limit"], "handles_max");
        assert_eq!(limit(admin, "hostile", "handles_max").await["from"], "laboratory");
        assert_eq!(other.get(asked).await.status, StatusCode::OK, "it is not the other laboratory's");
        assert_eq!(set(admin, "hostile", json!({ "handles_max": 500 })).await.status, StatusCode::OK);
        assert_eq!(admin.get(asked).await.status, StatusCode::OK, "the plugin's own value goes before");

        for (edits, words) in [
            (json!({ "handles_max": 0 }), "handles_max"),
            (json!({ "handles_max": 1_u64 << 40 }), "choose 1 to 65536"),
            (json!({ "hands_max": 1 }), "There is no limit `hands_max`"),
        ] {
            for reply in [admin.patch("/api/platform/limits", &edits).await, set(admin, "hostile", edits.clone()).await] {
                assert_eq!(reply.status, StatusCode::BAD_REQUEST, "{reply:?}");
                assert!(reply.text().contains(words), "{reply:?}");
            }
        }
        let viewer = server.client("viewer").await;
        assert_eq!(viewer.patch("/api/platform/limits", &json!({})).await.status, StatusCode::FORBIDDEN);
        assert_eq!(set(&viewer, "hostile", json!({})).await.status, StatusCode::FORBIDDEN);
        assert_eq!(viewer.patch("/api/plugins/hostile/grants", &json!({})).await.status, StatusCode::FORBIDDEN);
        assert_eq!(viewer.get("/api/platform/metrics").await.status, StatusCode::FORBIDDEN);
    }
}

#[tokio::test]
async fn what_is_taken_away_is_refused_and_what_is_given_is_there() {
    for server in TestServer::on_every_database(&[]).await {
        let admin = &server.admin;
        admin.installed(&bundle("everything"), json!({})).await;
        let list = async || admin.post("/api/everything/call/projects.list", &json!({})).await;
        assert_eq!(list().await.status, StatusCode::OK);
        let granted = decide(admin, "everything", json!({ "revoke": ["projects:read"] })).await;
        assert!(!granted.as_array().unwrap().contains(&json!("projects:read")), "{granted}");
        for _ in 0..6 {
            let reply = list().await;
            assert_eq!((reply.status, reply.code().as_str()), (StatusCode::FORBIDDEN, "PERMISSION_DENIED"), "{reply:?}");
        }
        assert_eq!(admin.plugin("everything").await["state"], "ready", "what was taken away is no fault of the plugin");
        assert_eq!(admin.reload("everything").await["status"], "done", "it starts without");
        decide(admin, "everything", json!({ "grant": ["projects:read"] })).await;
        assert_eq!(list().await.status, StatusCode::OK);

        let nosy = Program::NOSY.bundle_with("nosy", json!({ "capabilities": [{ "name": "experiments:read" }] }));
        admin.installed(&nosy, json!({})).await;
        let id = admin.experiment("x").await;
        let ask = async || admin.post("/api/nosy/call", &json!({ "method": "GET", "path": format!("/experiments/{id}") })).await;
        assert_eq!(ask().await.json()["status"], 200);
        let changed = admin.patch("/api/plugins/nosy/grants", &json!({ "revoke": ["experiments:read"] })).await.json();
        // The process that answered before answers still, and is refused.
        assert_eq!(ask().await.json()["status"], 403);
        admin.ended(&json!({ "id": changed["operation"] })).await;
        assert_eq!(ask().await.json()["status"], 403);
        decide(admin, "nosy", json!({ "grant": ["experiments:read"] })).await;
        assert_eq!(ask().await.json()["status"], 200);
        let bad = admin.patch("/api/plugins/nosy/grants", &json!({ "revoke": ["files"] })).await;
        assert!(bad.status == StatusCode::BAD_REQUEST && bad.text().contains("was not granted"), "{bad:?}");
    }
}

#[tokio::test]
async fn what_is_used_is_shown() {
    let server = TestServer::start().await;
    let admin = &server.admin;
    admin.installed(&bundle("everything"), json!({ "files_bytes_max": 1 << 20 })).await;
    admin.installed(&Program::GREEDY.bundle("greedy"), json!({})).await;
    assert_eq!(admin.get("/api/everything/fill?directory=/artifacts").await.status, StatusCode::OK);
    let files = limit(admin, "everything", "files_bytes_max").await;
    assert!(files["peak"].as_u64().unwrap() > 900_000 && files["reached"].as_u64().unwrap() > 0, "{files}");
    for name in ["instance_memory_bytes_max", "cpu_ms_max", "wall_ms_max", "concurrency_max", "response_body_bytes_max"] {
        assert!(limit(admin, "everything", name).await["peak"].is_u64(), "{name}");
    }
    assert_eq!(admin.reload("everything").await["status"], "done");
    let again = limit(admin, "everything", "files_bytes_max").await;
    assert_eq!((&again["peak"], &again["reached"]), (&files["peak"], &files["reached"]), "counters outlive a start");

    mint_tests::eventually("a look at the process", || async {
        let measured = limit(admin, "greedy", "open_files_max").await["current"].as_u64()?;
        let tasks = limit(admin, "greedy", "processes_max").await["current"].as_u64()?;
        let memory = limit(admin, "greedy", "process_memory_bytes_max").await["peak"].as_u64()?;
        (measured > 2 && tasks > 0 && memory > 1 << 20).then_some(())
    })
    .await;
    let metrics = admin.send(admin.request(Method::GET, "/api/platform/metrics")).await;
    let text = metrics.text();
    for line in [
        r#"mint_plugin_limit_value{tenant="default",plugin="everything",limit="files_bytes_max"} 1048576"#,
        r#"mint_plugin_limit_current{tenant="default",plugin="greedy",limit="processes_max"}"#,
        r#"mint_plugin_limit_reached_total{tenant="default",plugin="everything",limit="files_bytes_max"}"#,
        r#"mint_plugin_requests_total{tenant="default",plugin="greedy",mode="isolated"}"#,
    ] {
        assert!(text.contains(line), "{line} is not in\n{text}");
    }
    assert!(!text.contains(r#"plugin="everything",limit="open_files_max""#), "only what holds in its mode");
    for (slug, name, instead) in [("everything", "open_files_max", "handles_max"), ("greedy", "cpu_ms_max", "wall_ms_max")] {
        let shown = limit(admin, slug, name).await;
        assert_eq!(shown["holds"], false, "{shown}");
        assert!(shown["instead"].as_str().unwrap().contains(instead), "{shown}");
    }
    assert!(limit(admin, "greedy", "files_bytes_max").await.get("instead").is_none());
}
