//! Tables of a plugin that three servers answer with are changed once, and nothing is taken away from an old release that still
//! answers somewhere.

use mint_tests::{Client, eventually};
use serde_json::json;

use super::Shared;
use crate::lifecycle::migrations::{adds, drops, makes, release};

async fn count(client: &Client, sql: &str) -> Option<i64> {
    let reply = client.post("/api/migrator/query", &json!({ "sql": sql })).await;
    (reply.status == 200).then(|| reply.json()["rows"][0][0].as_i64().unwrap())
}

#[tokio::test]
async fn a_migration_is_applied_once() {
    let Some(shared) = Shared::new().await else { return };
    let mut servers = vec![shared.server(30), shared.server(30), shared.server(30)];
    servers[0].make_admin();
    for server in &mut servers {
        server.serve().await;
    }
    let admin = Client::sign_in(&servers[0].url, "default", "admin").await;
    let history = [makes(1, "old"), adds(2, json!([["execute", { "sql": "insert into old (n) values (1)" }]]))];
    admin.installed(&release("1.0.0", &history[..1]), json!({})).await;
    for server in &servers {
        let client = admin.at(&server.url);
        eventually("the plugin", || async { count(&client, "select count(*) from old").await }).await;
    }

    // All three are asked at once; one of them does it.
    let second = release("2.0.0", &history);
    let bytes = std::fs::read(&second.path).unwrap();
    let asked =
        futures_util::future::join_all(
            servers.iter().map(|server| {
                let form = reqwest::multipart::Form::new()
                    .text("decision", "{}")
                    .part("bundle", reqwest::multipart::Part::bytes(bytes.clone()).file_name("bundle.mint"));
                let client = admin.at(&server.url);
                async move {
                    client.send(client.request(reqwest::Method::POST, "/api/plugins/migrator/upgrade").multipart(form)).await
                }
            }),
        );
    let mut ended = Vec::new();
    for reply in asked.await {
        match reply.status.as_u16() {
            202 => ended.push(admin.ended(&reply.json()).await),
            other => assert_eq!(other, 409, "{reply:?}"),
        }
    }
    assert!(ended.iter().any(|operation| operation["outcome"]["changed"] == true), "{ended:#?}");
    assert!(ended.iter().all(|operation| operation["status"] == "done"), "{ended:#?}");
    assert_eq!(count(&admin, "select count(*) from old").await, Some(1), "it was applied once");

    // What the old release uses goes when the last server has let go of it.
    let third = release("3.0.0", &[history[0].clone(), history[1].clone(), makes(3, "new"), drops(4, "old")]);
    let done = admin.at(&servers[2].url).upgrade("migrator", &third, &json!({ "allow_destructive": true })).await;
    assert_eq!(done["status"], "done", "{done:#}");
    let contracted = done["steps"].as_array().unwrap().iter().find(|step| step["name"] == "contract").unwrap();
    assert_eq!(contracted["note"], "done: 4 (step 4)", "{done:#}");
    for server in &servers {
        let serving = admin.at(&server.url).get("/api/replicas").await.json();
        let old = serving.as_array().unwrap().iter().flat_map(|replica| replica["serves"].as_array().unwrap());
        assert!(old.clone().all(|served| served["version"] == "3.0.0"), "{serving:#}");
        eventually("the new release", || async { count(&admin.at(&server.url), "select count(*) from new").await }).await;
    }
}
