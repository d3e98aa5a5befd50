//! Tables of plugins on the real wheels of MINT's SDKs, whose promise of a session MINT itself keeps in its own process only.

use std::{path::PathBuf, time::Duration};

use http::StatusCode;
use mint_store::tables::{Bounds, Owner, Value as Cell};
use mint_tests::{Client, TestServer, eventually};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::sdk_fixture::Fixture;
use crate::lifecycle::plan::planned;

async fn servers(fixture: &Fixture) -> Vec<TestServer> {
    let Some(python) = fixture.python() else { return Vec::new() };
    TestServer::on_every_database(&[("MINT_PLUGINS__UV__PYTHON", &python)]).await
}

async fn install(client: &Client, fixture: &Fixture, limits: Value) {
    let operation = client.install(&fixture.bundle(), json!({ "grants": fixture.grants(), "limits": limits })).await;
    let state = client.plugin(fixture.slug()).await;
    assert_eq!(operation["status"], "done", "{operation:#} {state:#}");
    assert_eq!((&state["state"], &state["mode"]), (&json!("ready"), &json!("isolated")), "{state:#}");
}

async fn ask(client: &Client, slug: &str, path: &str, body: Value) -> Value {
    let reply = client.post(&format!("/api/{slug}/{path}"), &body).await;
    assert_eq!(reply.status, StatusCode::OK, "{path} {body}: {reply:?}");
    reply.json()
}

async fn notes(client: &Client, slug: &str) -> Value {
    let reply = client.get(&format!("/api/{slug}/notes")).await;
    assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
    reply.json()
}

async fn sql(client: &Client, slug: &str, sql: &str) -> Value {
    ask(client, slug, "sql", json!({ "sql": sql })).await
}

/// The one note, by the platform's own way to the tables, while the process has them too.
async fn seen_by_the_platform(server: &TestServer, slug: &str) -> String {
    let owner = Owner { tenant: "default".parse().unwrap(), plugin: slug.parse().unwrap() };
    let deadline = Instant::now() + Duration::from_secs(10);
    let bounds =
        Bounds { bytes_max: 1 << 30, statement: Duration::from_secs(5), rows_max: 10, memory_bytes_max: 1 << 20, deadline };
    let tables = &server.server.as_ref().unwrap().platform.services().tables;
    let (found, _) = tables.run(&owner, "select words from notes".to_owned(), Vec::new(), bounds).await.unwrap();
    match found.rows.as_slice() {
        [row] => match row.as_slice() {
            [Cell::Text(words)] => words.clone(),
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
}

fn is_postgres(server: &TestServer) -> bool {
    !server.data.join("mint.sqlite").exists()
}

/// Every SDK promises a session, and need not have what it takes. Most of the time goes into the venvs: one for each database.
async fn keeps_its_promise_of_a_session(sdk: &'static str) {
    let fixture = Fixture::of("tables").on(sdk);
    let servers = servers(&fixture).await;
    let each = servers.iter().map(|server| async {
        let (admin, slug) = (&server.admin, fixture.slug());
        let plan = planned(admin, &fixture.bundle(), json!({})).await;
        let driver = if is_postgres(server) { "asyncpg" } else { "aiosqlite" };
        assert_eq!(plan["plan"]["added"], json!(["sqlalchemy", "greenlet", driver]), "{plan:#}");
        install(admin, &fixture, json!({})).await;
        ask(admin, slug, "notes", json!({ "words": sdk })).await;
        assert_eq!(notes(admin, slug).await, json!({ "notes": [sdk], "at_start": 0 }), "{sdk}");
        assert_eq!(admin.reload(slug).await["status"], "done");
        assert_eq!(notes(admin, slug).await, json!({ "notes": [sdk], "at_start": 1 }), "{sdk}: a new process has them");
    });
    futures_util::future::join_all(each).await;
}

#[tokio::test]
async fn mld_sdk_0_16_5_keeps_its_promise_of_a_session() {
    keeps_its_promise_of_a_session("mld-sdk==0.16.5").await;
}

#[tokio::test]
async fn mint_sdk_1_0_0_keeps_its_promise_of_a_session() {
    keeps_its_promise_of_a_session("mint-sdk==1.0.0").await;
}

#[tokio::test]
async fn mint_sdk_1_0_63_keeps_its_promise_of_a_session() {
    keeps_its_promise_of_a_session("mint-sdk==1.0.63").await;
}

#[tokio::test]
async fn mint_sdk_1_1_25_keeps_its_promise_of_a_session() {
    keeps_its_promise_of_a_session("mint-sdk==1.1.25").await;
}

#[tokio::test]
async fn mint_sdk_1_2_10_keeps_its_promise_of_a_session() {
    keeps_its_promise_of_a_session("mint-sdk==1.2.10").await;
}

#[tokio::test]
async fn transactions_are_whole_and_outlive_the_server() {
    let fixture = Fixture::of("tables");
    for mut server in servers(&fixture).await {
        let slug = fixture.slug();
        install(&server.admin, &fixture, json!({})).await;
        assert_eq!(ask(&server.admin, slug, "half", Value::Null).await, json!(["first", "second"]));
        ask(&server.admin, slug, "notes", json!({ "words": "kept" })).await;
        server.restart().await;
        eventually("the plugin to be back", || async {
            server.admin.get(&format!("/api/{slug}/notes")).await.status.is_success().then_some(())
        })
        .await;
        assert_eq!(notes(&server.admin, slug).await, json!({ "notes": ["kept"], "at_start": 1 }));
        assert_eq!(seen_by_the_platform(&server, slug).await, "kept", "shared mode would have the same tables");
    }
}

#[tokio::test]
async fn a_process_reaches_no_tables_but_its_own() {
    let (fixture, other) = (Fixture::of("tables"), Fixture::of("tables").named("other-tables"));
    for server in servers(&fixture).await {
        let (admin, slug) = (&server.admin, fixture.slug());
        install(admin, &fixture, json!({})).await;
        install(admin, &other, json!({})).await;
        ask(admin, other.slug(), "notes", json!({ "words": "secret" })).await;
        let tenant = server.other_tenant("elsewhere").await;
        install(&tenant, &fixture, json!({})).await;
        ask(&tenant, slug, "notes", json!({ "words": "also secret" })).await;
        assert_eq!(notes(admin, slug).await["notes"], json!([]));
        if is_postgres(&server) {
            on_a_server(admin, slug).await;
        } else {
            in_files(&server, slug).await;
        }
        assert_eq!(notes(admin, other.slug()).await["notes"], json!(["secret"]));
        assert_eq!(notes(&tenant, slug).await["notes"], json!(["also secret"]));
    }
}

async fn on_a_server(admin: &Client, slug: &str) {
    let schemas = "select nspname from pg_catalog.pg_namespace where nspname like 'mint\\_%' and nspname <> current_schema()";
    let schemas = sql(admin, slug, schemas).await["rows"].clone();
    let others: Vec<&str> = schemas.as_array().unwrap().iter().filter_map(|row| row[0].as_str()).collect();
    assert!(others.len() >= 2, "{others:?}");
    for schema in others {
        let refused = sql(admin, slug, &format!("select * from {schema}.notes")).await;
        assert!(refused["error"].as_str().unwrap().contains("permission denied for schema"), "{refused}");
    }
    for (statement, words) in [
        ("select * from public.users", "permission denied"),
        ("create table public.mine (a int)", "permission denied"),
        ("create schema mine", "may not use statements that begin with `create schema`"),
        ("set role postgres", "may not use statements that begin with `set`"),
        ("select 1; set role postgres", "cannot insert multiple commands"),
        ("set local role mint", "permission denied"),
        ("copy notes to '/tmp/notes'", "may not use statements that begin with `copy`"),
        ("create temporary table t (a int)", "may not use statements that begin with `create temporary`"),
        ("select pg_advisory_lock(1)", "permission denied"),
    ] {
        let refused = sql(admin, slug, statement).await;
        assert!(refused["error"].as_str().is_some_and(|error| error.contains(words)), "{statement}: {refused}");
    }
    let environment = admin.get(&format!("/api/{slug}/environment")).await.json();
    let url = environment["MINT_PLUGIN_DATABASE_URL"].as_str().unwrap();
    assert!(url.starts_with("postgresql://plugin@/plugin?host="), "no address and no password: {url}");
}

async fn in_files(server: &TestServer, slug: &str) {
    let admin = &server.admin;
    if admin.plugin(slug).await["runtime"]["sandbox"]["files"]["on"] != json!(true) {
        eprintln!("SKIPPED: this machine does not hold processes to their files");
        return;
    }
    let tables = |path: &str| server.data.join("plugin-tables").join(path);
    let others: [PathBuf; 3] =
        [server.data.join("mint.sqlite"), tables("default/other-tables/tables.sqlite"), tables("elsewhere/tables/tables.sqlite")];
    for path in others {
        assert!(path.exists(), "{}", path.display());
        assert_eq!(ask(admin, slug, "open", json!({ "path": path })).await, json!({ "error": "PermissionError" }));
        let refused = ask(admin, slug, "attach", json!({ "path": path })).await;
        assert_eq!(refused, json!({ "error": "unable to open database file" }));
        let refused = sql(admin, slug, &format!("attach '{}' as theirs", path.display())).await;
        assert!(refused["error"].as_str().unwrap().contains("unable to open database"), "{refused}");
    }
    let own = ask(admin, slug, "attach", json!({ "path": tables("default/tables/tables.sqlite") })).await;
    assert_eq!(
        own["tables"].as_array().unwrap().len(),
        5,
        "three tables, an index, and the platform's note of what was done to them: {own}"
    );
}

#[tokio::test]
async fn tables_of_processes_end_at_their_limits() {
    let fixture = Fixture::of("tables");
    for server in servers(&fixture).await {
        let (admin, slug) = (&server.admin, fixture.slug());
        install(admin, &fixture, json!({ "database_bytes_max": 2 << 20, "database_statement_ms_max": 3000 })).await;
        let many = "with recursive n(i) as (select 1 union all select i + 1 from n where i < 30000)";
        let fill = format!("{many} insert into notes (words) select 'words that take some room in the table of notes' from n");
        let mut ended = Value::Null;
        for _ in 0..10 {
            let done = sql(admin, slug, &fill).await;
            if let Some(error) = done.get("error") {
                ended = error.clone();
                break;
            }
            // The size is looked at once a second.
            if is_postgres(&server) {
                sql(admin, slug, "select pg_sleep(0.5)").await;
            }
        }
        let words = if is_postgres(&server) { "would take more than" } else { "database or disk is full" };
        assert!(ended.as_str().is_some_and(|ended| ended.contains(words)), "{ended}");
        let left = sql(admin, slug, "select count(*) from notes").await;
        assert!(left["rows"][0][0].as_u64().is_some_and(|notes| notes > 0), "it can still be read: {left}");
        if is_postgres(&server) {
            let endless = sql(admin, slug, "select set_config('statement_timeout', '0', false), pg_sleep(30)").await;
            assert!(endless["error"].as_str().unwrap().contains("canceling statement"), "{endless}");
            sql(admin, slug, "delete from notes").await;
        }
    }
}

#[tokio::test]
async fn copies_of_what_was_imported_have_sessions_too() {
    let fixture = Fixture::of("tables");
    let Some(python) = fixture.python() else { return };
    let variables = [("MINT_PLUGINS__UV__PYTHON", python.as_str()), ("MINT_PLUGINS__WARM_PARENT", "true")];
    for server in TestServer::on_every_database(&variables).await {
        let (admin, slug) = (&server.admin, fixture.slug());
        install(admin, &fixture, json!({})).await;
        ask(admin, slug, "notes", json!({ "words": "warm" })).await;
        let first = admin.plugin(slug).await["runtime"].clone();
        let parent = &first["warm_parent"]["pid"];
        assert!(parent.is_i64() && *parent != first["pid"], "{first:#}");
        let pid = Pid::from_raw(first["pid"].as_i64().unwrap().try_into().unwrap()).unwrap();
        kill_process(pid, Signal::KILL).unwrap();
        eventually("another copy", || async {
            let found = admin.get(&format!("/api/{slug}/notes")).await;
            (found.status == StatusCode::OK && found.json()["at_start"] == 1).then_some(())
        })
        .await;
        let second = admin.plugin(slug).await["runtime"].clone();
        assert_eq!(second["warm_parent"]["pid"], *parent, "of the same: {second:#}");
        assert_ne!(second["pid"], first["pid"], "{second:#}");
    }
}

#[tokio::test]
async fn a_plugin_that_was_refused_its_tables_says_so() {
    let fixture = Fixture::of("tables").on("mint-sdk[local-db]==1.2.10");
    let Some(server) = servers(&fixture).await.into_iter().next() else { return };
    // The format of MINT does not say what a plugin asks for.
    let operation = server.admin.install(&fixture.in_format_of_mint().bundle(), json!({})).await;
    assert_eq!(operation["status"], "failed", "{operation:#}");
    let reason = operation["failure"]["reason"].as_str().or(operation["outcome"]["failure"]["reason"].as_str());
    assert!(reason.is_some_and(|reason| reason.contains("was not granted the capability `database`")), "{operation:#}");
}
