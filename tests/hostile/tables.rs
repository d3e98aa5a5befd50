//! Statements of plugins that reach for more than their own tables, on both databases.

use std::time::{Duration, Instant};

use http::StatusCode;
use mint_tests::{Client, Guest, Reply, TestServer, bundle, repackaged};
use serde_json::{Value, json};

use super::neighbour::counted_and_told;

pub(crate) async fn ask(client: &Client, function: &str, arguments: Value) -> Reply {
    client.post(&format!("/api/everything/call/database.{function}"), &arguments).await
}

/// Calls a function that must succeed.
pub(crate) async fn call(client: &Client, function: &str, arguments: Value) -> Value {
    let reply = ask(client, function, arguments).await;
    assert_eq!(reply.status, StatusCode::OK, "{function}: {reply:?}");
    reply.json()
}

pub(crate) async fn execute(client: &Client, sql: &str) -> Value {
    call(client, "execute", json!({ "sql": sql })).await
}

pub(crate) async fn rows(client: &Client, sql: &str) -> Value {
    call(client, "query", json!({ "sql": sql })).await["rows"].clone()
}

/// Status and message of a statement that must fail.
pub(crate) async fn refused(client: &Client, sql: &str) -> (u16, String) {
    let reply = ask(client, "query", json!({ "sql": sql })).await;
    assert_ne!(reply.status, StatusCode::OK, "{sql}: {reply:?}");
    (reply.status.as_u16(), reply.json()["message"].as_str().unwrap_or_default().to_owned())
}

/// A server on each database with a plugin that has tables, and whether it is PostgreSQL.
pub(crate) async fn serving(limits: Value) -> Vec<(TestServer, bool)> {
    let mut servers = Vec::new();
    for (at, server) in TestServer::on_every_database(&[]).await.into_iter().enumerate() {
        server.admin.installed(&bundle("everything"), limits.clone()).await;
        servers.push((server, at == 1));
    }
    servers
}

/// The plugin once more, under another name.
pub(crate) fn other() -> Guest {
    repackaged(&bundle("everything"), |manifest| {
        manifest["plugin"]["slug"] = json!("other");
        manifest["plugin"]["routes_prefix"] = json!("/other");
    })
}

/// A statement ends at a limit, and the plugin goes on.
async fn reaches(client: &Client, limit: &str, function: &str, arguments: Value) {
    let reply = ask(client, function, arguments).await;
    assert_eq!((reply.status.as_u16(), reply.code().as_str()), (507, "QUOTA_EXCEEDED"), "{reply:?}");
    assert_eq!(reply.json()["details"]["limit"], limit, "{reply:?}");
    assert_eq!(rows(client, "select 1").await, json!([[1]]));
}

const MANY: &str = "with recursive n(i) as (select 1 union all select i + 1 from n where i < 100000)";

#[tokio::test]
pub(super) async fn tables_end_at_their_quota() {
    for (server, _) in serving(json!({ "database_bytes_max": 1 << 20 })).await {
        let admin = &server.admin;
        execute(admin, "create table t (a text)").await;
        let fill = format!("{MANY} insert into t select 'a text that takes some room in its table' from n");
        reaches(admin, "database_bytes_max", "execute", json!({ "sql": fill })).await;
        assert_eq!(rows(admin, "select count(*) from t").await, json!([[0]]), "nothing is left of it");
        let blob = json!({ "sql": "insert into t values ($1)", "parameters": [{ "bytes": 2 << 20 }] });
        let reply = ask(admin, "execute", blob).await;
        assert_ne!(reply.status, StatusCode::OK, "{reply:?}");
        let step = json!({ "statements": [fill], "end": "commit" });
        reaches(admin, "database_bytes_max", "begin", step).await;
        execute(admin, "drop table t").await;
        execute(admin, "create table t (a text)").await;
        assert_eq!(execute(admin, "insert into t values ('x')").await, 1, "what was dropped gives its room back");
        counted_and_told(admin, "everything", "database_bytes_max").await;
    }
}

#[tokio::test]
pub(super) async fn statements_end_with_their_time() {
    for (server, postgres) in serving(json!({ "database_statement_ms_max": 300 })).await {
        let endless = "with recursive n(i) as (select 1 union all select i + 1 from n) select count(*) from n";
        let mut statements = vec![endless];
        if postgres {
            statements.push("select pg_sleep(3600)");
        }
        for sql in statements {
            let begun = Instant::now();
            reaches(&server.admin, "database_statement_ms_max", "query", json!({ "sql": sql })).await;
            assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
        }
        let opened = json!({ "sql": endless.replace("count(*)", "max(i)"), "rows": 1, "count": 1 });
        reaches(&server.admin, "database_statement_ms_max", "open", opened).await;
        if postgres {
            // The server's own timer can be turned off by whom it measures.
            let lasting =
                json!({ "statements": ["select set_config('statement_timeout', '0', false)", "select pg_sleep(3600)"] });
            reaches(&server.admin, "database_statement_ms_max", "begin", lasting).await;
            let still = "select count(*) from pg_stat_activity where usename = current_user and state = 'active' and pid <> pg_backend_pid()";
            let patience = Instant::now() + Duration::from_secs(10);
            while rows(&server.admin, still).await != json!([[0]]) {
                assert!(Instant::now() < patience, "it still runs at the server");
            }
        }
        counted_and_told(&server.admin, "everything", "database_statement_ms_max").await;
    }
}

#[tokio::test]
pub(super) async fn answers_end_at_their_rows() {
    for (server, _) in serving(json!({ "database_rows_max": 1000 })).await {
        let admin = &server.admin;
        let some = |count: u32| json!({ "sql": format!("{MANY} select i from n limit {count}") });
        assert_eq!(call(admin, "query", some(1000)).await["rows"].as_array().unwrap().len(), 1000);
        reaches(admin, "database_rows_max", "query", some(1001)).await;
        assert_eq!(call(admin, "read", some(3000)).await, 3000, "a cursor goes on");
        counted_and_told(admin, "everything", "database_rows_max").await;
    }
}

#[tokio::test]
async fn answers_end_at_their_bytes() {
    for (server, postgres) in serving(json!({ "host_memory_bytes_max": 1 << 20 })).await {
        let admin = &server.admin;
        reaches(admin, "host_memory_bytes_max", "query", json!({ "sql": format!("{MANY} select i, 'some text' from n") })).await;
        // One value that would be too large to count.
        let giant = if postgres { "select repeat('x', 50000000)" } else { "select zeroblob(500000000)" };
        reaches(admin, "host_memory_bytes_max", "query", json!({ "sql": giant })).await;
        reaches(admin, "host_memory_bytes_max", "open", json!({ "sql": giant, "rows": 1, "count": 1 })).await;
        if postgres {
            let giant = "select jsonb_build_object('a', repeat('x', 60000000))";
            reaches(admin, "host_memory_bytes_max", "query", json!({ "sql": giant })).await;
        }
    }
}

/// A document so deep that whoever reads it by recursion runs out of stack: the database may refuse it, nobody breaks.
#[tokio::test]
async fn deep_values_break_nothing() {
    for (server, postgres) in serving(json!({})).await {
        let admin = &server.admin;
        for depth in [500_u32, 5_000, 100_000] {
            let lists = if postgres {
                format!("(repeat('[', {depth}) || repeat(']', {depth}))::jsonb")
            } else {
                format!("json(replace(hex(zeroblob({depth})), '00', '[') || replace(hex(zeroblob({depth})), '00', ']'))")
            };
            let reply = ask(admin, "query", json!({ "sql": format!("select {lists}") })).await;
            let is_given = reply.status == StatusCode::OK;
            assert_eq!(is_given, depth < 1_000 || (postgres && depth < 10_000), "{depth}: {:?}", reply.status);
            assert!(is_given || reply.status.is_client_error(), "{reply:?}");
            assert_eq!(rows(admin, "select 1").await, json!([[1]]));
        }
    }
}

#[tokio::test]
async fn statements_of_a_session_or_a_server_are_refused() {
    for (server, postgres) in serving(json!({})).await {
        let admin = &server.admin;
        execute(admin, "create table t (a bigint)").await;
        for sql in [
            "attach database '/tmp/x' as x",
            "detach database main",
            "pragma max_page_count = 1000000",
            "vacuum into '/tmp/x'",
            "begin",
            "commit",
            "set role postgres",
            "reset role",
            "set search_path = public",
            "set session authorization postgres",
            "copy t to '/tmp/x'",
            "copy t to program 'id'",
            "do $$ begin perform 1; end $$",
            "create role x superuser",
            "create extension dblink",
            "create temp table x (a int)",
            "listen x",
        ] {
            let (status, message) = refused(admin, sql).await;
            assert_eq!(status, 403, "{sql}: {message}");
        }
        for sql in ["select 1; drop table t", "insert into t values (1); delete from t", "select 1; select 2"] {
            let (status, message) = refused(admin, sql).await;
            assert_eq!((status, message.as_str()), (400, "One statement at a time."), "{sql}");
        }
        assert_eq!(rows(admin, "select count(*) from t;").await, json!([[0]]), "one with its end is one");
        let long = format!("select '{}'", "x".repeat(300_000));
        assert_eq!(refused(admin, &long).await.0, 400);
        let deep = format!("select {}1{}", "(".repeat(20_000), ")".repeat(20_000));
        assert!(ask(admin, "query", json!({ "sql": deep })).await.status.as_u16() < 500);
        let reaching: &[&str] = if postgres {
            &[
                "select set_config('role', 'postgres', false)",
                "select set_config('session_authorization', 'postgres', false)",
                "select lo_create(0)",
                "select pg_advisory_lock(1)",
                "select pg_notify('x', 'y')",
                "select pg_read_file('/etc/passwd')",
                "select pg_ls_dir('.')",
                "select * from pg_authid",
                "select * into temp x from t",
                "create table pg_temp.x (a int)",
                "create table public.x (a int)",
            ]
        } else {
            &[
                "select load_extension('/tmp/x')",
                "create virtual table x using fts5(a)",
                "create table temp.x (a int)",
                "select * from pragma_database_list",
                "insert into sqlite_schema values ('table', 'x', 'x', 1, 'create table x (a)')",
                "create trigger x after insert on t begin delete from t; end",
            ]
        };
        for sql in reaching {
            let (status, message) = refused(admin, sql).await;
            assert!(matches!(status, 400 | 403), "{sql}: {status} {message}");
        }
        assert_eq!(rows(admin, "select count(*) from t").await, json!([[0]]));
    }
}

#[tokio::test]
async fn nobody_reaches_the_tables_of_another() {
    for (server, postgres) in serving(json!({})).await {
        let elsewhere = server.other_tenant("elsewhere").await;
        let admin = &server.admin;
        admin.installed(&other(), json!({})).await;
        elsewhere.installed(&bundle("everything"), json!({})).await;
        execute(admin, "create table secret (a text)").await;
        execute(admin, "insert into secret values ('mine')").await;
        let query = async |client: &Client, path: &str, sql: &str| {
            client.post(&format!("/api/{path}/call/database.query"), &json!({ "sql": sql })).await
        };
        let mut names = vec!["secret".to_owned(), "users".to_owned(), "platform_migrations".to_owned()];
        if postgres {
            let schema = rows(admin, "select current_schema()").await[0][0].as_str().unwrap().to_owned();
            names.extend([format!("{schema}.secret"), "public.users".to_owned(), "public.installations".to_owned()]);
            let reply = query(&elsewhere, "everything", "select current_schema()").await.json();
            assert_ne!(reply["rows"][0][0], json!(schema), "each laboratory has its own");
            let moved = query(admin, "other", &format!("select set_config('search_path', '{schema}', false)")).await;
            assert_eq!(moved.status, StatusCode::OK, "a path is no right: {moved:?}");
        }
        for name in names {
            for (client, plugin) in [(admin, "other"), (&elsewhere, "everything")] {
                for sql in [format!("select * from {name}"), format!("delete from {name}"), format!("drop table {name}")] {
                    let reply = query(client, plugin, &sql).await;
                    assert!(matches!(reply.status.as_u16(), 400 | 403), "{plugin}: {sql}: {reply:?}");
                }
            }
        }
        assert_eq!(rows(admin, "select a from secret").await, json!([["mine"]]));
    }
}

/// A call that waits for itself ends, and so does one that wants every connection.
#[tokio::test]
async fn who_waits_for_himself_is_told() {
    for (server, _) in serving(json!({ "database_statement_ms_max": 500 })).await {
        let admin = &server.admin;
        execute(admin, "create table t (a bigint primary key, b bigint)").await;
        execute(admin, "insert into t values (1, 0)").await;
        let begun = Instant::now();
        let update = "update t set b = b + 1 where a = 1";
        let outside = ask(admin, "begin", json!({ "statements": [update], "end": update })).await;
        assert!(matches!(outside.status.as_u16(), 409 | 507), "{outside:?}");
        let many = ask(admin, "begin", json!({ "statements": [], "end": "many" })).await;
        assert_eq!(many.status.as_u16(), 409, "{many:?}");
        assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
        assert_eq!(execute(admin, update).await, 1);
        assert_eq!(rows(admin, "select b from t").await, json!([[1]]));
    }
}

/// What one plugin does to the database keeps no other from answering.
#[tokio::test]
async fn one_plugin_does_not_slow_another() {
    for (server, _) in serving(json!({ "database_statement_ms_max": 3000 })).await {
        let admin = &server.admin;
        admin.installed(&other(), json!({})).await;
        let endless = json!({ "sql": "with recursive n(i) as (select 1 union all select i + 1 from n) select count(*) from n" });
        let busy = ask(admin, "query", endless);
        let neighbour = async {
            let reply = admin.post("/api/other/call/database.execute", &json!({ "sql": "create table t (a bigint)" })).await;
            assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
            Instant::now()
        };
        let begun = Instant::now();
        let (busy, answered) = tokio::join!(busy, neighbour);
        assert_eq!(busy.status.as_u16(), 507, "{busy:?}");
        assert!(answered - begun < Duration::from_secs(2), "{:?}", answered - begun);
    }
}
