//! A plugin that an administrator does not want to answer keeps what it has.

use http::StatusCode;
use mint_tests::{TestServer, bundle, repackaged};
use serde_json::json;

#[tokio::test]
async fn a_disabled_plugin_answers_nobody_until_it_is_enabled() {
    for mut server in TestServer::on_every_database(&[]).await {
        server.admin.installed(&bundle("hello"), json!({})).await;
        assert_eq!(server.admin.configure("hello", json!({ "greeting": "Moin" })).await.status, StatusCode::OK);
        let stranger = server.client("member").await;
        assert_eq!(stranger.post("/api/plugins/hello/disable", &json!(null)).await.status, StatusCode::FORBIDDEN);

        let disabled = server.admin.change("hello", "disable").await;
        assert_eq!((&disabled["kind"], &disabled["status"]), (&json!("disable"), &json!("done")), "{disabled:#}");
        for restarted in [false, true] {
            if restarted {
                server.restart().await;
            }
            for path in ["/api/hello/", "/hello/"] {
                let refused = server.admin.get(path).await;
                assert_eq!((refused.status, refused.code().as_str()), (StatusCode::SERVICE_UNAVAILABLE, "plugin.disabled"));
                assert!(refused.headers.get("retry-after").is_none(), "{refused:?}");
            }
            let plugin = server.admin.plugin("hello").await;
            assert_eq!((&plugin["state"], &plugin["usage"]), (&json!("disabled"), &json!(null)), "{plugin:#}");
            assert_eq!(server.admin.get("/api/plugins").await.json()["loaded"], json!([]));
        }
        let reload = server.admin.post("/api/plugins/hello/reload", &json!(null)).await;
        assert_eq!((reload.status, reload.code().as_str()), (StatusCode::CONFLICT, "CONFLICT"), "{reload:?}");
        assert_eq!(server.admin.change("hello", "disable").await["status"], "done");

        let enabled = server.admin.change("hello", "enable").await;
        assert_eq!((&enabled["status"], &enabled["outcome"]["changed"]), (&json!("done"), &json!(true)), "{enabled:#}");
        assert_eq!(server.admin.get("/api/hello/").await.json()["message"], "Moin, admin!");
        let again = server.admin.change("hello", "enable").await;
        assert_eq!((&again["status"], &again["outcome"]["changed"]), (&json!("done"), &json!(false)), "{again:#}");
    }
}

#[tokio::test]
async fn a_disabled_plugin_can_be_upgraded_and_removed() {
    let server = TestServer::start().await;
    server.admin.installed(&bundle("hello"), json!({})).await;
    let asks = repackaged(&bundle("hello"), |manifest| {
        manifest["plugin"]["version"] = json!("2.0.0");
        manifest["capabilities"] = json!([{ "name": "experiments:read", "why": "Counts them." }]);
    });
    server.admin.change("hello", "disable").await;
    let refused = server.admin.upgrade("hello", &asks, &json!({})).await;
    assert_eq!(refused["status"], "undone", "{refused:#}");
    assert_eq!(server.admin.plugin("hello").await["state"], "disabled");
    let upgraded = server.admin.upgrade("hello", &asks, &json!({ "grant_requested": true })).await;
    assert_eq!(upgraded["status"], "done", "{upgraded:#}");
    assert_eq!(server.admin.get("/api/hello/").await.status, StatusCode::OK, "another release is one that is to answer");
    server.admin.change("hello", "disable").await;
    assert_eq!(server.admin.uninstall("hello", "purge").await["status"], "done");
    assert_eq!(server.admin.get("/api/hello/").await.status, StatusCode::NOT_FOUND);
}
