//! What takes something away waits until nothing needs it any more, and for the administrator's word.

use serde_json::json;

use super::{adds, all, drops, has, makes, note, release, serving, states};

#[tokio::test]
async fn what_the_old_release_uses_is_dropped_last_and_only_when_allowed() {
    let history = [makes(1, "old"), makes(2, "new"), drops(3, "old")];
    for server in serving(&history[..1]).await {
        let admin = &server.admin;
        let second = release("2.0.0", &history);
        let refused = admin.upgrade("migrator", &second, &json!({})).await;
        assert_eq!(
            (&refused["status"], &refused["outcome"]["code"]),
            (&json!("undone"), &json!("plugin.destructive_migrations")),
            "{refused:#}"
        );
        assert_eq!(refused["outcome"]["details"]["migrations"][0]["version"], 3, "{refused:#}");
        assert!(!has(admin, "new").await, "nothing was done");

        let done = admin.upgrade("migrator", &second, &json!({ "allow_destructive": true })).await;
        assert_eq!(done["status"], "done", "{done:#}");
        assert!(note(&done, "migrate").contains("1 for later: 3 (step 3)"), "{done:#}");
        assert!(note(&done, "contract").contains("done: 3"), "{done:#}");
        assert_eq!(states(admin).await, all("applied", &[1, 2, 3]));
        assert!(!has(admin, "old").await && has(admin, "new").await);

        let back = admin.roll_back("migrator", &json!({})).await;
        assert_eq!(back["status"], "undone", "{back:#}");
        let message = back["outcome"]["message"].as_str().unwrap();
        assert!(message.contains("at revision 3") && message.contains("--revision 1"), "{message}");
        assert_eq!(admin.plugin("migrator").await["state"], "ready");
    }
}

#[tokio::test]
async fn a_release_goes_back_over_what_only_added() {
    let history = [makes(1, "t"), makes(2, "u")];
    for server in serving(&history[..1]).await {
        let admin = &server.admin;
        assert_eq!(admin.upgrade("migrator", &release("2.0.0", &history), &json!({})).await["status"], "done");
        let back = admin.roll_back("migrator", &json!({})).await;
        assert_eq!(back["status"], "done", "{back:#}");
        assert!(has(admin, "u").await, "the old release does not mind it");
        assert_eq!(states(admin).await, [all("applied", &[1]), all("unknown", &[2])].concat());
        assert_eq!(admin.upgrade("migrator", &release("3.0.0", &history), &json!({})).await["status"], "done");
        assert_eq!(states(admin).await, all("applied", &[1, 2]));
    }
}

#[tokio::test]
async fn what_adds_does_not_wait_behind_what_destroys() {
    let history = [makes(1, "t"), drops(2, "t"), makes(3, "u")];
    for server in serving(&history[..1]).await {
        let refused = server.admin.upgrade("migrator", &release("3.0.0", &history), &json!({ "allow_destructive": true })).await;
        assert_eq!(refused["status"], "undone", "{refused:#}");
        let message = refused["outcome"]["message"].as_str().unwrap();
        assert!(message.contains("Upgrade first to a release that ends with migration 2"), "{message}");
        assert!(has(&server.admin, "t").await);
        for (version, until) in [("2.0.0", 2), ("3.0.0", 3)] {
            let done = server
                .admin
                .upgrade("migrator", &release(version, &history[..until]), &json!({ "allow_destructive": true }))
                .await;
            assert_eq!(done["status"], "done", "{done:#}");
        }
        assert!(has(&server.admin, "u").await && !has(&server.admin, "t").await);
    }
}

#[tokio::test]
async fn a_migration_that_hides_what_it_destroys_is_refused() {
    for server in serving(&[makes(1, "t")]).await {
        for (at, call) in [
            json!(["drop-table", { "table": "t" }]),
            json!(["rename-column", { "table": "t", "column": "n", "to": "m" }]),
            json!(["execute", { "sql": "/* */ drop table t" }]),
            json!(["execute", { "sql": "alter table t rename to u" }]),
        ]
        .into_iter()
        .enumerate()
        {
            let hidden = release(&format!("2.0.{at}"), &[makes(1, "t"), adds(2, json!([call]))]);
            let refused = server.admin.upgrade("migrator", &hidden, &json!({ "allow_destructive": true })).await;
            assert!(refused["outcome"]["message"].as_str().unwrap().contains("Only a destructive migration"), "{refused:#}");
            assert!(has(&server.admin, "t").await);
        }
    }
}

/// What could not be done after an upgrade is done by a reload that may.
#[tokio::test]
async fn what_was_left_is_done_by_a_reload() {
    let mut stubborn = drops(2, "t");
    stubborn["up"].as_array_mut().unwrap().insert(0, json!(["execute", { "sql": "insert into gate values (1)" }]));
    let history = [makes(1, "t"), stubborn];
    for server in serving(&history[..1]).await {
        let admin = &server.admin;
        let done = admin.upgrade("migrator", &release("2.0.0", &history), &json!({ "allow_destructive": true })).await;
        assert_eq!(done["status"], "done", "{done:#}");
        assert!(note(&done, "contract").contains("not done: Migration 2"), "{done:#}");
        let plugin = admin.plugin("migrator").await;
        assert_eq!(
            (&plugin["version"], &plugin["state"], &plugin["pending_migrations"]),
            (&json!("2.0.0"), &json!("ready"), &json!(1))
        );
        assert!(has(admin, "t").await);
        let reply = admin.post("/api/migrator/execute", &json!({ "sql": "create table gate (n bigint)" })).await;
        assert!(reply.status.is_success(), "{reply:?}");
        assert_eq!(admin.reload("migrator").await["status"], "done");
        assert!(has(admin, "t").await, "without the word it stays");
        let reply = admin.post("/api/plugins/migrator/reload?allow_destructive=true", &json!(null)).await;
        assert_eq!(admin.ended(&reply.json()).await["status"], "done");
        assert!(!has(admin, "t").await);
    }
}
