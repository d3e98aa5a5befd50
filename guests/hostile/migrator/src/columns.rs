//! Columns and values as JSON.

use mint_sdk::database::Value;
use mint_sdk::json::{self, json};
use mint_sdk::migrations::{Column, ColumnType};
use mint_sdk::{Error, Result};

/// `{"name", "kind", "not_null", "default", "now", "unique", "key", "counted", "to": [table, column]}`.
pub(super) fn column(given: &json::Value) -> Result<Column> {
    let flag = |key: &str| given.get(key).and_then(json::Value::as_bool).unwrap_or_default();
    let mut column = Column::new(super::text(given, "name"), kind(super::text(given, "kind"))?);
    column.nullable = !flag("not_null");
    column.unique = flag("unique");
    column.primary_key = flag("key") || flag("counted");
    column.counted = flag("counted");
    if let Some(default) = given.get("default") {
        column = column.default(value(default));
    }
    if flag("now") {
        column = column.default_now();
    }
    if let Some([json::Value::String(table), json::Value::String(to)]) =
        given.get("to").and_then(json::Value::as_array).map(Vec::as_slice)
    {
        column = column.belongs_to(table, to);
    }
    Ok(column)
}

/// By its name.
pub(super) fn kind(name: &str) -> Result<ColumnType> {
    Ok(match name {
        "integer" => ColumnType::Integer,
        "bigint" => ColumnType::Bigint,
        "real" => ColumnType::Real,
        "decimal" => ColumnType::Decimal,
        "text" => ColumnType::Text,
        "boolean" => ColumnType::Boolean,
        "timestamp" => ColumnType::Timestamp,
        "date" => ColumnType::Date,
        "json" => ColumnType::Json,
        "uuid" => ColumnType::Uuid,
        "blob" => ColumnType::Blob,
        other => return Err(Error::bad_request(format!("no type {other:?}"))),
    })
}

/// A value.
pub(super) fn value(given: &json::Value) -> Value {
    match given {
        json::Value::Bool(flag) => Value::Boolean(*flag),
        json::Value::Number(number) => {
            number.as_i64().map_or_else(|| Value::Real(number.as_f64().unwrap_or_default()), Value::Integer)
        }
        json::Value::String(text) => Value::Text(text.clone()),
        json::Value::Null | json::Value::Array(_) | json::Value::Object(_) => Value::Null,
    }
}

/// A value as JSON.
pub(super) fn shown(value: Value) -> json::Value {
    match value {
        Value::Null => json::Value::Null,
        Value::Boolean(flag) => json!(flag),
        Value::Integer(number) => json!(number),
        Value::Real(number) => json!(number),
        Value::Text(text) => json!(text),
        Value::Blob(bytes) => json!({ "blob": bytes }),
    }
}
