//! A plugin that cannot start says why, and what to do.

use http::StatusCode;
use mint_tests::{Guest, TestServer, bundle, eventually, manifest};
use serde_json::{Value, json};

/// Installs what cannot start. Gives what an administrator reads of it.
async fn fails(server: &TestServer, guest: &Guest, slug: &str, limits: Value) -> Value {
    let operation = server.admin.install(guest, json!({ "grant_requested": true, "limits": limits })).await;
    assert_eq!(operation["status"], "failed", "{operation:#}");
    let plugin = server.admin.plugin(slug).await;
    assert_eq!(plugin["state"], "failed");
    let failure = &operation["outcome"]["failure"];
    for field in ["phase", "reason", "hint"] {
        assert_eq!(plugin[field], failure[field], "{field}");
        assert!(!plugin[field].as_str().unwrap().is_empty(), "{field}");
    }
    assert_eq!(server.admin.get("/api/plugins").await.json()["loaded"], json!([]));
    plugin
}

#[tokio::test]
async fn its_own_words_reach_the_administrator_and_a_setting_heals_it() {
    let server = TestServer::start().await;
    let plugin = fails(&server, &bundle("broken-start"), "broken-start", json!({})).await;
    assert_eq!(plugin["phase"], "initialize");
    let words = "The calibration table is missing: name it in the settings.";
    assert!(plugin["reason"].as_str().unwrap().contains(words), "{plugin:#}");
    assert!(plugin["hint"].as_str().unwrap().contains("settings"), "{plugin:#}");

    let reply = server.client("member").await.get("/api/broken-start/").await;
    assert_eq!((reply.status, reply.code().as_str()), (StatusCode::SERVICE_UNAVAILABLE, "plugin.not_ready"), "{reply:?}");
    let said = reply.json();
    assert_eq!(said["details"], json!({ "plugin": "broken-start", "state": "failed" }));
    assert!(said["message"].as_str().unwrap().contains(words), "{said:#}");
    let stranger = server.other_tenant("other").await.get("/api/broken-start/").await;
    assert_eq!((stranger.status, stranger.code().as_str()), (StatusCode::NOT_FOUND, "resource.not_found"));

    let again = server.admin.reload("broken-start").await;
    assert_eq!((&again["status"], &again["outcome"]["failure"]["phase"]), (&json!("failed"), &json!("initialize")), "{again:#}");
    assert_eq!(server.admin.configure("broken-start", json!({ "calibration": "2026.csv" })).await.status, StatusCode::OK);
    assert_eq!(server.admin.reload("broken-start").await["status"], "done");
    assert_eq!(server.admin.get("/api/broken-start/").await.text(), "calibrated");
    let healed = server.admin.plugin("broken-start").await;
    assert_eq!((&healed["state"], &healed["reason"]), (&json!("ready"), &json!("It answers.")), "{healed:#}");

    // A start that fails ends the generation that ran: what answers is what the settings say.
    assert_eq!(server.admin.configure("broken-start", json!({})).await.status, StatusCode::OK);
    assert_eq!(server.admin.reload("broken-start").await["status"], "failed");
    assert_eq!(server.admin.get("/api/broken-start/").await.code(), "plugin.not_ready");
}

#[tokio::test]
async fn a_start_that_never_ends_is_ended() {
    let server = TestServer::start().await;
    let plugin = fails(&server, &bundle("endless-start"), "endless-start", json!({ "cpu_ms_max": 300 })).await;
    assert_eq!(plugin["phase"], "initialize");
    let reason = plugin["reason"].as_str().unwrap();
    assert!(reason.contains("cpu_ms_max") && reason.contains("300 ms"), "{reason}");
    server.admin.installed(&bundle("hello"), json!({})).await;
}

#[tokio::test]
async fn who_asks_while_it_starts_is_told_to_ask_again() {
    let server = TestServer::start().await;
    let upload = server.admin.upload(&bundle("endless-start"), &json!({ "limits": { "cpu_ms_max": 1500 } })).await;
    let reply = eventually("the start", || async {
        let reply = server.admin.get("/api/endless-start/").await;
        (reply.status == StatusCode::SERVICE_UNAVAILABLE).then_some(reply)
    });
    let reply = reply.await;
    assert_eq!(reply.code(), "plugin.not_ready", "{reply:?}");
    let state = reply.json()["details"]["state"].as_str().unwrap().to_owned();
    assert!(["installing", "migrating", "initializing"].contains(&state.as_str()), "{reply:?}");
    assert!(reply.headers.contains_key("retry-after"), "{reply:?}");
    let ended = server.admin.ended(&upload.json()).await;
    assert_eq!(ended["status"], "failed", "{ended:#}");
    assert!(!server.admin.get("/api/endless-start/").await.headers.contains_key("retry-after"), "nobody will start it by itself");
}

fn component(bytes: &[u8]) -> Guest {
    let about = json!({ "plugin": { "slug": "odd", "version": "1.0.0" }, "component": "plugin.wasm" });
    manifest(about, &[("plugin.wasm", bytes)])
}

fn wat(name: &str) -> Vec<u8> {
    wat::parse_file(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../guests/hostile/wat").join(name)).unwrap()
}

#[tokio::test]
async fn what_is_no_component_of_this_platform_is_named() {
    let server = TestServer::start().await;
    let hello = std::fs::read(bundle("hello").path).unwrap();
    for (bytes, words) in [
        (wat("core-module.wat"), ["core WebAssembly module, not a component", "wasm32-wasip2"]),
        (wat("unknown-import.wat"), ["`acme:thing/api@1.0.0`, which this platform does not serve", "isolated mode"]),
        (wat("unknown-import.wat")[..60].to_vec(), ["cannot be read", "mint build"]),
        (hello[..1000].to_vec(), ["cannot be read", "mint build"]),
        (b"GIF89a".to_vec(), ["cannot be read", "mint build"]),
        (Vec::new(), ["cannot be read", "mint build"]),
        (
            wat::parse_str(r#"(component (import "mint:platform/calendar@1.0.0" (instance)))"#).unwrap(),
            ["mint:platform/calendar@1.0.0", "Update the platform"],
        ),
        (wat::parse_str(r#"(component (import "wasi:io/poll@0.3.0" (instance)))"#).unwrap(), ["wasi:io/poll@0.3.0", "0.2.x"]),
        (
            wat::parse_str(r#"(component (import "wasi:io/poll@0.2.0" (instance (export "no-such" (func)))))"#).unwrap(),
            ["cannot be linked", "WIT"],
        ),
    ] {
        let plugin = fails(&server, &component(&bytes), "odd", json!({})).await;
        let said = format!("{} {}", plugin["reason"].as_str().unwrap(), plugin["hint"].as_str().unwrap());
        assert!(words.iter().all(|word| said.contains(word)), "{words:?}: {said}");
        assert_eq!(server.admin.get("/api/odd/").await.code(), "plugin.not_ready");
        assert_eq!(server.admin.uninstall("odd", "purge").await["status"], "done");
    }
}

#[tokio::test]
async fn a_component_without_routes_says_so_to_whoever_asks() {
    let server = TestServer::start().await;
    server.admin.installed(&component(&wat::parse_str("(component)").unwrap()), json!({})).await;
    let reply = server.admin.get("/api/odd/").await;
    assert_eq!((reply.status, reply.code().as_str()), (StatusCode::BAD_GATEWAY, "plugin.garbage"), "{reply:?}");
    let shown = server.admin.plugin("odd").await;
    assert_eq!(shown["runtime"]["exports"]["routes"], false, "{shown:#}");
}
