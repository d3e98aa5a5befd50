//! Calls of `mint:platform/migration-ops`, by name. What a call gives is written into the table `said`, where there is one.

use mint_sdk::json::{Value, json};
use mint_sdk::platform::migration_ops::{Dialect, Ops};
use mint_sdk::{Error, Result};

use super::columns::{column, kind, shown, value};
use super::text;

/// Calls `[function, arguments]`.
pub(super) fn call(ops: &Ops, call: &Value) -> Result<()> {
    let function = call.get(0).and_then(Value::as_str).unwrap_or_default();
    let with = call.get(1).unwrap_or(&Value::Null);
    let gave = one(ops, function, with)?;
    if with.get("say").is_some() {
        let sql = "insert into said (function, gave) values ($1, $2)";
        ops.execute(sql, &[function.into(), gave.to_string().into()])?;
    }
    Ok(())
}

fn one(ops: &Ops, function: &str, with: &Value) -> Result<Value> {
    let (table, name) = (text(with, "table"), text(with, "column"));
    let list = |key: &str| with.get(key).and_then(Value::as_array).cloned().unwrap_or_default();
    let parameters: Vec<_> = list("parameters").iter().map(value).collect();
    Ok(match function {
        "dialect" => json!(match ops.dialect() {
            Dialect::Sqlite => "sqlite",
            Dialect::Postgresql => "postgresql",
        }),
        "create-table" => json!(ops.create_table(table, &list("columns").iter().map(column).collect::<Result<Vec<_>>>()?)?),
        "add-column" => json!(ops.add_column(table, &column(with.get("column").unwrap_or(&Value::Null))?)?),
        "create-index" => {
            let columns: Vec<String> = list("columns").iter().filter_map(|name| name.as_str().map(str::to_owned)).collect();
            let is_unique = with.get("unique").and_then(Value::as_bool).unwrap_or_default();
            json!(ops.create_index(text(with, "index"), table, &columns, is_unique)?)
        }
        "backfill" => json!(ops.backfill(table, name, &value(with.get("value").unwrap_or(&Value::Null)))?),
        "rename-column" => json!(ops.rename_column(table, name, text(with, "to"))?),
        "alter-column" => {
            let kind = with.get("kind").and_then(Value::as_str).map(kind).transpose()?;
            json!(ops.alter_column(table, name, kind, with.get("nullable").and_then(Value::as_bool))?)
        }
        "drop-column" => json!(ops.drop_column(table, name)?),
        "drop-table" => json!(ops.drop_table(table)?),
        "drop-index" => json!(ops.drop_index(text(with, "index"))?),
        "query" => {
            let rows = ops.query(text(with, "sql"), &parameters)?.rows;
            rows.into_iter().map(|row| row.into_iter().map(shown).collect::<Value>()).collect()
        }
        "execute" => json!(ops.execute(text(with, "sql"), &parameters)?),
        "fail" => return Err(Error::bad_request(text(with, "words").to_owned())),
        "trap" => std::process::abort(),
        "spin" => loop {
            std::hint::spin_loop();
        },
        other => return Err(Error::not_found(format!("no function {other:?}"))),
    })
}
