//! What goes wrong leaves everything as it was, and says so.

use http::StatusCode;
use serde_json::{Value, json};

use super::{adds, all, has, makes, release, rows, serving, states};

fn message(operation: &Value) -> &str {
    operation["outcome"]["message"].as_str().unwrap_or_default()
}

#[tokio::test]
async fn a_migration_that_fails_half_way_leaves_nothing() {
    let broken = |up: Value| {
        let mut up = up;
        up.as_array_mut()
            .unwrap()
            .insert(0, json!(["create-table", { "table": "half", "columns": [{ "name": "n", "kind": "bigint" }] }]));
        adds(3, up)
    };
    for server in serving(&[makes(1, "t")]).await {
        let admin = &server.admin;
        for (version, ends, words) in [
            ("2.0.0", json!([["fail", { "words": "the calibration is missing" }]]), "the calibration is missing"),
            ("2.0.1", json!([["execute", { "sql": "insert into nowhere values (1)" }]]), "nowhere"),
            ("2.0.2", json!([["trap", {}]]), "broke"),
        ] {
            let broken = release(version, &[makes(1, "t"), makes(2, "u"), broken(ends)]);
            let refused = admin.upgrade("migrator", &broken, &json!({})).await;
            assert_eq!(
                (&refused["status"], &refused["outcome"]["code"]),
                (&json!("undone"), &json!("plugin.release_failed")),
                "{refused:#}"
            );
            assert!(message(&refused).contains(words) && message(&refused).contains("Migration 3"), "{refused:#}");
            assert_eq!(admin.plugin("migrator").await["version"], "1.0.0");
            assert!(has(admin, "u").await, "what the old release can go on with stays");
            assert!(!has(admin, "half").await, "nothing is left of what failed");
            let found = admin.get("/api/plugins/migrator/migrations").await.json();
            assert_eq!(found["migrations"][2]["state"], "failed", "{found:#}");
            assert!(found["migration_error"].as_str().unwrap().contains(words), "{found:#}");
        }
        let mended = release("2.1.0", &[makes(1, "t"), makes(2, "u"), makes(3, "half")]);
        let done = admin.upgrade("migrator", &mended, &json!({})).await;
        assert_eq!(done["status"], "done", "{done:#}");
        assert_eq!(states(admin).await, all("applied", &[1, 2, 3]));
        assert!(admin.plugin("migrator").await["migration_error"].is_null());
    }
}

#[tokio::test]
async fn a_first_release_that_cannot_migrate_is_failed_and_tried_again() {
    for server in mint_tests::TestServer::on_every_database(&[]).await {
        let broken = release("1.0.0", &[makes(1, "t"), adds(2, json!([["fail", { "words": "no" }]]))]);
        let failed = server.install(&broken).await;
        assert_eq!(
            (&failed["status"], &failed["outcome"]["failure"]["phase"]),
            (&json!("failed"), &json!("migrate")),
            "{failed:#}"
        );
        let plugin = server.admin.plugin("migrator").await;
        assert_eq!((&plugin["state"], &plugin["pending_migrations"]), (&json!("failed"), &json!(1)), "{plugin:#}");
        assert_eq!(server.admin.reload("migrator").await["status"], "failed");
        let mended = release("1.0.1", &[makes(1, "t"), makes(2, "u")]);
        assert_eq!(server.admin.upgrade("migrator", &mended, &json!({})).await["status"], "done");
        assert!(has(&server.admin, "u").await);
    }
}

#[tokio::test]
async fn histories_that_do_not_fit_are_refused_before_anything_happens() {
    let edited = |version: u32| {
        let mut migration = makes(version, "t");
        migration["checksum"] = json!("another");
        migration
    };
    let mut unnamed = makes(3, "v");
    unnamed["name"] = json!("");
    for server in serving(&[makes(1, "t"), makes(2, "u")]).await {
        let admin = &server.admin;
        for (version, history, words) in [
            ("2.0.0", vec![edited(1), makes(2, "u"), makes(3, "v")], "Migration 1 (`step 1`) is not the one that was applied"),
            ("2.0.1", vec![makes(1, "t"), makes(2, "u"), makes(3, "v"), makes(3, "w")], "does not come after 3"),
            ("2.0.2", vec![makes(1, "t"), makes(2, "u"), unnamed.clone()], "needs a name"),
        ] {
            let refused = admin.upgrade("migrator", &release(version, &history), &json!({})).await;
            assert_eq!(refused["status"], "undone", "{refused:#}");
            assert!(message(&refused).contains(words), "{refused:#}");
            assert!(!has(admin, "v").await);
        }
        let before =
            server.admin.upgrade("migrator", &release("3.0.0", &[makes(1, "t"), makes(2, "u"), makes(4, "v")]), &json!({})).await;
        assert_eq!(before["status"], "done", "{before:#}");
        let between = [makes(1, "t"), makes(2, "u"), makes(3, "w"), makes(4, "v")];
        let refused = admin.upgrade("migrator", &release("3.1.0", &between), &json!({})).await;
        assert!(message(&refused).contains("Migration 3 (`step 3`) comes before 4"), "{refused:#}");
    }
}

#[tokio::test]
async fn two_administrators_at_once() {
    let slow = adds(
        2,
        json!([["query", { "sql": "with recursive n(i) as (select 1 union all select i + 1 from n where i < 300000) select count(*) from n" }]]),
    );
    for server in serving(&[makes(1, "t")]).await {
        let (first, second) =
            (release("2.0.0", &[makes(1, "t"), slow.clone()]), release("3.0.0", &[makes(1, "t"), makes(2, "u")]));
        let begun = server.admin.begin_upgrade("migrator", &first, &json!({})).await;
        let form = reqwest::multipart::Form::new()
            .text("decision", "{}")
            .part("bundle", reqwest::multipart::Part::file(&second.path).await.unwrap());
        let request = server.admin.request(http::Method::POST, "/api/plugins/migrator/upgrade").multipart(form);
        let refused = server.admin.send(request).await;
        assert_eq!((refused.status, refused.code().as_str()), (StatusCode::CONFLICT, "CONFLICT"), "{refused:?}");
        assert_eq!(server.admin.ended(&begun).await["status"], "done");
        assert_eq!(states(&server.admin).await, all("applied", &[1, 2]));
        assert!(!has(&server.admin, "u").await);
    }
}

#[tokio::test]
pub(crate) async fn a_migration_that_never_ends_ends_at_its_limit() {
    let endless = [
        json!([["spin", {}]]),
        json!([["query", { "sql": "with recursive n(i) as (select 1 union all select i + 1 from n) select count(*) from n" }]]),
    ];
    for server in serving(&[makes(1, "t")]).await {
        for (at, up) in endless.iter().enumerate() {
            let bad = release(&format!("2.0.{at}"), &[makes(1, "t"), adds(2, up.clone())]);
            let refused = server.admin.upgrade("migrator", &bad, &json!({ "limits": { "migration_ms_max": 1500 } })).await;
            assert_eq!(refused["status"], "undone", "{refused:#}");
            let why = server.admin.get("/api/plugins/migrator/migrations").await.json();
            assert_eq!(why["migrations"][1]["state"], "failed", "{why:#}");
            assert_eq!(rows(&server.admin, "select count(*) from t").await, json!([[0]]), "the old release answers");
        }
        crate::hostile::neighbour::counted(&server.admin, "migrator", "migration_ms_max").await;
    }
}
