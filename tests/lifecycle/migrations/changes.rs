//! What a migration can do, the same on both databases.

use mint_tests::Client;
use serde_json::{Value, json};

use super::{adds, all, release, rows, serving, states};

/// What is known of the columns of a table: name, declared type, whether it must hold something.
async fn columns(client: &Client, is_postgres: bool, table: &str) -> Value {
    let sql = if is_postgres {
        format!(
            "select attname::text, format_type(atttypid, atttypmod), attnotnull from pg_attribute
             where attrelid = to_regclass('{table}') and attnum > 0 and not attisdropped order by attname"
        )
    } else {
        format!("select name, type, \"notnull\" = 1 or pk > 0 from pragma_table_info('{table}') order by name")
    };
    let mut found = rows(client, &sql).await;
    for column in found.as_array_mut().unwrap() {
        let kind = column[1].as_str().unwrap().to_lowercase();
        // The words after a type's own name tell SQLite how to keep it.
        column[1] = json!(match kind.as_str() {
            "timestamp with time zone" => "timestamptz",
            "bytea" => "blob",
            // What SQLite counts up has 64 bits under this name.
            "integer" if column[0] == "id" => "bigint",
            kind => kind.strip_suffix(" text").unwrap_or(kind),
        });
        column[2] = json!(column[2] == true || column[2] == 1);
    }
    found
}

fn kinds() -> Vec<Value> {
    let plain = ["integer", "bigint", "real", "decimal", "text", "boolean", "timestamp", "date", "json", "uuid", "blob"];
    plain.iter().map(|kind| json!({ "name": format!("a_{kind}"), "kind": kind })).collect()
}

#[tokio::test]
async fn every_change_is_the_same_on_both_databases() {
    let said =
        json!({ "table": "said", "columns": [{ "name": "function", "kind": "text" }, { "name": "gave", "kind": "text" }] });
    let lab = json!({ "table": "lab", "columns": [
        { "name": "id", "kind": "bigint", "counted": true }, { "name": "name", "kind": "text", "not_null": true, "unique": true }] });
    let mut samples = json!({ "table": "samples", "say": 1, "columns": [
        { "name": "a", "kind": "text", "key": true }, { "name": "b", "kind": "integer", "key": true },
        { "name": "lab", "kind": "bigint", "to": ["lab", "id"] }] });
    samples["columns"].as_array_mut().unwrap().extend(kinds());
    let add = |column: Value| json!(["add-column", { "table": "samples", "column": column, "say": 1 }]);
    let first = adds(
        1,
        json!([
            ["create-table", said],
            ["create-table", lab],
            ["create-table", samples],
            ["create-table", samples],
            add(json!({ "name": "note", "kind": "text", "not_null": true, "default": "it's" })),
            add(json!({ "name": "note", "kind": "text" })),
            add(json!({ "name": "made", "kind": "timestamp", "not_null": true, "now": true })),
            add(json!({ "name": "code", "kind": "uuid", "unique": true })),
            ["create-index", { "index": "by_note", "table": "samples", "columns": ["note", "b"], "say": 1 }],
            ["create-index", { "index": "by_real", "table": "samples", "columns": ["a_real"], "unique": true, "say": 1 }],
            ["execute", { "sql": "insert into lab (name) values ($1)", "parameters": ["here"], "say": 1 }],
            ["execute", { "sql": "insert into samples (a, b, lab, a_boolean, a_json) values ('x', 1, 1, true, '{\"k\": 1}')" }],
            ["query", { "sql": "select a, b, note, a_integer from samples", "say": 1 }],
            ["backfill", { "table": "samples", "column": "a_integer", "value": 7, "say": 1 }],
            ["backfill", { "table": "samples", "column": "a_integer", "value": 8, "say": 1 }],
            ["dialect", {}],
        ]),
    );
    let mut second = adds(
        2,
        json!([
            ["rename-column", { "table": "samples", "column": "note", "to": "remark", "say": 1 }],
            ["alter-column", { "table": "samples", "column": "a_integer", "kind": "bigint", "nullable": false, "say": 1 }],
            ["drop-column", { "table": "samples", "column": "a_real", "say": 1 }],
            ["drop-column", { "table": "samples", "column": "a_real", "say": 1 }],
            ["drop-index", { "index": "by_note", "say": 1 }],
            ["create-table", { "table": "gone", "columns": [{ "name": "n", "kind": "bigint" }] }],
            ["drop-table", { "table": "gone", "say": 1 }],
            ["drop-table", { "table": "gone", "say": 1 }],
        ]),
    );
    second["destructive"] = json!(true);
    let mut seen = Vec::new();
    for (at, server) in serving(&[first, second]).await.into_iter().enumerate() {
        let admin = &server.admin;
        assert_eq!(states(admin).await, all("applied", &[1, 2]), "a first release does all of it");
        let plugin = admin.plugin("migrator").await;
        assert_eq!(
            (&plugin["schema_version"], &plugin["pending_migrations"], &plugin["migration_error"]),
            (&json!(2), &json!(0), &Value::Null)
        );
        let said = rows(admin, "select function, gave from said").await;
        let tables = [columns(admin, at == 1, "samples").await, columns(admin, at == 1, "lab").await];
        let row = rows(admin, "select a, b, lab, a_integer, a_boolean, remark, made is not null from samples").await;
        assert_eq!(row[0].as_array().unwrap()[..6], json!(["x", 1, 1, 7, true, "it's"]).as_array().unwrap()[..]);
        seen.push((said, tables));
    }
    let (said, tables) = seen.remove(0);
    let gave = |function: &str| -> Vec<Value> {
        said.as_array()
            .unwrap()
            .iter()
            .filter(|row| row[0] == function)
            .map(|row| row[1].as_str().unwrap().parse().unwrap())
            .collect()
    };
    assert_eq!(gave("create-table"), [json!(true), json!(false)], "what is there is left alone");
    assert_eq!(gave("add-column"), [json!(true), json!(false), json!(true), json!(true)]);
    assert_eq!(gave("query"), [json!([["x", 1, "it's", null]])]);
    assert_eq!(gave("backfill"), [json!(true), json!(false)]);
    assert_eq!(gave("execute"), [json!(1)]);
    for once in ["rename-column", "alter-column", "drop-index"] {
        assert_eq!(gave(once), [json!(true)], "{once}");
    }
    assert_eq!(gave("create-index"), [json!(true), json!(true)]);
    for again in ["drop-column", "drop-table"] {
        assert_eq!(gave(again), [json!(true), json!(false)], "{again}");
    }
    assert!(!tables[0].to_string().contains("a_real") && tables[0].to_string().contains("remark"));
    if let Some((on_postgres, tables_there)) = seen.pop() {
        assert_eq!(on_postgres, said);
        assert_eq!(tables_there, tables);
    }
}

/// What was written down cannot be changed by the plugin.
#[tokio::test]
async fn the_record_is_the_platforms() {
    for server in serving(&[super::makes(1, "t")]).await {
        let ledger = "plugin_schema_migrations";
        for forged in [
            format!("update {ledger} set checksum = 'x'"),
            format!("delete from {ledger}"),
            format!("drop table {ledger}"),
            format!(
                "insert into {ledger} select version + 1, name, applied_at, checksum, destructive, success, '' from {ledger}"
            ),
        ] {
            let reply = server.admin.post("/api/migrator/execute", &json!({ "sql": forged })).await;
            assert!(reply.status.is_client_error(), "{forged}: {reply:?}");
        }
        assert_eq!(rows(&server.admin, &format!("select version, checksum from {ledger}")).await, json!([[1, "sum1"]]));
    }
}

/// A hundred thousand rows are filled while the release of before answers.
#[tokio::test]
async fn a_great_table_is_filled() {
    let many =
        "with recursive n(i) as (select 1 union all select i + 1 from n where i < 100000) insert into t (n) select i from n";
    let fill = adds(
        2,
        json!([
            ["add-column", { "table": "t", "column": { "name": "unit", "kind": "text" } }],
            ["backfill", { "table": "t", "column": "unit", "value": "mg" }],
        ]),
    );
    let history = [super::makes(1, "t"), fill];
    for server in serving(&history[..1]).await {
        let admin = &server.admin;
        let reply = admin.post("/api/migrator/execute", &json!({ "sql": many })).await;
        assert_eq!(reply.json(), json!(100_000), "{reply:?}");
        let operation = admin.upgrade("migrator", &release("2.0.0", &history), &json!({})).await;
        assert_eq!(operation["status"], "done", "{operation:#}");
        assert_eq!(rows(admin, "select count(*) from t where unit = 'mg'").await, json!([[100_000]]));
    }
}
