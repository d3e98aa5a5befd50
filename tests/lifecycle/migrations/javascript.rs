//! The same for a component in JavaScript.

use http::StatusCode;
use mint_tests::{TestServer, bundle};
use serde_json::json;

#[tokio::test]
async fn a_javascript_component_has_tables_with_a_history() {
    for server in TestServer::on_every_database(&[]).await {
        let admin = &server.admin;
        admin.installed(&bundle("freezer-js"), json!({})).await;
        let plugin = admin.plugin("freezer-js").await;
        assert_eq!(
            (&plugin["mode"], &plugin["schema_version"], &plugin["pending_migrations"]),
            (&json!("shared"), &json!(2), &json!(0))
        );
        for (name, tubes) in [("A1", 81), ("B2", 3)] {
            let made = admin.post("/api/freezer-js/boxes", &json!({ "name": name, "shelf": null, "tubes": tubes })).await;
            assert_eq!(made.status, StatusCode::CREATED, "{made:?}");
        }
        let again = admin.post("/api/freezer-js/boxes", &json!({ "name": "A1", "shelf": 1, "tubes": 0 })).await;
        assert_eq!(again.status, StatusCode::CONFLICT, "{again:?}");

        let moved = admin.post("/api/freezer-js/moves", &json!({ "from": "A1", "to": "B2", "tubes": 1 })).await;
        assert_eq!(moved.status, StatusCode::NO_CONTENT, "{moved:?}");
        let nowhere = admin.post("/api/freezer-js/moves", &json!({ "from": "A1", "to": "C3", "tubes": 1 })).await;
        assert_eq!(nowhere.status, StatusCode::NOT_FOUND, "{nowhere:?}");
        let boxes = admin.get("/api/freezer-js/boxes").await;
        let expected = json!([
            { "name": "A1", "shelf": null, "tubes": 80 },
            { "name": "B2", "shelf": null, "tubes": 4 },
        ]);
        assert_eq!(boxes.json(), expected, "what half of a move did is taken back");

        let asked = admin.post("/api/freezer-js/inventories", &json!(null)).await;
        assert_eq!(asked.status, StatusCode::OK, "{asked:?}");
        let id = asked.json()["id"].as_i64().unwrap();
        let done = crate::jobs::stands(admin, id, "completed").await;
        let shelves = json!({ "shelves": [{ "shelf": null, "boxes": 2, "tubes": 84 }] });
        assert_eq!((&done["outcome"], &done["percent"], &done["message"]), (&shelves, &json!(100), &json!("1 shelves")));
        let shown = admin.get(&format!("/api/freezer-js/inventories/{id}")).await.json();
        assert_eq!((&shown["status"], &shown["outcome"]), (&json!("completed"), &shelves));

        let to = json!({ "revision": 1, "confirm": "freezer-js" });
        let reset = admin.ended(&admin.post("/api/plugins/freezer-js/reset", &to).await.json()).await;
        assert_eq!(reset["status"], "done", "{reset:#}");
        assert_eq!(admin.reload("freezer-js").await["status"], "done");
        assert_eq!(admin.get("/api/freezer-js/boxes").await.json(), expected);
    }
}
