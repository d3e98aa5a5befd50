//! What the first SDKs have as plain methods, and MINT forgets when a plugin runs in a process of its own: hooks and
//! settings. The plugins are unmodified.

use std::{
    io::{Read as _, Write as _},
    os::unix::net::UnixStream,
};

use http::{Method, StatusCode, header};
use mint_tests::{Client, TestServer, bundle, eventually};
use serde_json::{Value, json};

use super::sdk_fixture::Fixture;
use crate::subprocess::{Program, is_alive};

const SDKS: [&str; 2] = ["mld_sdk_0_16_5", "mint_sdk_1_0_0"];

/// A server with the plugin, and another that saves designs.
async fn serving(fixture: &Fixture) -> Option<TestServer> {
    serving_with(fixture, "900").await
}

async fn serving_with(fixture: &Fixture, idle_seconds: &str) -> Option<TestServer> {
    let python = fixture.python()?;
    let variables = [("MINT_PLUGINS__UV__PYTHON", python.as_str()), ("MINT_PLUGINS__IDLE_SECONDS", idle_seconds)];
    let server = TestServer::with(&variables).await;
    let operation = server.admin.install(&fixture.bundle(), json!({ "grants": fixture.grants() })).await;
    assert_eq!(operation["status"], "done", "{operation:#}");
    let designer = Program::NOSY.bundle_with("designer", json!({ "capabilities": [{ "name": "designs:write" }] }));
    assert_eq!(server.install(&designer).await["status"], "done");
    Some(server)
}

async fn save_design(admin: &Client, experiment: i64, data: Value) -> Value {
    let call = json!({
        "method": "PUT",
        "path": format!("/experiments/{experiment}/data"),
        "body": { "plugin_id": "designer", "data": data },
    });
    admin.post("/api/designer/call", &call).await.json()
}

async fn seen(admin: &Client, slug: &str) -> Value {
    admin.get(&format!("/api/{slug}/seen")).await.json()
}

async fn hooks(sdk: &str) {
    let fixture = Fixture::of(sdk);
    let Some(server) = serving(&fixture).await else { return };
    let (admin, slug) = (&server.admin, fixture.slug());
    let experiment = admin.experiment("Run 1").await;
    let vetoed = save_design(admin, experiment, json!({ "veto": true })).await;
    assert_eq!((&vetoed["status"], &vetoed["body"]["code"]), (&json!(422), &json!("EVENT_VETO")), "{vetoed}");
    assert!(vetoed["body"]["message"].as_str().unwrap().contains("This design asks to be refused."), "{vetoed}");
    assert_eq!(admin.get(&format!("/api/experiments/{experiment}/data")).await.status, StatusCode::NOT_FOUND);

    let saved = save_design(admin, experiment, json!({ "plates": 2 })).await;
    assert_eq!(saved["status"], 200, "{saved}");
    let path = format!("/api/experiments/{experiment}");
    assert_eq!(admin.patch(&path, &json!({ "status": "ongoing" })).await.status, StatusCode::OK);
    let expected = json!([["saved", experiment, "designer", { "plates": 2 }], ["status", experiment, "planned", "ongoing"]]);
    eventually("both to be told", || async { (seen(admin, slug).await["seen"] == expected).then_some(()) }).await;
}

#[tokio::test]
async fn overridden_hooks_of_mld_sdk_0_16_5_are_called_and_veto() {
    hooks(SDKS[0]).await;
}

#[tokio::test]
async fn overridden_hooks_of_mint_sdk_1_0_0_are_called_and_veto() {
    hooks(SDKS[1]).await;
}

#[tokio::test]
async fn a_plugin_whose_process_is_idle_is_started_for_what_it_follows() {
    let fixture = Fixture::of(SDKS[1]);
    let Some(server) = serving_with(&fixture, "1").await else { return };
    let (admin, slug) = (&server.admin, fixture.slug());
    let pid = admin.plugin(slug).await["runtime"]["pid"].clone();
    eventually("an idle process to end", || async { (!is_alive(&pid)).then_some(()) }).await;
    let experiment = admin.experiment("Run 1").await;
    let vetoed = save_design(admin, experiment, json!({ "veto": true })).await;
    assert_eq!((&vetoed["status"], &vetoed["body"]["code"]), (&json!(422), &json!("EVENT_VETO")), "{vetoed}");
    assert!(vetoed["body"]["message"].as_str().unwrap().contains("This design asks to be refused."), "{vetoed}");
}

#[tokio::test]
async fn settings_reach_a_running_process_and_the_next() {
    for sdk in SDKS {
        let fixture = Fixture::of(sdk);
        let Some(server) = serving(&fixture).await else { continue };
        let (admin, slug) = (&server.admin, fixture.slug());
        let began = seen(admin, slug).await;
        assert_eq!(began["settings"], json!({ "threshold": 3, "label": "peaks" }));

        let wanted = json!({ "threshold": 8, "label": "ours" });
        let reply = admin.configure(slug, wanted.clone()).await;
        assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
        let now = seen(admin, slug).await;
        assert_eq!((&now["settings"], &now["pid"]), (&wanted, &began["pid"]), "{sdk}");

        for refused in [json!({ "threshold": "many" }), json!({ "label": "refused" })] {
            let reply = admin.configure(slug, refused).await;
            assert_eq!((reply.status, reply.code().as_str()), (StatusCode::BAD_REQUEST, "VALIDATION_ERROR"), "{reply:?}");
            assert_eq!(seen(admin, slug).await["settings"], wanted, "{sdk}");
        }

        assert_eq!(admin.reload(slug).await["status"], "done");
        let later = seen(admin, slug).await;
        assert_eq!(later["settings"], wanted, "{sdk}");
        assert_ne!(later["pid"], began["pid"]);
    }
}

/// The first line of what stands behind a socket answers.
fn asked_directly(socket: &Value, path: &str, token: &str) -> String {
    let mut stream = UnixStream::connect(socket.as_str().unwrap()).unwrap();
    let head = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{token}\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.lines().next().unwrap_or_default().to_owned()
}

/// Clients reach a plugin's prefix only, whatever they write; the platform's own paths are beside it.
#[tokio::test]
async fn nobody_else_reaches_what_stands_beside_the_plugin() {
    let fixture = Fixture::of(SDKS[0]);
    let Some(server) = serving(&fixture).await else { return };
    let (admin, slug) = (&server.admin, fixture.slug());
    let before = seen(admin, slug).await;
    for path in [
        "/__platform/health".to_owned(),
        "/__platform/settings".to_owned(),
        format!("/api/{slug}/__platform/settings"),
        format!("/api/{slug}/../../__platform/settings"),
        format!("/api/{slug}/..%2f..%2f__platform/settings"),
        format!("/api/{slug}//__platform/settings"),
    ] {
        for method in [Method::GET, Method::POST] {
            let request = admin.request(method, &path).header(header::CONTENT_TYPE, "application/json");
            let reply = admin.send(request.body(json!({ "settings": { "threshold": 99 } }).to_string())).await;
            assert!(!reply.status.is_success(), "{path}: {reply:?}");
        }
    }
    assert_eq!(seen(admin, slug).await["settings"], before["settings"]);
    for token in ["", "X-MINT-Internal-Token: \r\n", "X-MINT-Internal-Token: 00\r\n"] {
        for path in ["/__platform/about", "/__platform/health", "/__platform/nothing"] {
            let answer = asked_directly(&before["socket"], path, token);
            assert!(answer.contains(" 403 "), "{path} with `{token}`: {answer}");
        }
    }
}

/// This platform's own SDK takes settings in the same way.
#[tokio::test]
async fn settings_reach_a_running_process_of_our_own_sdk() {
    let server = TestServer::start().await;
    let decision = json!({ "grant_requested": true, "mode": "isolated" });
    assert_eq!(server.admin.install(&bundle("notebook"), decision).await["status"], "done");
    let pid = server.admin.plugin("notebook").await["runtime"]["pid"].clone();
    assert_eq!(server.admin.configure("notebook", json!({ "notes_max": 7 })).await.status, StatusCode::OK);
    assert_eq!(server.admin.get("/api/notebook/").await.json()["notes_max"], 7);
    let plugin = server.admin.plugin("notebook").await;
    assert_eq!(plugin["runtime"]["pid"], pid, "{plugin:#}");
    assert_eq!(plugin["health"]["details"], json!({ "notes_max": 7 }), "{plugin:#}");
}
