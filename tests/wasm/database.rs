//! Tables of plugins, on both databases: what goes in comes out, and transactions end.

use mint_tests::{TestServer, bundle, repackaged};
use serde_json::{Value, json};

use crate::hostile::tables::{ask, call, execute, refused, rows, serving};

#[tokio::test]
async fn values_of_every_type_come_back() {
    for (server, _) in serving(json!({})).await {
        let admin = &server.admin;
        execute(admin, "create table t (a boolean, b bigint, c double precision, d text, e bytea, f text)").await;
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
        let few = json!({ "sql": "select d from t where d = $1 or b = $2", "parameters": ["x"] });
        let reply = ask(admin, "query", few).await;
        assert_eq!(reply.status.as_u16(), 400, "{reply:?}");
        assert!(reply.json()["message"].to_string().contains("2 parameters"), "{reply:?}");
        assert_eq!(refused(admin, "select * from nowhere").await.0, 400);
        execute(admin, "create table u (a bigint primary key)").await;
        assert_eq!(execute(admin, "insert into u values (1)").await, 1);
        assert_eq!(refused(admin, "insert into u values (1)").await.0, 409);
    }
}

#[tokio::test]
async fn other_types_of_postgres_have_one_form() {
    for (server, _) in serving(json!({})).await.into_iter().filter(|(_, postgres)| *postgres) {
        let admin = &server.admin;
        execute(admin, "create table t (a timestamptz, b uuid, c jsonb, d numeric, e date, f real, g smallint)").await;
        let id = "6f9619ff-8b86-4d01-b42d-00cf4fc964ff";
        let values = json!(["2026-01-02 03:04:05.5+00", id, "{\"a\": 1}", "1.25", "2026-01-02", 0.5, 3]);
        let insert = json!({ "sql": "insert into t values ($1, $2, $3, $4, $5, $6, $7)", "parameters": values });
        assert_eq!(call(admin, "execute", insert).await, 1);
        let expected = json!([["2026-01-02T03:04:05.5Z", id, "{\"a\": 1}", 1.25, "2026-01-02", 0.5, 3]]);
        assert_eq!(rows(admin, "select a, b, c, d, e, f, g from t").await, expected);
        let (status, message) = refused(admin, "select point(1, 2)").await;
        assert!(status == 400 && message.contains("cast it to `text`"), "{message}");
    }
}

#[tokio::test]
async fn a_transaction_lasts_when_it_is_committed_and_else_never_was() {
    for (server, _) in serving(json!({})).await {
        let admin = &server.admin;
        execute(admin, "create table t (a bigint primary key)").await;
        let insert =
            |a: i64, end: &str| json!({ "statements": [format!("insert into t values ({a})"), "select a from t"], "end": end });
        assert_eq!(call(admin, "begin", insert(1, "commit")).await, json!([1, 1]));
        assert_eq!(call(admin, "begin", insert(2, "")).await, json!([1, 2]), "it sees its own changes");
        assert_eq!(rows(admin, "select a from t").await, json!([[1]]), "dropped, it is rolled back");
        // What a component leaves open ends with its call, also when it breaks or something in it fails.
        assert_eq!(call(admin, "begin", insert(3, "keep")).await, json!([1, 2]));
        assert_ne!(ask(admin, "begin", insert(4, "trap")).await.status.as_u16(), 200);
        let failing = json!({ "statements": ["insert into t values (5)", "insert into t values (1)"], "end": "commit" });
        assert_eq!(ask(admin, "begin", failing).await.status.as_u16(), 409);
        assert_eq!(rows(admin, "select a from t").await, json!([[1]]));
        // Nothing of it stands in the way.
        assert_eq!(call(admin, "begin", insert(6, "commit")).await, json!([1, 2]));
    }
}

/// An instance that serves one call after another keeps its memory, and no transaction.
#[tokio::test]
async fn a_transaction_does_not_outlive_its_call_in_a_warm_instance() {
    for server in TestServer::on_every_database(&[]).await {
        let warm = repackaged(&bundle("everything"), |manifest| manifest["instances"] = json!("tenant"));
        server.admin.installed(&warm, json!({})).await;
        let admin = &server.admin;
        execute(admin, "create table t (a bigint primary key)").await;
        call(admin, "begin", json!({ "statements": ["insert into t values (1)"], "end": "keep" })).await;
        let kept = ask(admin, "kept", json!({ "sql": "insert into t values (2)" })).await;
        assert_eq!(kept.status.as_u16(), 400, "{kept:?}");
        assert!(kept.json()["message"].to_string().contains("ended with the call"), "{kept:?}");
        assert_eq!(rows(admin, "select a from t").await, json!([]));
        assert_eq!(execute(admin, "insert into t values (3)").await, 1);
    }
}

#[tokio::test]
async fn a_cursor_reads_bit_by_bit() {
    for (server, _) in serving(json!({})).await {
        let admin = &server.admin;
        execute(admin, "create table t (a bigint, b text)").await;
        let numbers = "with recursive n(i) as (select 1 union all select i + 1 from n where i < 1000)";
        execute(admin, &format!("insert into t {numbers} select i, 'x' from n")).await;
        let open = |rows: i64, count: i64, from: i64| {
            let sql = "select a, b from t where a > $1 order by a";
            json!({ "sql": sql, "parameters": [from], "rows": rows, "count": count })
        };
        let read = call(admin, "open", open(2, 3, 995)).await;
        let batches = json!([[[996, "x"], [997, "x"]], [[998, "x"], [999, "x"]], [[1000, "x"]]]);
        assert_eq!(read, json!({ "columns": ["a", "b"], "batches": batches }));
        let read = call(admin, "open", open(500, 4, 0)).await;
        let sizes: Vec<usize> = read["batches"].as_array().unwrap().iter().map(|batch| batch.as_array().unwrap().len()).collect();
        assert_eq!(sizes, [500, 500, 0, 0]);
        assert_eq!(call(admin, "read", json!({ "sql": "select * from t" })).await, 1000);
        let writing = json!({ "sql": "delete from t", "rows": 1, "count": 1 });
        assert_eq!(ask(admin, "open", writing).await.status.as_u16(), 400);
        // One that was left in the middle is gone with its call.
        for _ in 0..6 {
            call(admin, "open", open(1, 1, 0)).await;
        }
        assert_eq!(execute(admin, "drop table t").await, 0);
    }
}

#[tokio::test]
async fn tables_stay_until_they_are_purged() {
    let guest = repackaged(&bundle("everything"), |manifest| {
        manifest["capabilities"].as_array_mut().unwrap().retain(|asked| asked["name"] != "files");
    });
    for (at, server) in TestServer::on_every_database(&[]).await.into_iter().enumerate() {
        let (admin, postgres) = (&server.admin, at == 1);
        admin.installed(&guest, json!({})).await;
        execute(admin, "create table t (a bigint)").await;
        let schema = if postgres { rows(admin, "select current_schema()").await[0][0].clone() } else { Value::Null };
        assert_eq!(admin.uninstall("everything", "keep").await["status"], "done");
        admin.installed(&guest, json!({})).await;
        assert_eq!(execute(admin, "insert into t values (1)").await, 1, "what was kept is there again");
        if postgres {
            let role = schema.as_str().unwrap();
            assert_eq!(rows(admin, &format!("select count(*) from pg_roles where rolname = '{role}'")).await, json!([[1]]));
        }
        assert_eq!(admin.uninstall("everything", "purge").await["status"], "done");
        let left: Vec<_> = std::fs::read_dir(server.data.join("plugin-tables/default")).into_iter().flatten().collect();
        assert!(left.is_empty(), "{left:?}");
        admin.installed(&crate::hostile::tables::other(), json!({})).await;
        if let Some(role) = schema.as_str() {
            let sql = format!(
                "select (select count(*) from pg_roles where rolname = '{role}') + (select count(*) from pg_namespace where nspname = '{role}')"
            );
            let reply = admin.post("/api/other/call/database.query", &json!({ "sql": sql })).await;
            assert_eq!(reply.json()["rows"], json!([[0]]), "{reply:?}");
        }
        assert_eq!(admin.uninstall("other", "purge").await["status"], "done");
        admin.installed(&guest, json!({})).await;
        assert_eq!(refused(admin, "select * from t").await.0, 400);
    }
}
