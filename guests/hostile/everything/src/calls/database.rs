use mint_sdk::database::{self, Row, Rows, Transaction, Value};
use mint_sdk::json::{self, json};
use mint_sdk::platform::database as host;
use mint_sdk::{Error, Result};
use std::cell::RefCell;

use super::Arguments;

thread_local! {
    /// Left open on purpose.
    static KEPT: RefCell<Option<Transaction>> = const { RefCell::new(None) };
}

pub(super) fn call(function: &str, with: &Arguments) -> Result<json::Value> {
    let (sql, parameters) = (with.text("sql"), parameters(with.get("parameters")));
    Ok(match function {
        "query" => shown(database::query(&sql, &parameters)?),
        "execute" => json!(database::execute(&sql, &parameters)?),
        "begin" => json!(begin(with)?),
        "open" => open(with, &sql, &parameters)?,
        "read" => json!(database::read(&sql, &parameters)?.try_fold(0, |rows, row| row.map(|_| rows + 1))?),
        "kept" => {
            let kept = KEPT.take().ok_or_else(|| Error::not_found("nothing was kept"))?;
            json!(kept.execute(&sql, &parameters)?)
        }
        other => return Err(super::no_such_function(other)),
    })
}

/// `statements`, one after the other, and `end`: commit, drop, keep, trap, or `outside`, which is a statement beside the transaction.
fn begin(with: &Arguments) -> Result<Vec<u64>> {
    let transaction = Transaction::begin()?;
    let mut changed = Vec::new();
    for sql in with.texts("statements").unwrap_or_default() {
        changed.push(if sql.starts_with("select") {
            transaction.query(&sql, &[])?.rows.len() as u64
        } else {
            transaction.execute(&sql, &[])?
        });
    }
    match with.text("end").as_str() {
        "commit" => transaction.commit()?,
        "keep" => KEPT.set(Some(transaction)),
        "trap" => panic!("in the middle of a transaction"),
        "many" => {
            let mut others = Vec::new();
            for _ in 0..8 {
                others.push(host::open("select 1", &[])?);
            }
        }
        "" => {}
        outside => {
            database::execute(outside, &[])?;
        }
    }
    Ok(changed)
}

/// Reads `count` batches of `rows`.
fn open(with: &Arguments, sql: &str, parameters: &[Value]) -> Result<json::Value> {
    let cursor = host::open(sql, parameters)?;
    let rows = u32::try_from(with.number("rows")).unwrap_or_default();
    let mut batches = Vec::new();
    for _ in 0..with.number("count") {
        let batch = cursor.next(rows)?;
        batches.push(batch.into_iter().map(row).collect::<json::Value>());
    }
    Ok(json!({ "columns": cursor.columns(), "batches": batches }))
}

/// Plain values as they are; `{"blob": [bytes]}`, and `{"bytes": n}` for so many of them.
fn parameters(given: &json::Value) -> Vec<Value> {
    given.as_array().into_iter().flatten().map(parameter).collect()
}

fn parameter(given: &json::Value) -> Value {
    match given {
        json::Value::Null => Value::Null,
        json::Value::Bool(flag) => Value::Boolean(*flag),
        json::Value::Number(number) => {
            number.as_i64().map_or_else(|| Value::Real(number.as_f64().unwrap_or_default()), Value::Integer)
        }
        json::Value::String(text) => Value::Text(text.clone()),
        json::Value::Array(_) => Value::Null,
        json::Value::Object(special) => Value::Blob(match special.get("bytes").and_then(json::Value::as_u64) {
            Some(bytes) => vec![b'x'; usize::try_from(bytes).unwrap_or_default()],
            None => {
                let bytes = special.get("blob").and_then(json::Value::as_array).into_iter().flatten();
                bytes.filter_map(|byte| u8::try_from(byte.as_u64()?).ok()).collect()
            }
        }),
    }
}

fn shown(found: Rows) -> json::Value {
    json!({ "columns": found.columns, "rows": found.rows.into_iter().map(row).collect::<Vec<_>>() })
}

fn row(fields: Row) -> json::Value {
    let field = |value: Value| match value {
        Value::Null => json::Value::Null,
        Value::Boolean(flag) => json!(flag),
        Value::Integer(number) => json!(number),
        Value::Real(number) => json!(number),
        Value::Text(text) => json!(text),
        Value::Blob(bytes) => json!({ "blob": bytes }),
    };
    fields.into_iter().map(field).collect()
}
