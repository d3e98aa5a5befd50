//! A change is watched while it goes on, and stopped before it counts.

use http::StatusCode;
use mint_store::tables::Owner;
use mint_tests::{Guest, TestServer, bundle, eventually, repackaged};
use serde_json::{Value, json};

use super::upgrade::passed_off;
use crate::hostile::tables::{execute, rows};

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

/// A plugin under this name that has tables, and never starts.
fn never_starts(slug: &str) -> Guest {
    repackaged(&bundle("endless-start"), |manifest| {
        manifest["plugin"]["slug"] = json!(slug);
        manifest["plugin"]["version"] = json!("9.0.0");
        manifest["plugin"]["routes_prefix"] = json!(format!("/{slug}"));
        manifest["capabilities"] = json!([{ "name": "database", "why": "Keeps rows." }]);
    })
}

/// Whether there are tables of a plugin, on either database.
async fn has_tables(server: &TestServer, slug: &str) -> bool {
    let owner = Owner { tenant: "default".parse().unwrap(), plugin: slug.parse().unwrap() };
    let services = server.server.as_ref().unwrap().platform.services();
    services.tables.exist(&owner).await.unwrap()
}

#[tokio::test]
async fn an_install_that_is_stopped_takes_its_tables_along_and_nobody_elses() {
    for server in TestServer::on_every_database(&[]).await {
        let admin = &server.admin;
        admin.installed(&bundle("everything"), json!({})).await;
        execute(admin, "create table t (a bigint)").await;
        assert_eq!(admin.uninstall("everything", "keep").await["status"], "done");
        let decision = json!({ "grant_requested": true, "limits": { "cpu_ms_max": 60_000, "wall_ms_max": 60_000 } });
        for slug in ["nobody", "everything"] {
            let begun = admin.upload(&never_starts(slug), &decision).await.json();
            at_step(&server, &begun, "start").await;
            eventually("its tables", || async { has_tables(&server, slug).await.then_some(()) }).await;
            assert_eq!(cancel(&server, &begun).await["status"], "undone");
        }
        assert!(!has_tables(&server, "nobody").await);
        assert!(!server.data.join("plugin-data/default/nobody").exists());
        // What an earlier installation left is there for the next one.
        admin.installed(&bundle("everything"), json!({})).await;
        assert_eq!(rows(admin, "select count(*) from t").await, json!([[0]]));
    }
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
