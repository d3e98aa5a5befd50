//! Tables of plugins, on both databases: what goes in comes out, transactions end, and each keeps to its own.

use std::time::{Duration, Instant};

use http::StatusCode;
use mint_tests::{Client, Guest, Reply, TestServer, bundle, repackaged};
use serde_json::{Value, json};

async fn ask(client: &Client, function: &str, arguments: Value) -> Reply {
    client.post(&format!("/api/everything/call/database.{function}"), &arguments).await
}

async fn call(client: &Client, function: &str, arguments: Value) -> Value {
    let reply = ask(client, function, arguments).await;
    assert_eq!(reply.status, StatusCode::OK, "{function}: {reply:?}");
    reply.json()
}

async fn execute(client: &Client, sql: &str) -> Value {
    call(client, "execute", json!({ "sql": sql })).await
}

async fn rows(client: &Client, sql: &str) -> Value {
    call(client, "query", json!({ "sql": sql })).await["rows"].clone()
}

/// Status and message of a statement that must fail.
async fn fails(client: &Client, sql: &str) -> (u16, String) {
    let reply = ask(client, "query", json!({ "sql": sql })).await;
    (reply.status.as_u16(), reply.json()["message"].to_string())
}

/// A server on each database, with a plugin that has tables.
async fn serving(limits: Value) -> Vec<(TestServer, bool)> {
    let mut servers = Vec::new();
    for (at, server) in TestServer::on_every_database(&[]).await.into_iter().enumerate() {
        server.admin.installed(&bundle("everything"), limits.clone()).await;
        servers.push((server, at == 1));
    }
    servers
}

/// The plugin once more, under another name.
fn other() -> Guest {
    repackaged(&bundle("everything"), |manifest| {
        manifest["plugin"]["slug"] = json!("other");
        manifest["plugin"]["routes_prefix"] = json!("/other");
    })
}

#[tokio::test]
async fn values_of_every_type_come_back() {
    for (server, _) in serving(json!({})).await {
        let admin = &server.admin;
        let made = "create table t (a boolean, b bigint, c double precision, d text, e %, f text)";
        let blob = if rows(admin, "select typeof(1)").await == json!([["integer"]]) { "blob" } else { "bytea" };
        assert_eq!(execute(admin, &made.replace('%', blob)).await, 0);
        let values = json!([true, -9_007_199_254_740_993_i64, 1.5, "Zürich ' \" $1", { "blob": [0, 255] }, null]);
        let insert = json!({ "sql": "insert into t values ($1, $2, $3, $4, $5, $6)", "parameters": values });
        assert_eq!(call(admin, "execute", insert).await, 1);
        let found = call(admin, "query", json!({ "sql": "select * from t" })).await;
        assert_eq!(found, json!({ "columns": ["a", "b", "c", "d", "e", "f"], "rows": [values] }));
        // In any order, more than once, and given back by a statement that writes.
        let sql = "insert into t (b, d) values ($2, $1), ($2, $1) returning d, b";
        let returned = call(admin, "query", json!({ "sql": sql, "parameters": ["x", 7] })).await;
        assert_eq!(returned["rows"], json!([["x", 7], ["x", 7]]));
        assert_eq!(execute(admin, "update t set c = b where d = 'x'").await, 2);
        assert_eq!(rows(admin, "select count(*), sum(b) from t where d = 'x'").await, json!([[2, 14]]));
        let few = ask(admin, "query", json!({ "sql": "select $1, $2", "parameters": ["x"] })).await;
        assert_eq!((few.status.as_u16(), few.json()["message"].to_string().contains("2 parameters")), (400, true), "{few:?}");
    }
}
