//! What a component does not have, it was not granted.

use http::StatusCode;
use mint_tests::{TestServer, bundle, manifest, repackaged};
use serde_json::json;

#[tokio::test]
async fn an_install_without_what_the_plugin_asks_for_is_refused_with_its_reasons() {
    let server = TestServer::start().await;
    let guest = bundle("lcms-features");
    let operation = server.admin.install(&guest, json!({ "grants": ["results:write", "experiments:read"] })).await;
    assert_eq!(operation["status"], "undone", "{operation:#}");
    let outcome = &operation["outcome"];
    assert_eq!(outcome["code"], "plugin.grants_missing");
    assert!(outcome["message"].as_str().unwrap().contains("objects (Reads the mzML file of the experiment.)"), "{outcome:#}");
    let missing = outcome["details"]["missing"].as_array().unwrap();
    assert_eq!((missing.len(), &missing[0]["name"]), (1, &json!("objects")));
    assert_eq!(server.admin.get("/api/plugins/lcms-features").await.status, StatusCode::NOT_FOUND);

    let operation = server.admin.install(&guest, json!({ "grants": ["results:write", "experiments:read", "objects"] })).await;
    assert_eq!(operation["status"], "done", "{operation:#}");
    let plugin = server.admin.plugin("lcms-features").await;
    let mut granted: Vec<_> = plugin["grants"].as_array().unwrap().iter().map(|grant| grant.as_str().unwrap()).collect();
    granted.sort_unstable();
    assert_eq!(granted, ["experiments:read", "objects", "results:write"]);
    assert_eq!(plugin["requested"].as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn a_component_that_imports_more_than_it_declares_does_not_start() {
    let server = TestServer::start().await;
    let quiet = repackaged(&bundle("lcms-features"), |manifest| manifest["capabilities"] = json!([]));
    let operation = server.admin.install(&quiet, json!({ "grant_requested": true })).await;
    assert_eq!(operation["status"], "failed", "{operation:#}");
    let plugin = server.admin.plugin("lcms-features").await;
    assert_eq!((&plugin["state"], &plugin["phase"]), (&json!("failed"), &json!("stage")), "{plugin:#}");
    let reason = plugin["reason"].as_str().unwrap();
    assert!(reason.contains("mint:platform/") && reason.contains("nothing that was granted allows it"), "{reason}");
    assert!(plugin["hint"].as_str().unwrap().starts_with("Grant `"), "{plugin:#}");
    assert_eq!(server.admin.get("/api/lcms-features/").await.code(), "plugin.not_ready");
}

/// A component that serves nothing and imports one interface of the platform.
fn reader_of(interface: &str) -> mint_tests::Guest {
    let text = format!(r#"(component (import "mint:platform/{interface}@1.0.0" (instance)))"#);
    let about = json!({ "plugin": { "slug": "reader", "version": "1.0.0" }, "component": "plugin.wasm" });
    manifest(about, &[("plugin.wasm", &wat::parse_str(text).unwrap())])
}

#[tokio::test]
async fn nothing_granted_is_nothing_linked() {
    let server = TestServer::start().await;
    for (interface, unlocked_by) in [
        ("experiments", "experiments:read"),
        ("projects", "projects:read"),
        ("designs", "experiments:read"),
        ("results", "results:write"),
        ("objects", "objects"),
    ] {
        let guest = reader_of(interface);
        let operation = server.admin.install(&guest, json!({})).await;
        assert_eq!(operation["status"], "failed", "{interface}: {operation:#}");
        let failure = &operation["outcome"]["failure"];
        let said = format!("{} {}", failure["reason"].as_str().unwrap(), failure["hint"].as_str().unwrap());
        assert!(said.contains(&format!("mint:platform/{interface}@1.0.0")) && said.contains(unlocked_by), "{said}");
        server.admin.uninstall("reader", "purge").await;

        server.admin.installed(&reader_with(interface, unlocked_by), json!({})).await;
        server.admin.uninstall("reader", "purge").await;
    }
    for free in ["types", "identity", "settings"] {
        server.admin.installed(&reader_of(free), json!({})).await;
        server.admin.uninstall("reader", "purge").await;
    }
}

fn reader_with(interface: &str, capability: &str) -> mint_tests::Guest {
    let want = json!([{ "name": capability, "why": "To read." }]);
    repackaged(&reader_of(interface), |manifest| manifest["capabilities"] = want)
}

#[tokio::test]
async fn a_plugin_may_no_more_than_the_person_who_uses_it() {
    let server = TestServer::start().await;
    server.admin.installed(&bundle("lcms-features"), json!({})).await;
    let id = server.admin.experiment("run").await;
    let run = include_bytes!("../data/example.mzML.gz").as_slice();
    server.admin.put(&format!("/api/experiments/{id}/objects/run.mzML.gz"), run).await;
    let path = format!("/api/lcms-features/experiments/{id}/analyse");
    let order = json!({ "object": "run.mzML.gz" });

    let viewer = server.client("viewer").await.post(&path, &order).await;
    assert_eq!(viewer.status, StatusCode::FORBIDDEN, "{viewer:?}");
    assert!(viewer.text().contains("experiments.edit"), "{viewer:?}");
    assert_eq!(server.admin.get(&format!("/api/experiments/{id}/results")).await.json(), json!([]));

    let stranger = server.other_tenant("other").await;
    stranger.installed(&bundle("lcms-features"), json!({})).await;
    let other = stranger.post(&path, &order).await;
    assert_eq!(other.status, StatusCode::NOT_FOUND, "{other:?}");

    let member = server.client("member").await.post(&path, &order).await;
    assert_eq!(member.status, StatusCode::CREATED, "{member:?}");
}
