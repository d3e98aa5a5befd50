//! Changes its tables as its settings say: the setting `history` is a list of migrations whose `up` and `down` are lists of
//! calls, `[function, arguments]`. What the calls gave is answered by `GET /said` where there is a table `said`.

mod columns;
mod steps;

use mint_sdk::database;
use mint_sdk::export::migrations::{Guest, Migration};
use mint_sdk::json::{Value, json};
use mint_sdk::platform::migration_ops::Ops;
use mint_sdk::{Request, Response, Result, Route, Router, settings};

static ROUTER: Router = Router::new(&[Route::post("/query", query), Route::post("/execute", execute)]);

mint_sdk::routes!(ROUTER);

/// Answers with the rows of a statement.
fn query(request: Request) -> Result<Response> {
    let asked: Value = request.json()?;
    let found = database::query(text(&asked, "sql"), &[])?;
    let rows: Vec<Value> = found.rows.into_iter().map(|row| row.into_iter().map(columns::shown).collect()).collect();
    Response::json(&json!({ "columns": found.columns, "rows": rows }))
}

/// Answers with the number of rows that a statement changed.
fn execute(request: Request) -> Result<Response> {
    let asked: Value = request.json()?;
    Response::json(&json!(database::execute(text(&asked, "sql"), &[])?))
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn history() -> Vec<Value> {
    settings::get("history").ok().flatten().unwrap_or_default()
}

fn version(migration: &Value) -> u32 {
    migration.get("version").and_then(Value::as_u64).and_then(|version| version.try_into().ok()).unwrap_or_default()
}

struct History;

impl Guest for History {
    fn list() -> Vec<Migration> {
        let one = |migration: &Value| Migration {
            version: version(migration),
            name: text(migration, "name").to_owned(),
            destructive: migration.get("destructive").and_then(Value::as_bool).unwrap_or_default(),
            checksum: text(migration, "checksum").to_owned(),
        };
        history().iter().map(one).collect()
    }

    fn upgrade(number: u32, ops: &Ops) -> std::result::Result<(), String> {
        run(number, "up", ops)
    }

    fn downgrade(number: u32, ops: &Ops) -> std::result::Result<(), String> {
        run(number, "down", ops)
    }
}

fn run(number: u32, way: &str, ops: &Ops) -> std::result::Result<(), String> {
    let history = history();
    let found = history.iter().find(|one| version(one) == number).ok_or("no such migration")?;
    let calls = found.get(way).and_then(Value::as_array).ok_or("no such way")?;
    calls.iter().try_for_each(|call| steps::call(ops, call)).map_err(|error| error.to_string())
}

#[cfg(target_arch = "wasm32")]
mint_sdk::bindings::migrations::export_migrations!(History with_types_in mint_sdk::bindings::migrations);
