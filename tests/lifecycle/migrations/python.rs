//! The same for a component in Python.

use http::StatusCode;
use mint_tests::{TestServer, bundle};
use serde_json::json;

#[tokio::test]
async fn a_python_component_has_tables_with_a_history() {
    for server in TestServer::on_every_database(&[]).await {
        let admin = &server.admin;
        admin.installed(&bundle("weighings"), json!({})).await;
        let plugin = admin.plugin("weighings").await;
        assert_eq!(
            (&plugin["mode"], &plugin["schema_version"], &plugin["pending_migrations"]),
            (&json!("shared"), &json!(2), &json!(0))
        );
        for (count, mass) in [(1, 12.5), (2, 3.25)] {
            let reply = admin.post("/api/weighings/weighings", &json!({ "sample": "a", "mass_mg": mass })).await;
            assert_eq!((reply.status, reply.json()), (StatusCode::CREATED, json!({ "weighings": count })), "{reply:?}");
        }
        let found = admin.get("/api/weighings/weighings").await.json();
        assert_eq!(found[1], json!({ "sample": "a", "mass_mg": 3.25, "unit": "mg" }), "{found:#}");

        let to = json!({ "revision": 1, "confirm": "weighings" });
        let reset = admin.ended(&admin.post("/api/plugins/weighings/reset", &to).await.json()).await;
        assert_eq!(reset["status"], "done", "{reset:#}");
        assert_eq!(admin.plugin("weighings").await["schema_version"], 1);
        assert_eq!(admin.reload("weighings").await["status"], "done");
        let found = admin.get("/api/weighings/weighings").await.json();
        assert_eq!(found[0]["unit"], "mg", "{found:#}");
    }
}
