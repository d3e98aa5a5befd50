//! Where a plugin would run is told before it is installed, kept with it, and obeyed.

use std::{fs, path::Path};

use http::{Method, StatusCode};
use mint_tests::{Client, Guest, Reply, TestServer, bundle, eventually};
use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};

use crate::subprocess::{Parts, bundle_of, wheel};

async fn asked(client: &Client, guest: &Guest, decision: &Value) -> Reply {
    let part = Part::file(&guest.path).await.unwrap();
    let form = Form::new().text("decision", decision.to_string()).part("bundle", part);
    client.send(client.request(Method::POST, "/api/plugins/plan").multipart(form)).await
}

pub(crate) async fn planned(client: &Client, guest: &Guest, decision: Value) -> Value {
    let reply = asked(client, guest, &decision).await;
    assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
    reply.json()
}

fn entries(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap();
    entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect()
}

/// A server that can make no venv, so that wheels are recorded and not started.
async fn without_uv(cache: &Path) -> TestServer {
    let cache = cache.display().to_string();
    TestServer::with(&[("MINT_PLUGINS__UV__PATH", "/nonexistent/uv"), ("MINT_SERVER__CACHE_PATH", &cache)]).await
}

#[tokio::test]
async fn a_plan_tells_the_mode_and_leaves_nothing() {
    let server = TestServer::start().await;
    for (guest, decision, mode, words) in [
        ("hello", json!({}), json!("shared"), "has a component"),
        ("hello-python", json!({}), json!("shared"), "has a component"),
        ("notebook", json!({}), json!("shared"), "has a component"),
        ("notebook", json!({ "mode": "isolated" }), json!("isolated"), "forced isolated mode"),
        ("dose-response", json!({}), json!("isolated"), "numpy, scipy are not in what the platform's Python components carry"),
        ("dose-response", json!({ "mode": "shared" }), Value::Null, "none can be made of its wheels"),
        ("hello-process", json!({}), json!("isolated"), "native executable"),
        ("hello-process", json!({ "mode": "shared" }), Value::Null, "never loaded into the server"),
        ("hello", json!({ "mode": "isolated" }), Value::Null, "neither wheels nor an executable"),
    ] {
        let plan = planned(&server.admin, &bundle(guest), decision.clone()).await;
        assert_eq!((&plan["mode"], &plan["name"]), (&mode, &json!(guest)), "{decision}: {plan:#}");
        assert!(plan["reason"].as_str().unwrap().contains(words), "{plan:#}");
    }
    let wants = planned(&server.admin, &bundle("dose-response"), json!({})).await["plan"]["wants"].clone();
    assert_eq!(wants[3], json!({ "package": "numpy", "versions": ">=2", "by": "dose-response 1.0.0" }), "{wants:#}");
    assert_eq!(server.admin.get("/api/plugins").await.json()["installed"], json!([]));
    assert_eq!((entries(&server.data.join("_uploads")), entries(&server.data.join("releases"))), (vec![], vec![]));
}

#[tokio::test]
async fn whoever_may_not_install_may_not_ask() {
    let server = TestServer::start().await;
    for person in ["member", "viewer"] {
        let reply = asked(&server.client(person).await, &bundle("hello"), &json!({})).await;
        assert_eq!((reply.status, reply.code().as_str()), (StatusCode::FORBIDDEN, "PERMISSION_DENIED"), "{reply:?}");
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_bundle_is_told_and_nothing_stays() {
    let server = TestServer::start().await;
    let sdk = Parts::of_notebook().sdk;
    for (guest, words) in [
        (bundle_of("no-wheel", b"not a zip", &[], None), "it is not a zip file"),
        (bundle_of("nameless", &wheel("a\u{1b}b", &[], ""), &[], None), "`Name: a\\u{1b}b`"),
    ] {
        let reply = asked(&server.admin, &guest, &json!({})).await;
        assert_eq!((reply.status, reply.code().as_str()), (StatusCode::BAD_REQUEST, "VALIDATION_ERROR"), "{reply:?}");
        assert!(reply.json()["message"].as_str().unwrap().contains(words), "{reply:?}");
    }
    for (guest, words) in [
        (
            bundle_of("wishful", &wheel("wishful", &["mint-guest-sdk>=99"], ""), &[(&sdk.0, &sdk.1)], None),
            "the bundle has ==1.0.0",
        ),
        (bundle_of("remote", &wheel("remote", &["x @ https://example.org/x.whl"], ""), &[], None), "required by URL"),
        (bundle_of("editable", &wheel("editable", &[], ""), &[], Some("-e .\n")), "directory of somebody's machine"),
        (bundle_of("sources", &wheel("sources", &[], ""), &[], Some("--no-binary :all:\n")), "option for the installer"),
    ] {
        let plan = planned(&server.admin, &guest, json!({})).await;
        assert_eq!(plan["mode"], Value::Null, "{plan:#}");
        assert!(plan["reason"].as_str().unwrap().contains(words), "{plan:#}");
        let operation = server.install(&guest).await;
        assert_eq!(
            (&operation["status"], &operation["outcome"]["message"]),
            (&json!("undone"), &plan["reason"]),
            "{operation:#}"
        );
        assert_eq!(operation["outcome"]["details"]["plan"], plan["plan"]);
    }
    assert_eq!(server.admin.get("/api/plugins").await.json()["installed"], json!([]));
    assert_eq!(entries(&server.data.join("_uploads")), Vec::<String>::new());
}

#[tokio::test]
async fn the_plan_stays_with_the_installation_and_later_ones_are_compared_with_it() {
    let cache = tempfile::tempdir().unwrap();
    let server = without_uv(cache.path()).await;
    let old = bundle_of("old", &wheel("old", &["numpy<2", "mint-guest-sdk"], ""), &[], None);
    let plan = planned(&server.admin, &old, json!({})).await;
    assert_eq!(server.install(&old).await["status"], "failed");
    let shown = server.admin.plugin("old").await;
    assert_eq!((&shown["plan"], &shown["mode"], &shown["mode_reason"]), (&plan["plan"], &plan["mode"], &plan["reason"]));

    let new = bundle_of("new", &wheel("new", &["numpy>=2"], ""), &[], None);
    let plan = planned(&server.admin, &new, json!({})).await;
    let clash = &plan["plan"]["clashes"][0];
    assert_eq!(
        (&plan["mode"], &clash["package"], &clash["rules_out"]),
        (&json!("isolated"), &json!("numpy"), &json!([])),
        "{plan:#}"
    );
    assert_eq!(clash["why"], "No version is both >=2 and <2.");
    assert_eq!(clash["wants"][1]["by"], "old 1.0.0");
    // Another laboratory's plugins are nobody's business.
    let stranger = server.other_tenant("other").await;
    assert_eq!(planned(&stranger, &new, json!({})).await["plan"]["clashes"], json!([]));
}

#[tokio::test]
async fn what_the_configuration_forces_is_obeyed_or_refused() {
    let server =
        TestServer::with(&[("MINT_PLUGINS__FORCE_ISOLATED", "notebook,hello"), ("MINT_PLUGINS__FORCE_SHARED", "dose-response")])
            .await;
    let plan = planned(&server.admin, &bundle("notebook"), json!({})).await;
    assert_eq!((&plan["mode"], &plan["plan"]["forced_by"]), (&json!("isolated"), &json!("configuration")), "{plan:#}");
    for (guest, decision, words) in [
        ("hello", json!({}), "forced by plugins.forceIsolated, but the bundle has neither wheels nor an executable"),
        ("dose-response", json!({}), "forced by plugins.forceShared, but the bundle has no component"),
        ("notebook", json!({ "mode": "shared" }), "isolated is forced by plugins.forceIsolated"),
    ] {
        let plan = planned(&server.admin, &bundle(guest), decision.clone()).await;
        assert!(plan["reason"].as_str().unwrap().contains(words), "{plan:#}");
        let decision = json!({ "grant_requested": true, "mode": decision["mode"] });
        let operation = server.admin.install(&bundle(guest), decision).await;
        assert_eq!(
            (&operation["status"], &operation["outcome"]["message"]),
            (&json!("undone"), &plan["reason"]),
            "{operation:#}"
        );
    }
}

#[tokio::test]
async fn a_change_of_the_configuration_reaches_what_is_installed() {
    let mut server = TestServer::start().await;
    server.admin.installed(&bundle("notebook"), json!({})).await;
    server.admin.installed(&bundle("hello"), json!({})).await;
    server.set("MINT_PLUGINS__FORCE_ISOLATED", "notebook,hello");
    server.restart().await;
    let stands = |slug: &'static str, state: &'static str, mode: &'static str| {
        let admin = server.admin.clone();
        async move {
            let what = format!("{slug} to be {state} and {mode}");
            eventually(&what, || async {
                let shown = admin.plugin(slug).await;
                (shown["state"] == state && shown["mode"] == mode).then_some(shown)
            })
            .await
        }
    };
    let shown = stands("notebook", "ready", "isolated").await;
    assert_eq!(shown["plan"]["forced_by"], "configuration", "{shown:#}");
    eventually("the notebook to answer", || async {
        (server.admin.get("/api/notebook/").await.status == StatusCode::OK).then_some(())
    })
    .await;
    let shown = stands("hello", "failed", "shared").await;
    assert_eq!(shown["phase"], "plan", "{shown:#}");
    assert!(shown["reason"].as_str().unwrap().contains("forced by plugins.forceIsolated"), "{shown:#}");
    assert_eq!(server.admin.reload("hello").await["status"], "failed");

    server.set("MINT_PLUGINS__FORCE_ISOLATED", "");
    server.restart().await;
    assert_eq!(server.admin.reload("hello").await["status"], "done");
    let notebook = server.admin.reload("notebook").await;
    assert_eq!(notebook["status"], "done", "{notebook:#}");
    assert_eq!(server.admin.plugin("notebook").await["mode"], "shared");
}
