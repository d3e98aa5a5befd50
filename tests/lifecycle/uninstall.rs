//! A plugin goes; what it made for the laboratory stays.

use http::StatusCode;
use mint_tests::{TestServer, bundle, repackaged};
use serde_json::json;

#[tokio::test]
async fn routes_go_and_files_stay_until_they_are_purged() {
    let server = TestServer::start().await;
    let other = server.other_tenant("other").await;
    let guest = bundle("hello");
    for client in [&server.admin, &other] {
        client.installed(&guest, json!({})).await;
    }
    let own = |tenant: &str| server.data.join("plugin-data").join(tenant).join("hello/artifacts/kept.txt");
    for tenant in ["default", "other"] {
        std::fs::create_dir_all(own(tenant).parent().unwrap()).unwrap();
        std::fs::write(own(tenant), "kept").unwrap();
    }

    let removed = server.admin.uninstall("hello", "keep").await;
    assert_eq!((&removed["kind"], &removed["status"]), (&json!("uninstall"), &json!("done")), "{removed:#}");
    let gone = server.admin.get("/api/hello/").await;
    assert_eq!((gone.status, gone.code().as_str()), (StatusCode::NOT_FOUND, "resource.not_found"), "{gone:?}");
    assert_eq!(server.admin.get("/api/plugins/hello").await.status, StatusCode::NOT_FOUND);
    assert!(own("default").is_file());
    assert_eq!(other.get("/api/hello/").await.status, StatusCode::OK, "another laboratory keeps its own");

    server.admin.installed(&guest, json!({})).await;
    let unsaid = server.admin.delete("/api/plugins/hello?data=purge").await;
    assert_eq!((unsaid.status, unsaid.code().as_str()), (StatusCode::BAD_REQUEST, "VALIDATION_ERROR"), "{unsaid:?}");
    assert!(own("default").is_file());
    assert_eq!(server.admin.get("/api/hello/").await.status, StatusCode::OK);
    assert_eq!(server.admin.uninstall("hello", "purge").await["status"], "done");
    assert!(!own("default").exists() && own("other").is_file());

    assert_eq!(server.admin.delete("/api/plugins/hello").await.status, StatusCode::NOT_FOUND);
    let bad = server.admin.delete("/api/plugins/hello?data=burn").await;
    assert_eq!(bad.code(), "validation.request", "{bad:?}");
}

#[tokio::test]
async fn a_plugin_whose_files_were_purged_begins_anew() {
    let server = TestServer::start().await;
    let guest = repackaged(&bundle("hello"), |manifest| {
        manifest["capabilities"] = json!([{ "name": "files", "why": "Keeps something." }]);
    });
    for _ in 0..2 {
        let installed = server.install(&guest).await;
        assert_eq!(installed["status"], "done", "{installed:#}");
        assert_eq!(server.admin.get("/api/hello/").await.status, StatusCode::OK);
        assert_eq!(server.admin.uninstall("hello", "purge").await["status"], "done");
    }
}

#[tokio::test]
async fn settings_do_not_outlive_the_installation() {
    let server = TestServer::start().await;
    server.admin.installed(&bundle("hello"), json!({})).await;
    assert_eq!(server.admin.configure("hello", json!({ "greeting": "Moin" })).await.status, StatusCode::OK);
    server.admin.uninstall("hello", "keep").await;
    server.admin.installed(&bundle("hello"), json!({})).await;
    assert_eq!(server.admin.get("/api/hello/").await.json()["message"], "Hello, admin!");
}

#[tokio::test]
async fn a_failed_plugin_can_be_removed() {
    let server = TestServer::start().await;
    assert_eq!(server.install(&bundle("broken-start")).await["status"], "failed");
    assert_eq!(server.admin.uninstall("broken-start", "purge").await["status"], "done");
    assert_eq!(server.admin.get("/api/broken-start/").await.status, StatusCode::NOT_FOUND);
    assert_eq!(server.admin.get("/api/plugins").await.json()["installed"], json!([]));
}
