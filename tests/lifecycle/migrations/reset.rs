//! Tables are set back, so that an earlier release can answer again.

use http::StatusCode;
use serde_json::json;

use super::{all, drops, has, makes, release, serving, states};

#[tokio::test]
async fn tables_go_back_and_an_earlier_release_with_them() {
    let history = [makes(1, "t"), makes(2, "u"), drops(3, "t")];
    for server in serving(&history[..1]).await {
        let admin = &server.admin;
        let allowed = json!({ "allow_destructive": true });
        assert_eq!(admin.upgrade("migrator", &release("2.0.0", &history), &allowed).await["status"], "done");
        let reset = |revision: u32, confirm: &'static str| async move {
            admin.post("/api/plugins/migrator/reset", &json!({ "revision": revision, "confirm": confirm })).await
        };
        let unmeant = reset(1, "yes").await;
        assert_eq!(unmeant.status, StatusCode::BAD_REQUEST, "{unmeant:?}");
        let nothing = admin.ended(&reset(3, "migrator").await.json()).await;
        assert_eq!(nothing["outcome"]["changed"], false, "{nothing:#}");
        assert_eq!(admin.plugin("migrator").await["state"], "ready");
        let not_theirs = server.client("member").await;
        let refused = not_theirs.post("/api/plugins/migrator/reset", &json!({ "revision": 1, "confirm": "migrator" })).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN);

        let done = admin.ended(&reset(1, "migrator").await.json()).await;
        assert_eq!(done["status"], "done", "{done:#}");
        let plugin = admin.plugin("migrator").await;
        assert_eq!(
            (&plugin["state"], &plugin["phase"], &plugin["schema_version"]),
            (&json!("failed"), &json!("reset"), &json!(1))
        );
        assert!(plugin["reason"].as_str().unwrap().contains("before what 2.0.0 wants"), "{plugin:#}");
        assert_eq!(admin.get("/api/migrator/").await.status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(states(admin).await, [all("applied", &[1]), all("pending", &[2, 3])].concat());

        let back = admin.roll_back("migrator", &json!({})).await;
        assert_eq!(back["status"], "done", "{back:#}");
        assert!(has(admin, "t").await && !has(admin, "u").await);
        let unknown = admin.ended(&reset(0, "migrator").await.json()).await;
        assert_eq!(unknown["status"], "done", "{unknown:#}");
        assert_eq!(admin.reload("migrator").await["status"], "done", "it migrates forward again");
        assert_eq!(states(admin).await, all("applied", &[1]));
    }
}

#[tokio::test]
async fn what_cannot_be_taken_back_stops_there() {
    let mut stuck = makes(2, "u");
    stuck["down"] = json!([["fail", { "words": "there is no way back" }]]);
    let history = [makes(1, "t"), stuck, makes(3, "v")];
    for server in serving(&history).await {
        let admin = &server.admin;
        let reply = admin.post("/api/plugins/migrator/reset", &json!({ "revision": 0, "confirm": "migrator" })).await;
        let failed = admin.ended(&reply.json()).await;
        assert_eq!(failed["status"], "failed", "{failed:#}");
        let plugin = admin.plugin("migrator").await;
        assert!(plugin["reason"].as_str().unwrap().contains("there is no way back"), "{plugin:#}");
        assert_eq!(plugin["schema_version"], 2);
        assert_eq!(admin.reload("migrator").await["status"], "done");
        assert_eq!(states(admin).await, all("applied", &[1, 2, 3]));
    }
}
