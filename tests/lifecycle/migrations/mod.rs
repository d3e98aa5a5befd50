//! The history of a plugin's tables, release after release. The guest `migrator` does what its settings say, and a release of it is
//! its bundle with other settings.

mod chain;
mod changes;
mod destruction;
mod failures;
mod javascript;
mod python;
mod reset;

use http::StatusCode;
use mint_tests::{Client, Guest, TestServer, bundle, repackaged};
use serde_json::{Value, json};

pub(crate) use failures::a_migration_that_never_ends_ends_at_its_limit;

/// A release of `migrator` with this history.
pub(crate) fn release(version: &str, history: &[Value]) -> Guest {
    repackaged(&bundle("migrator"), |manifest| {
        manifest["plugin"]["version"] = json!(version);
        manifest["settings_schema"]["properties"]["history"]["default"] = json!(history);
    })
}

/// A migration that does this.
pub(crate) fn adds(version: u32, up: Value) -> Value {
    json!({ "version": version, "name": format!("step {version}"), "checksum": format!("sum{version}"), "up": up, "down": [] })
}

/// A migration that makes a table, and drops it on the way back.
pub(crate) fn makes(version: u32, table: &str) -> Value {
    let mut migration =
        adds(version, json!([["create-table", { "table": table, "columns": [{ "name": "n", "kind": "bigint" }] }]]));
    migration["down"] = json!([["drop-table", { "table": table }]]);
    migration
}

/// A destructive migration that drops a table, and makes it again on the way back.
pub(crate) fn drops(version: u32, table: &str) -> Value {
    let mut migration = makes(version, table);
    let (up, down) = (migration["up"].take(), migration["down"].take());
    (migration["up"], migration["down"], migration["destructive"]) = (down, up, json!(true));
    migration
}

async fn rows(client: &Client, sql: &str) -> Value {
    let reply = client.post("/api/migrator/query", &json!({ "sql": sql })).await;
    assert_eq!(reply.status, StatusCode::OK, "{sql}: {reply:?}");
    reply.json()["rows"].take()
}

async fn has(client: &Client, table: &str) -> bool {
    let reply = client.post("/api/migrator/query", &json!({ "sql": format!("select count(*) from {table}") })).await;
    assert!([StatusCode::OK, StatusCode::BAD_REQUEST].contains(&reply.status), "{reply:?}");
    reply.status == StatusCode::OK
}

/// Numbers and states of the plugin's migrations.
async fn states(client: &Client) -> Vec<(u64, String)> {
    let found = client.get("/api/plugins/migrator/migrations").await.json();
    let state = |one: &Value| (one["version"].as_u64().unwrap(), one["state"].as_str().unwrap().to_owned());
    found["migrations"].as_array().unwrap().iter().map(state).collect()
}

fn all(state: &str, versions: &[u64]) -> Vec<(u64, String)> {
    versions.iter().map(|version| (*version, state.to_owned())).collect()
}

fn note<'a>(operation: &'a Value, step: &str) -> &'a str {
    let steps = operation["steps"].as_array().unwrap();
    steps.iter().find(|one| one["name"] == step).and_then(|one| one["note"].as_str()).unwrap_or_default()
}

/// A server on each database, with a first release.
async fn serving(history: &[Value]) -> Vec<TestServer> {
    let servers = TestServer::on_every_database(&[]).await;
    for server in &servers {
        server.admin.installed(&release("1.0.0", history), json!({})).await;
    }
    servers
}
