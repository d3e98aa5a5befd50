//! Every function of the platform, called by a component: what it gives, and what it gives to somebody who may not.

use http::StatusCode;
use mint_tests::{Client, Reply, TestServer, bundle, repackaged};
use serde_json::{Value, json};

async fn ask(client: &Client, function: &str, arguments: Value) -> Reply {
    client.post(&format!("/api/everything/call/{function}"), &arguments).await
}

/// Calls a function that must succeed.
async fn call(client: &Client, function: &str, arguments: Value) -> Value {
    let reply = ask(client, function, arguments).await;
    assert_eq!(reply.status, StatusCode::OK, "{function}: {reply:?}");
    reply.json()
}

/// Calls a function that must fail: status and code.
async fn fails(client: &Client, function: &str, arguments: Value) -> (u16, String) {
    let reply = ask(client, function, arguments).await;
    (reply.status.as_u16(), reply.code())
}

fn not_found() -> (u16, String) {
    (404, "NOT_FOUND".to_owned())
}

async fn serving() -> TestServer {
    let server = TestServer::start().await;
    server.admin.installed(&bundle("everything"), json!({})).await;
    server
}

#[tokio::test]
async fn identity() {
    let server = serving().await;
    let (admin, member) = (&server.admin, server.client("member").await);
    assert_eq!(call(&member, "identity.current", json!({})).await, json!({ "username": "member", "role": "member" }));
    let permissions = call(&member, "identity.permissions", json!({})).await;
    let permissions = permissions.as_array().unwrap();
    assert!(permissions.contains(&json!("plugins.use")) && !permissions.contains(&json!("users.manage")), "{permissions:?}");
    assert_eq!(call(admin, "identity.require-role", json!({ "roles": ["curator"] })).await, Value::Null);
    assert_eq!(fails(&member, "identity.require-role", json!({ "roles": ["curator"] })).await.0, 403);
    let found = call(admin, "identity.find-user", json!({ "username": "viewer" })).await;
    assert_eq!(found["role"], "viewer");
    assert_eq!(call(admin, "identity.get-user", json!({ "id": found["id"] })).await, found);
    assert_eq!(fails(admin, "identity.get-user", json!({ "id": 999 })).await, not_found());
    let everybody = call(admin, "identity.list-users", json!({})).await;
    let names: Vec<&str> = everybody.as_array().unwrap().iter().filter_map(|user| user["username"].as_str()).collect();
    assert_eq!(names, ["admin", "member", "viewer"]);
}

#[tokio::test]
async fn projects() {
    let server = serving().await;
    let made = server.admin.post("/api/projects", &json!({ "name": "Alps", "description": "d" })).await.json();
    let shown = call(&server.admin, "projects.get", json!({ "id": made["id"] })).await;
    assert_eq!(shown, json!({ "id": made["id"], "name": "Alps", "description": "d" }));
    assert_eq!(call(&server.admin, "projects.list", json!({})).await, json!({ "found": [shown], "total": 1 }));
    assert_eq!(fails(&server.admin, "projects.get", json!({ "id": 999 })).await, not_found());
}

#[tokio::test]
async fn experiments() {
    let server = serving().await;
    let admin = &server.admin;
    let made = call(admin, "experiments.create", json!({ "name": "One", "notes": "n" })).await;
    assert_eq!((&made["status"], &made["notes"], &made["project"]), (&json!("planned"), &json!("n"), &Value::Null));
    let id = made["id"].as_i64().unwrap();
    assert_eq!(call(admin, "experiments.get", json!({ "id": id })).await, made);
    let changed = call(admin, "experiments.update", json!({ "id": id, "name": "Two" })).await;
    assert_eq!((&changed["name"], &changed["notes"]), (&json!("Two"), &Value::Null), "a field that is not kept is cleared");
    let ongoing = call(admin, "experiments.set-status", json!({ "id": id, "status": "ongoing" })).await;
    assert_eq!(ongoing["status"], "ongoing");
    for (filter, total) in [(json!({}), 1), (json!({ "status": "ongoing" }), 1), (json!({ "search": "nothing" }), 0)] {
        assert_eq!(call(admin, "experiments.list", filter).await["total"], total);
    }
    let viewer = server.client("viewer").await;
    assert_eq!(call(&viewer, "experiments.get", json!({ "id": id })).await, ongoing);
    for (function, arguments) in [
        ("experiments.create", json!({ "name": "x" })),
        ("experiments.update", json!({ "id": id, "name": "x" })),
        ("experiments.set-status", json!({ "id": id, "status": "planned" })),
        ("experiments.delete", json!({ "id": id })),
    ] {
        assert_eq!(fails(&viewer, function, arguments).await, (403, "PERMISSION_DENIED".to_owned()), "{function}");
    }
    assert_eq!(call(admin, "experiments.delete", json!({ "id": id })).await, Value::Null);
    assert_eq!(fails(admin, "experiments.get", json!({ "id": id })).await, not_found());
}

#[tokio::test]
async fn designs() {
    let server = serving().await;
    let admin = &server.admin;
    let id = admin.experiment("x").await;
    let with = |fields: Value| {
        let mut arguments = json!({ "experiment": id });
        arguments.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        arguments
    };
    assert_eq!(fails(admin, "designs.load", with(json!({}))).await, not_found());
    let saved = call(admin, "designs.save", with(json!({ "data": { "plates": 2 }, "version": "3" }))).await;
    assert_eq!((&saved["plugin_id"], &saved["schema_version"]), (&json!("everything"), &json!("3")));
    assert_eq!(call(admin, "designs.load", with(json!({}))).await, saved);
    assert_eq!(serde_json::from_str::<Value>(saved["data"].as_str().unwrap()).unwrap(), json!({ "plates": 2 }));
    for expected in [true, false] {
        assert_eq!(call(admin, "designs.delete", with(json!({}))).await, expected);
    }
}

#[tokio::test]
async fn results() {
    let server = serving().await;
    let admin = &server.admin;
    let id = admin.experiment("x").await;
    let one = |key: &str| json!({ "experiment": id, "key": key });
    let saved = call(admin, "results.save", json!({ "experiment": id, "key": "a", "result": { "x": 1, "y": 2 } })).await;
    assert_eq!(saved["summary"], json!({ "key": "a", "archived": false, "plugin_id": "everything" }));
    let chosen = call(admin, "results.load", json!({ "experiment": id, "key": "a", "fields": ["y"] })).await;
    assert_eq!(chosen["result"], r#"{"y":2}"#);
    assert_eq!(fails(admin, "results.load", one("none")).await, not_found());
    let foreign = json!({ "experiment": id, "key": "a", "plugin": "other" });
    assert_eq!(fails(admin, "results.load", foreign).await, (403, "PERMISSION_DENIED".to_owned()));
    let many = call(admin, "results.save-all", json!({ "experiment": id, "keys": ["b", "c"], "result": {} })).await;
    assert_eq!(many.as_array().unwrap().len(), 2);
    let twice = json!({ "experiment": id, "keys": ["d", "d"], "result": {} });
    assert_eq!(fails(admin, "results.save-all", twice).await.0, 400);
    assert_eq!(call(admin, "results.archive", one("b")).await["archived"], true);
    for (archived, count) in [(false, 2), (true, 3)] {
        let list = call(admin, "results.list", json!({ "experiment": id, "archived": archived })).await;
        assert_eq!(list.as_array().unwrap().len(), count, "{list}");
    }
    assert_eq!(call(admin, "results.restore", one("b")).await["archived"], false);
    for expected in [true, false] {
        assert_eq!(call(admin, "results.delete", one("b")).await, expected);
    }
}

#[tokio::test]
async fn objects() {
    let server = serving().await;
    let admin = &server.admin;
    let id = admin.experiment("x").await;
    let one = |key: &str| json!({ "experiment": id, "key": key });
    let stored = call(admin, "objects.put", json!({ "experiment": id, "key": "raw/a", "bytes": 100_000 })).await;
    let expected = json!({ "key": "raw/a", "size": 100_000, "plugin_id": "everything", "content_type": "application/x-test" });
    assert_eq!(stored, expected);
    assert_eq!(call(admin, "objects.info", one("raw/a")).await, stored);
    assert_eq!(call(admin, "objects.get", one("raw/a")).await, 100_000);
    assert_eq!(fails(admin, "objects.get", one("raw/b")).await, not_found());
    for (key, exists) in [("raw/a", true), ("raw/b", false)] {
        assert_eq!(call(admin, "objects.exists", one(key)).await, exists);
    }
    admin.put(&format!("/api/experiments/{id}/objects/raw/upload"), "by hand").await;
    let listed = call(admin, "objects.list", json!({ "experiment": id, "prefix": "raw/" })).await;
    assert_eq!((&listed[0], &listed[1]["plugin_id"]), (&stored, &json!("platform")), "{listed}");
    assert_eq!(fails(admin, "objects.put", one("../x")).await.0, 400);
    for expected in [true, false] {
        assert_eq!(call(admin, "objects.delete", one("raw/a")).await, expected);
    }
    assert_eq!(call(admin, "objects.delete", one("raw/upload")).await, false, "what people put is not the plugin's to delete");
}

/// On both databases, and in more depth, in `database.rs`.
#[tokio::test]
async fn database() {
    let server = serving().await;
    let admin = &server.admin;
    let sql = |sql: &str| json!({ "sql": sql });
    assert_eq!(call(admin, "database.execute", sql("create table t (a bigint)")).await, 0);
    let two = json!({ "statements": ["insert into t values (1)", "insert into t values (2)"], "end": "commit" });
    assert_eq!(call(admin, "database.begin", two).await, json!([1, 1]));
    let found = call(admin, "database.query", sql("select a from t order by a")).await;
    assert_eq!(found, json!({ "columns": ["a"], "rows": [[1], [2]] }));
    let read = call(admin, "database.open", json!({ "sql": "select a from t order by a", "rows": 1, "count": 3 })).await;
    assert_eq!(read, json!({ "columns": ["a"], "batches": [[[1]], [[2]], []] }));
    assert_eq!(fails(admin, "database.query", sql("attach 'x' as y")).await, (403, "PERMISSION_DENIED".to_owned()));
    assert_eq!(fails(admin, "database.query", sql("select nothing")).await.0, 400);
}

#[tokio::test]
async fn settings() {
    let server = serving().await;
    let admin = &server.admin;
    let first = call(admin, "settings.load", json!({})).await;
    assert_eq!(first["values"], r#"{"colour":"blue"}"#);
    let swap = |revision: &Value, values: Value| json!({ "revision": revision, "values": values });
    assert_eq!(fails(admin, "settings.compare-and-swap", swap(&first["revision"], json!({ "shape": 1 }))).await.0, 400);
    let second = call(admin, "settings.compare-and-swap", swap(&first["revision"], json!({ "colour": "red" }))).await;
    assert_eq!(second["values"], r#"{"colour":"red"}"#);
    assert_eq!(fails(admin, "settings.compare-and-swap", swap(&first["revision"], json!({}))).await.0, 409);
    assert_eq!(call(admin, "settings.load", json!({})).await, second);
}

/// With no more than what its imports call for, every function that needs another grant says so.
#[tokio::test]
async fn what_was_not_granted_is_denied() {
    let server = TestServer::start().await;
    let granted = ["projects:read", "experiments:read", "objects", "database", "jobs"];
    let modest = repackaged(&bundle("everything"), |manifest| {
        manifest["capabilities"].as_array_mut().unwrap().retain(|asked| granted.contains(&asked["name"].as_str().unwrap()));
    });
    server.admin.installed(&modest, json!({})).await;
    let id = server.admin.experiment("x").await;
    let settings = call(&server.admin, "settings.load", json!({})).await;
    for (function, arguments) in [
        ("identity.get-user", json!({ "id": 1 })),
        ("identity.find-user", json!({ "username": "admin" })),
        ("identity.list-users", json!({})),
        ("experiments.create", json!({ "name": "x" })),
        ("experiments.update", json!({ "id": id, "name": "x" })),
        ("experiments.set-status", json!({ "id": id, "status": "ongoing" })),
        ("experiments.delete", json!({ "id": id })),
        ("designs.save", json!({ "experiment": id, "data": {} })),
        ("designs.delete", json!({ "experiment": id })),
        ("results.save", json!({ "experiment": id, "key": "a", "result": {} })),
        ("results.save-all", json!({ "experiment": id, "keys": ["a"], "result": {} })),
        ("results.archive", json!({ "experiment": id, "key": "a" })),
        ("results.restore", json!({ "experiment": id, "key": "a" })),
        ("results.delete", json!({ "experiment": id, "key": "a" })),
        ("settings.compare-and-swap", json!({ "revision": settings["revision"], "values": {} })),
    ] {
        assert_eq!(fails(&server.admin, function, arguments).await, (403, "PERMISSION_DENIED".to_owned()), "{function}");
    }
    let full = server.admin.get("/api/everything/fill?directory=/artifacts").await;
    assert_ne!(full.status, StatusCode::OK, "without a grant there is no directory: {full:?}");
}

/// Does a call inside of a job, and gives what it gave.
async fn within(client: &Client, function: &str, arguments: Value) -> Value {
    let payload = json!({ "function": function, "arguments": arguments });
    let asked = call(client, "jobs.enqueue", json!({ "kind": "call", "payload": payload })).await;
    crate::jobs::stands(client, asked["id"].as_i64().unwrap(), "completed").await
}

#[tokio::test]
async fn jobs() {
    let server = serving().await;
    let (admin, viewer) = (&server.admin, server.client("viewer").await);
    let wanted = json!({ "kind": "call", "payload": { "function": "none" }, "key": "k", "delay_seconds": 3_600, "retries": 2 });
    let asked = call(admin, "jobs.enqueue", wanted.clone()).await;
    assert_eq!((&asked["status"], &asked["key"], &asked["attempt"]), (&json!("queued"), &json!("k"), &json!(0)));
    assert_eq!(call(admin, "jobs.enqueue", wanted.clone()).await, asked);
    assert_eq!(fails(&viewer, "jobs.enqueue", wanted).await, (409, "CONFLICT".to_owned()));
    let id = json!({ "id": asked["id"] });
    assert_eq!(call(admin, "jobs.get", id.clone()).await, asked);
    assert_eq!(call(admin, "jobs.list", json!({})).await, json!([asked]));
    for function in ["jobs.get", "jobs.cancel"] {
        assert_eq!(fails(&viewer, function, id.clone()).await, not_found());
        assert_eq!(fails(admin, function, json!({ "id": 999 })).await, not_found());
    }
    assert_eq!(call(&viewer, "jobs.list", json!({})).await, json!([]));
    assert_eq!(call(admin, "jobs.cancel", id.clone()).await, true);
    assert_eq!(call(admin, "jobs.cancel", id.clone()).await, false);
    assert_eq!(call(admin, "jobs.get", id).await["status"], "cancelled");

    // A request is no job.
    assert_eq!(call(admin, "jobs.current", json!({})).await, Value::Null);
    assert_eq!(call(admin, "jobs.cancelled", json!({})).await, false);
    for function in ["jobs.progress", "jobs.heartbeat"] {
        assert_eq!(fails(admin, function, json!({})).await, (409, "CONFLICT".to_owned()));
    }
    let current = within(admin, "jobs.current", json!({})).await;
    assert_eq!(current["outcome"], current["id"]);
    assert_eq!(within(admin, "jobs.cancelled", json!({})).await["outcome"], false);
    assert_eq!(within(admin, "jobs.heartbeat", json!({})).await["outcome"], Value::Null);
    let told = within(admin, "jobs.progress", json!({ "percent": 30, "message": "a third" })).await;
    assert_eq!((&told["percent"], &told["message"], &told["outcome"]), (&json!(30), &json!("a third"), &Value::Null));
    let actor = within(&viewer, "identity.current", json!({})).await;
    assert_eq!(actor["outcome"], json!({ "username": "viewer", "role": "viewer" }));
    // What a viewer may not do, their job may not either.
    let payload = json!({ "function": "experiments.create", "arguments": { "name": "One" } });
    let asked = call(&viewer, "jobs.enqueue", json!({ "kind": "call", "payload": payload })).await;
    let failed = crate::jobs::stands(&viewer, asked["id"].as_i64().unwrap(), "failed").await;
    assert!(failed["error"].as_str().unwrap().contains("experiments.create"), "{failed:#}");
}
