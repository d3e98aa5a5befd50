//! From a bundle to a plugin that answers.

use http::{Method, StatusCode};
use mint_tests::{TestServer, bundle, repackaged};
use serde_json::{Value, json};

#[tokio::test]
async fn an_install_tells_its_steps_and_ends_ready() {
    let server = TestServer::start().await;
    let operation = server.install(&bundle("hello")).await;
    assert_eq!(
        (&operation["kind"], &operation["plugin"], &operation["status"]),
        (&json!("install"), &json!("hello"), &json!("done"))
    );
    let steps: Vec<_> = operation["steps"].as_array().unwrap().iter().map(|step| step["name"].as_str().unwrap()).collect();
    assert_eq!(steps, ["verify", "frontend", "plan", "approve", "register", "stage", "migrate", "start", "switch"]);
    for step in operation["steps"].as_array().unwrap() {
        assert_eq!(step["status"], "done", "{step}");
        assert!(!step["note"].as_str().unwrap().is_empty() && step["ended_at"].is_string(), "{step}");
    }
    assert!(operation["ended_at"].is_string());

    let list = server.admin.get("/api/plugins").await.json();
    assert_eq!(list["loaded"], json!(["hello"]));
    let line = &list["installed"][0];
    assert_eq!(line["api_prefix"], "/api/hello");
    assert!(line["mode_reason"].as_str().unwrap().contains("component"), "{line:#}");
    assert_eq!(server.admin.get("/api/hello/").await.status, StatusCode::OK);
    let plugin = server.admin.plugin("hello").await;
    assert_eq!(plugin["usage"]["requests"], 1);
    assert!(plugin["log"].as_array().unwrap().contains(&json!("Hello, admin!")), "{plugin:#}");
}

#[tokio::test]
async fn the_same_release_again_changes_nothing() {
    let server = TestServer::start().await;
    server.admin.installed(&bundle("hello"), json!({})).await;
    let since = server.admin.plugin("hello").await["state_since"].clone();
    let again = server.install(&bundle("hello")).await;
    assert_eq!((&again["status"], &again["outcome"]["changed"]), (&json!("done"), &json!(false)), "{again:#}");
    assert!(again["outcome"]["message"].as_str().unwrap().contains("hello 1.0.0 is installed already"), "{again:#}");
    let plugin = server.admin.plugin("hello").await;
    assert_eq!((&plugin["state"], &plugin["state_since"]), (&json!("ready"), &since));
}

#[tokio::test]
async fn a_changed_bundle_needs_a_new_version() {
    let server = TestServer::start().await;
    server.admin.installed(&bundle("hello"), json!({})).await;
    let changed = repackaged(&bundle("hello"), |manifest| manifest["plugin"]["description"] = json!("Changed."));
    let refused = server.install(&changed).await;
    assert_eq!((&refused["status"], &refused["outcome"]["code"]), (&json!("undone"), &json!("CONFLICT")), "{refused:#}");
    assert!(refused["outcome"]["message"].as_str().unwrap().contains("A changed bundle needs a new version"), "{refused:#}");
    assert!(refused["outcome"]["details"]["known"].as_str().unwrap().starts_with("sha256:"));

    // Another laboratory is told the same: a version means one thing on the whole platform.
    let other = server.other_tenant("other").await;
    assert_eq!(other.install(&changed, json!({})).await["status"], "undone");
    other.installed(&bundle("hello"), json!({})).await;

    let newer = repackaged(&bundle("hello"), |manifest| manifest["plugin"]["version"] = json!("2.0.0"));
    let refused = server.install(&newer).await;
    assert_eq!(refused["status"], "undone");
    let message = refused["outcome"]["message"].as_str().unwrap();
    assert!(message.contains("hello 1.0.0 is installed. Upgrade it"), "{refused:#}");
    assert_eq!(server.admin.get("/api/hello/").await.status, StatusCode::OK);
}

#[tokio::test]
async fn one_prefix_belongs_to_one_plugin_of_a_laboratory() {
    let server = TestServer::start().await;
    server.admin.installed(&bundle("hello"), json!({})).await;
    let second = repackaged(&bundle("hello"), |manifest| {
        manifest["plugin"]["slug"] = json!("hello-again");
        manifest["plugin"]["routes_prefix"] = json!("/hello");
    });
    let refused = server.install(&second).await;
    assert_eq!(
        (&refused["status"], &refused["outcome"]["details"]["conflict_field"]),
        (&json!("undone"), &json!("routes_prefix")),
        "{refused:#}"
    );
    assert!(refused["outcome"]["message"].as_str().unwrap().contains("/api/hello"), "{refused:#}");
    assert_eq!(server.admin.get("/api/plugins/hello-again").await.status, StatusCode::NOT_FOUND);
    server.other_tenant("other").await.installed(&second, json!({})).await;

    // A longer prefix is another one, and wins below it.
    let below = repackaged(&bundle("hello"), |manifest| {
        manifest["plugin"]["slug"] = json!("hello-below");
        manifest["plugin"]["routes_prefix"] = json!("/hello/below");
    });
    server.admin.installed(&below, json!({})).await;
    assert_eq!(server.admin.get("/api/hello/below/").await.status, StatusCode::OK);
    assert_eq!(server.admin.plugin("hello-below").await["usage"]["requests"], 1);
    assert_eq!(server.admin.get("/api/hello/").await.status, StatusCode::OK);
    assert_eq!(server.admin.get("/api/hello/belows").await.status, StatusCode::NOT_FOUND);
    assert_eq!(server.admin.plugin("hello").await["usage"]["requests"], 2);
}

#[tokio::test]
async fn only_an_administrator_changes_what_is_installed() {
    let server = TestServer::start().await;
    let member = server.client("member").await;
    let guest = bundle("hello");
    // Of some size: who is refused early must still be able to read why.
    let refused = member.upload(&bundle("hello-js"), &json!({ "grant_requested": true })).await;
    assert_eq!((refused.status, refused.code().as_str()), (StatusCode::FORBIDDEN, "PERMISSION_DENIED"), "{refused:?}");
    assert_eq!(refused.json()["details"]["required_permission"], "plugins.install");
    assert_eq!(server.admin.get("/api/plugins").await.json()["installed"], json!([]));
    server.admin.installed(&guest, json!({})).await;
    for (method, path) in
        [(Method::POST, "/api/plugins/hello/reload"), (Method::DELETE, "/api/plugins/hello?data=purge&confirm=hello")]
    {
        let refused = member.send(member.request(method.clone(), path)).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{method} {path}: {refused:?}");
    }
    assert_eq!(member.get("/api/hello/").await.json()["message"], "Hello, member!");
}

#[tokio::test]
async fn a_decision_is_checked() {
    let server = TestServer::start().await;
    let guest = bundle("hello");
    for bad in [
        json!({ "surprise": 1 }),
        json!({ "grants": ["root"] }),
        json!({ "limits": { "cpu_ms_max": -1 } }),
        json!({ "limits": { "no_such": 1 } }),
        json!("x"),
    ] {
        let reply = server.admin.upload(&guest, &bad).await;
        assert_eq!((reply.status, reply.code().as_str()), (StatusCode::BAD_REQUEST, "VALIDATION_ERROR"), "{bad}: {reply:?}");
    }
    for (decision, words) in [
        (json!({ "limits": { "cpu_ms_max": 0 } }), "`cpu_ms_max` cannot be 0"),
        (json!({ "limits": { "cpu_ms_max": 99_000_000 } }), "`cpu_ms_max`"),
        (json!({ "mode": "isolated" }), "neither wheels nor an executable"),
    ] {
        let refused = server.admin.install(&guest, decision.clone()).await;
        assert_eq!(
            (&refused["status"], &refused["outcome"]["code"]),
            (&json!("undone"), &json!("VALIDATION_ERROR")),
            "{decision}: {refused:#}"
        );
        assert!(refused["outcome"]["message"].as_str().unwrap().contains(words), "{decision}: {refused:#}");
    }
    assert_eq!(server.admin.get("/api/plugins").await.json()["installed"], json!([]));
}

#[tokio::test]
async fn two_installs_at_once_make_one_plugin() {
    let server = TestServer::start().await;
    let guest = bundle("hello");
    let decision = json!({ "grant_requested": true });
    let both = tokio::join!(server.admin.upload(&guest, &decision), server.admin.upload(&guest, &decision));
    let mut changed = 0;
    for reply in [both.0, both.1] {
        match reply.status {
            StatusCode::ACCEPTED => {
                let ended = server.admin.ended(&reply.json()).await;
                assert_eq!(ended["status"], "done", "{ended:#}");
                changed += usize::from(ended["outcome"]["changed"] == Value::Bool(true));
            }
            status => assert_eq!((status, reply.code().as_str()), (StatusCode::CONFLICT, "CONFLICT"), "{reply:?}"),
        }
    }
    assert_eq!(changed, 1);
    assert_eq!(server.admin.get("/api/hello/").await.status, StatusCode::OK);
}
