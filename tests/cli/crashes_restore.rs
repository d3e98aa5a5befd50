//! The server dies while a snapshot is put back: the plugin's tables, files, settings and release are afterwards all as
//! they were, or all as they were to be.

use std::{fs, path::Path};

use mint_platform::install;
use mint_tests::{Client, Guest, bundle, eventually, repackaged};
use reqwest::Method;
use rustix::process::Signal;
use serde_json::{Value, json};

use super::{
    Mint,
    crashes::{WHEN, only, settled},
};
use crate::{
    hostile::tables::{execute, rows},
    lifecycle::snapshots::{snapshots, take},
};

fn release(version: &str) -> Guest {
    repackaged(&bundle("everything"), |manifest| manifest["plugin"]["version"] = json!(version))
}

/// Everything that a snapshot holds, as a person finds it.
async fn found(client: &Client, home: &Path) -> Value {
    let file = fs::read_to_string(home.join("artifacts/file")).unwrap_or_default();
    let settings = client.get("/api/plugins/everything/config").await.json()["stored_settings"].clone();
    let version = client.plugin("everything").await["version"].clone();
    json!({ "rows": rows(client, "select a from t order by a").await, "file": file, "settings": settings, "version": version })
}

async fn make(client: &Client, home: &Path, state: &str, rows: &[i64]) {
    execute(client, "delete from t").await;
    for row in rows {
        execute(client, &format!("insert into t values ({row})")).await;
    }
    fs::create_dir_all(home.join("artifacts")).unwrap();
    fs::write(home.join("artifacts/file"), state).unwrap();
    assert_eq!(client.configure("everything", json!({ "colour": state })).await.status, 200);
}

async fn answering(client: &Client) {
    eventually("the plugin", || async {
        let plugin = client.plugin("everything").await;
        let asked = client.post("/api/everything/call/identity.current", &json!({})).await;
        (plugin["state"] == "ready" && asked.status != 503).then_some(())
    })
    .await;
}

/// Nothing but what is listed stands among the snapshots, and nothing half-done among the plugin's own.
async fn check_leftovers(client: &Client, data: &Path, moment: &str) {
    let listed = snapshots(client, "everything").await.len();
    let there = |directory: &Path| -> Vec<String> {
        let entries = fs::read_dir(directory).into_iter().flatten().flatten();
        let mut names: Vec<_> = entries.map(|entry| entry.file_name().into_string().unwrap()).collect();
        names.sort();
        names
    };
    let archives = there(&data.join("snapshots")).iter().filter(|name| !name.starts_with('.')).count();
    // One that was written and not yet recorded is swept an hour later.
    assert!((listed..=listed + 1).contains(&archives), "{moment}: {listed} snapshots, {archives} archives");
    assert_eq!(there(&data.join("plugin-data/default")), ["everything"], "{moment}");
    let tables = there(&data.join("plugin-tables/default/everything"));
    assert!(!tables.iter().any(|name| name.contains(".restoring")), "{moment}: {tables:?}");
}

on_each_database! {
    in_a_restore => survives;
}

async fn survives(database: &str) {
    let changes = install::changes();
    let (kind, steps) = changes.iter().find(|(kind, _)| *kind == "restore").unwrap();
    for database in only(database).await {
        let url = (!database.url.starts_with("sqlite")).then_some(database.url.as_str());
        let mut mint = Mint::serving_on(url).await;
        let data = mint.home().join("data");
        let home = data.join("plugin-data/default/everything");
        let mut client = Client::sign_in(&mint.url, "default", "admin").await;
        client.installed(&release("1.0.0"), json!({})).await;
        execute(&client, "create table t (a bigint primary key)").await;
        for moment in steps.iter().flat_map(|step| WHEN.map(|when| format!("{kind}/{step}/{when}"))) {
            if client.plugin("everything").await["version"] != "1.0.0" {
                assert_eq!(client.roll_back("everything", &json!({ "version": "1.0.0" })).await["status"], "done");
            }
            make(&client, &home, "old", &[1]).await;
            let old = found(&client, &home).await;
            let id = take(&client, "everything").await;
            assert_eq!(client.upgrade("everything", &release("2.0.0"), &json!({})).await["status"], "done");
            make(&client, &home, "new", &[1, 2]).await;
            let new = found(&client, &home).await;

            mint.end(Signal::TERM);
            mint.serve_until(Some(&moment)).await;
            client = client.at(&mint.url);
            let request = client.request(Method::POST, "/api/plugins/everything/restore");
            let _answered_or_not = request.json(&json!({ "snapshot": id })).send().await;
            assert_eq!(mint.died().await, Some(Signal::ABORT.as_raw()), "{moment}: {}", mint.log());
            mint.serve().await;
            client = client.at(&mint.url);
            let operation = settled(&client).await;
            answering(&client).await;
            let expected = if operation["status"] == "done" { &old } else { &new };
            assert_eq!(&found(&client, &home).await, expected, "{moment}: {operation:#}");
            check_leftovers(&client, &data, &moment).await;
        }
    }
}
