//! Projects, experiments and files, on every database there is.

use http::{Method, StatusCode};
use mint_tests::TestServer;
use serde_json::json;

#[tokio::test]
async fn the_life_of_an_experiment() {
    for server in TestServer::on_every_database(&[]).await {
        let admin = &server.admin;
        assert_eq!(admin.post("/api/projects", &json!({ "name": "P", "description": "d" })).await.status, StatusCode::CREATED);
        let again = admin.post("/api/projects", &json!({ "name": "P" })).await;
        assert_eq!((again.status, again.code().as_str()), (StatusCode::CONFLICT, "CONFLICT"));

        let made = admin
            .post(
                "/api/experiments",
                &json!({ "name": "One 100%", "experiment_type": "lcms", "project": "P", "notes": "n", "tags": { "a": 1 } }),
            )
            .await;
        assert_eq!(made.status, StatusCode::CREATED, "{made:?}");
        let made = made.json();
        let id = made["id"].as_i64().unwrap();
        assert_eq!((&made["status"], &made["project"], &made["tags"]), (&json!("planned"), &json!("P"), &json!({ "a": 1 })));
        assert!(made["created_at"].as_str().unwrap().ends_with('Z'));
        admin.experiment("Two").await;

        for (query, total) in [
            ("", 2),
            ("?search=100%25", 1),
            ("?search=one", 1),
            ("?search=_", 0),
            ("?project=P", 1),
            ("?status=ongoing", 0),
            ("?limit=1", 2),
        ] {
            assert_eq!(admin.get(&format!("/api/experiments{query}")).await.json()["total"], total, "{query}");
        }
        let path = format!("/api/experiments/{id}");
        let changed = admin.patch(&path, &json!({ "status": "ongoing", "notes": null, "start_date": "2026-11-21" })).await.json();
        assert_eq!(
            (&changed["status"], &changed["notes"], &changed["start_date"]),
            (&json!("ongoing"), &json!(null), &json!("2026-11-21"))
        );
        assert_eq!(changed["name"], "One 100%");
        for (bad, status) in [
            (json!({ "status": "lost" }), 400),
            (json!({ "start_date": "21.11.2026" }), 400),
            (json!({ "project": "none" }), 400),
            (json!({ "parent_experiment_id": id }), 400),
            (json!({ "tags": [] }), 400),
            (json!({ "surprise": 1 }), 422),
        ] {
            let reply = admin.patch(&path, &bad).await;
            assert_eq!(reply.status.as_u16(), status, "{bad}: {reply:?}");
            assert_eq!(reply.json()["request_id"].as_str().unwrap(), reply.headers["x-request-id"].to_str().unwrap());
        }
        assert_eq!(admin.delete(&path).await.status, StatusCode::NO_CONTENT);
        assert_eq!(admin.get(&path).await.code(), "NOT_FOUND");
    }
}

#[tokio::test]
async fn files_come_back_as_they_were_put() {
    for server in TestServer::on_every_database(&[]).await {
        let admin = &server.admin;
        let id = admin.experiment("files").await;
        let path = format!("/api/experiments/{id}/objects/raw/run 1.bin");
        let bytes: Vec<u8> = (0..3_000_000_u32).map(|i| (i % 251) as u8).collect();
        for _ in 0..2 {
            let put = admin.put(&path, bytes.clone()).await;
            assert_eq!(put.status, StatusCode::CREATED, "{put:?}");
            assert_eq!((&put.json()["size"], &put.json()["key"]), (&json!(bytes.len()), &json!("raw/run 1.bin")));
        }
        let got = admin.get(&path).await;
        assert_eq!(got.body, bytes);
        assert_eq!(got.headers["content-disposition"], "attachment");
        assert_eq!(
            admin.get(&format!("/api/experiments/{id}/objects?prefix=raw/")).await.json()["objects"].as_array().unwrap().len(),
            1
        );
        let head = admin.send(admin.request(Method::HEAD, &path)).await;
        assert_eq!((head.status, head.headers["content-length"].to_str().unwrap()), (StatusCode::OK, "3000000"));
        let bad = admin.put(&format!("/api/experiments/{id}/objects/a%5Cb"), "x").await;
        assert_eq!(bad.code(), "VALIDATION_ERROR");
        assert_eq!(admin.delete(&path).await.status, StatusCode::NO_CONTENT);
        assert_eq!(admin.delete(&path).await.status, StatusCode::NOT_FOUND);
        assert_eq!(admin.put("/api/experiments/999/objects/a", "x").await.code(), "NOT_FOUND");
    }
}
