//! The server dies while the tables of a plugin are changed: they are those of the one release or of the other, and what is
//! written down of them is true.

use mint_platform::install;
use mint_tests::{Client, Guest};
use rustix::process::Signal;
use serde_json::{Value, json};

use super::{
    Mint,
    crashes::{WHEN, only, settled},
};
use crate::lifecycle::migrations::{drops, makes, release};

fn history() -> [Value; 3] {
    [makes(1, "old"), makes(2, "new"), drops(3, "old")]
}

fn first() -> Guest {
    release("1.0.0", &history()[..1])
}

fn second() -> Guest {
    release("2.0.0", &history())
}

async fn upgrade(client: &Client) -> reqwest::RequestBuilder {
    let form = reqwest::multipart::Form::new()
        .text("decision", json!({ "allow_destructive": true }).to_string())
        .part("bundle", reqwest::multipart::Part::file(&second().path).await.unwrap());
    client.request(reqwest::Method::POST, "/api/plugins/migrator/upgrade").multipart(form)
}

async fn has(client: &Client, table: &str) -> bool {
    let sql = format!("select count(*) from {table}");
    client.post("/api/migrator/query", &json!({ "sql": sql })).await.status == 200
}

/// Begins a change with `begin` at each of its moments, on the database of this kind, and looks with `check` when it was taken up and ended.
async fn survives(kind: &str, database: &str, before: &Guest, begin: impl AsyncFn(&Client), check: impl AsyncFn(&Client, &str)) {
    let (_, steps) = install::changes().into_iter().find(|(known, _)| *known == kind).unwrap();
    for database in only(database).await {
        let url = (!database.url.starts_with("sqlite")).then_some(database.url.as_str());
        let mut mint = Mint::serving_on(url).await;
        for moment in steps.iter().flat_map(|step| WHEN.map(|when| format!("{kind}/{step}/{when}"))) {
            let client = Client::sign_in(&mint.url, "default", "admin").await;
            client.installed(before, json!({})).await;
            mint.end(Signal::TERM);
            mint.serve_until(Some(&moment)).await;
            begin(&client.at(&mint.url)).await;
            assert_eq!(mint.died().await, Some(Signal::ABORT.as_raw()), "{moment}: {}", mint.log());
            mint.serve().await;
            let client = client.at(&mint.url);
            check(&client, &moment).await;
            assert_eq!(client.uninstall("migrator", "purge").await["status"], "done");
        }
    }
}

on_each_database! {
    in_an_upgrade_that_changes_tables => upgrades;
    in_a_reset => resets;
}

async fn upgrades(database: &str) {
    let begin = async |client: &Client| {
        let _answered_or_not = upgrade(client).await.send().await;
    };
    let check = async |client: &Client, moment: &str| {
        let operation = settled(client).await;
        mint_tests::eventually("the plugin", || async { has(client, "plugin_schema_migrations").await.then_some(()) }).await;
        let plugin = client.plugin("migrator").await;
        let (state, version) = (&plugin["state"], plugin["schema_version"].as_u64().unwrap());
        assert_eq!(state, "ready", "{moment}: {plugin:#}, {operation:#}");
        match plugin["version"].as_str().unwrap() {
            "1.0.0" => assert!([1, 2].contains(&version), "{moment}: {plugin:#}"),
            _ => assert_eq!(version, 3, "{moment}: {plugin:#}, {operation:#}"),
        }
        assert_eq!((has(client, "old").await, has(client, "new").await), (version < 3, version > 1), "{moment}: {plugin:#}");
    };
    survives("upgrade", database, &first(), begin, check).await;
}

async fn resets(database: &str) {
    let begin = async |client: &Client| {
        let to = json!({ "revision": 1, "confirm": "migrator" });
        let request = client.request(reqwest::Method::POST, "/api/plugins/migrator/reset").json(&to);
        let _answered_or_not = request.send().await;
    };
    let check = async |client: &Client, moment: &str| {
        let operation = settled(client).await;
        let plugin = client.plugin("migrator").await;
        assert_eq!(
            (&plugin["state"], &plugin["schema_version"]),
            (&json!("failed"), &json!(1)),
            "{moment}: {plugin:#}, {operation:#}"
        );
        assert_eq!(client.reload("migrator").await["status"], "done", "{moment}");
        assert!(has(client, "new").await, "{moment}");
    };
    survives("reset", database, &second(), begin, check).await;
}
