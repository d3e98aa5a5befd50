//! The server ends and starts again.

use http::StatusCode;
use mint_tests::{Client, Reply, TestServer, bundle, eventually, repackaged};
use serde_json::json;

/// The first answer of a plugin itself. Until then everybody is told that it is being started, and when to ask again.
async fn once_started(client: &Client, path: &str) -> Reply {
    eventually(path, || async {
        let reply = client.get(path).await;
        if reply.status != StatusCode::SERVICE_UNAVAILABLE {
            return Some(reply);
        }
        assert_eq!(
            (reply.code().as_str(), &reply.json()["details"]["state"]),
            ("plugin.not_ready", &json!("ready")),
            "{reply:?}"
        );
        assert!(reply.headers.contains_key("retry-after"), "{reply:?}");
        None
    })
    .await
}

#[tokio::test]
async fn plugins_answer_again_with_their_settings_and_failures() {
    let mut server = TestServer::start().await;
    let other = server.other_tenant("other").await;
    server.admin.installed(&bundle("hello"), json!({ "wall_ms_max": 12_345 })).await;
    assert_eq!(server.admin.configure("hello", json!({ "greeting": "Moin" })).await.status, StatusCode::OK);
    server.admin.install(&bundle("broken-start"), json!({})).await;
    other.installed(&repackaged(&bundle("hello"), |manifest| manifest["plugin"]["version"] = json!("3.0.0")), json!({})).await;
    for _ in 0..2 {
        server.restart().await;
        assert_eq!(once_started(&server.admin, "/api/hello/").await.json()["message"], "Moin, admin!");
        assert_eq!(server.admin.plugin("hello").await["limits"]["wall_ms_max"], 12_345);
        let broken = server.admin.plugin("broken-start").await;
        assert_eq!((&broken["state"], &broken["phase"]), (&json!("failed"), &json!("initialize")), "{broken:#}");
        let other = other.at(&server.url);
        assert_eq!(once_started(&other, "/api/hello/").await.json()["message"], "Hello, admin!");
        assert_eq!(other.plugin("hello").await["version"], "3.0.0");
    }
}

#[tokio::test]
async fn a_plugin_whose_files_are_gone_says_so_and_others_start() {
    let mut server = TestServer::start().await;
    server.admin.installed(&bundle("hello"), json!({})).await;
    server.admin.installed(&bundle("hostile"), json!({})).await;
    let digest = server.admin.plugin("hostile").await["digest"].as_str().unwrap().trim_start_matches("sha256:").to_owned();
    server.stop().await;
    std::fs::write(server.data.join("releases").join(digest).join("plugin.wasm"), b"altered").unwrap();
    server.restart().await;
    assert_eq!(once_started(&server.admin, "/api/hello/").await.status, StatusCode::OK);
    // What was compiled from the release that was installed is what runs, whatever became of its source.
    assert_eq!(once_started(&server.admin, "/api/hostile/").await.text(), "still here");
}
