//! What is changed through one server is so at all of them, within seconds.

use mint_tests::{Client, bundle, eventually, repackaged};
use serde_json::{Value, json};

use super::Shared;
use crate::cli::Mint;

async fn everywhere(servers: &[Mint], admin: &Client, what: &str, holds: impl AsyncFn(Client) -> bool) {
    for server in servers {
        let client = admin.at(&server.url);
        eventually(what, || async { holds(client.clone()).await.then_some(()) }).await;
    }
}

async fn greets(servers: &[Mint], admin: &Client, version: &str, greeting: &str) {
    let what = format!("{greeting} of {version} at every server");
    everywhere(servers, admin, &what, async |client| {
        let reply = client.get("/api/hello/").await;
        let message = (reply.status == 200).then(|| reply.json()["message"].clone());
        let versions = client.get("/api/replicas").await.json();
        let is_there = |replica: &Value| replica["serves"].as_array().unwrap().iter().any(|served| served["version"] == version);
        message == Some(json!(format!("{greeting}, admin!"))) && versions.as_array().unwrap().iter().all(is_there)
    })
    .await;
}

#[tokio::test]
async fn install_settings_upgrade_roll_back_and_uninstall() {
    let Some(shared) = Shared::new().await else { return };
    let mut servers = vec![shared.server(30), shared.server(30), shared.server(30)];
    servers[0].make_admin();
    for server in &mut servers {
        server.serve().await;
    }
    let admin = Client::sign_in(&servers[0].url, "default", "admin").await;
    let at = |position: usize| admin.at(&servers[position].url);
    let second = repackaged(&bundle("hello"), |manifest| manifest["plugin"]["version"] = json!("2.0.0"));

    at(0).installed(&bundle("hello"), json!({})).await;
    greets(&servers, &admin, "1.0.0", "Hello").await;
    assert_eq!(at(1).configure("hello", json!({ "greeting": "Moin" })).await.status, 200);
    greets(&servers, &admin, "1.0.0", "Moin").await;
    assert_eq!(at(2).upgrade("hello", &second, &json!({})).await["status"], "done");
    greets(&servers, &admin, "2.0.0", "Moin").await;
    assert_eq!(at(1).roll_back("hello", &json!({})).await["status"], "done");
    greets(&servers, &admin, "1.0.0", "Moin").await;
    assert_eq!(at(0).reload("hello").await["status"], "done");
    greets(&servers, &admin, "1.0.0", "Moin").await;

    let shown = servers[1].run_with(&["auth", "login", "admin"], mint_tests::PASSWORD);
    assert_eq!(shown.code, Some(0), "{}", shown.stderr);
    let status = servers[1].run(&["status"]);
    assert_eq!((status.code, status.stdout.matches("hello 1.0.0").count()), (Some(0), 3), "{}{}", status.stdout, status.stderr);

    let removed = at(2).uninstall("hello", "purge").await;
    assert_eq!(removed["status"], "done", "{removed:#}");
    // It ended when nobody answered any more.
    for server in &servers {
        assert_eq!(admin.at(&server.url).get("/api/hello/").await.status, 404);
    }
}

/// A file of an experiment, and the tables of a plugin.
#[tokio::test]
async fn files_and_tables_are_the_same_for_all() {
    let Some(shared) = Shared::new().await else { return };
    let mut servers = vec![shared.server(30), shared.server(30), shared.server(30)];
    servers[0].make_admin();
    for server in &mut servers {
        server.serve().await;
    }
    let admin = Client::sign_in(&servers[0].url, "default", "admin").await;
    let experiment = admin.experiment("shared").await;
    let path = format!("/api/experiments/{experiment}/objects/data.bin");
    let bytes = vec![7_u8; 3 << 20];
    let put = admin.put(&path, bytes.clone()).await;
    assert!(put.status.is_success(), "{put:?}");
    for server in &servers {
        assert_eq!(admin.at(&server.url).get(&path).await.body, bytes);
    }

    admin.installed(&bundle("everything"), json!({})).await;
    everywhere(&servers, &admin, "the plugin", async |client| client.get("/api/plugins/everything").await.status == 200).await;
    let sql = |sql: &str| json!({ "sql": sql });
    let path = "/api/everything/call/database.execute".to_owned();
    everywhere(&servers, &admin, "tables", async |client| {
        client.post(&path, &sql("create table if not exists t (a bigint)")).await.status == 200
    })
    .await;
    let inserted = futures_util::future::join_all((0..24).map(|number| {
        let client = admin.at(&servers[number % 3].url);
        let path = path.clone();
        async move { client.post(&path, &json!({ "sql": format!("insert into t values ({number})") })).await }
    }));
    for reply in inserted.await {
        assert_eq!(reply.status, 200, "{reply:?}");
    }
    let found = admin.post("/api/everything/call/database.query", &sql("select count(*) from t")).await;
    assert_eq!(found.json()["rows"], json!([[24]]), "{found:?}");
}
