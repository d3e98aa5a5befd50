//! Types of one database in words of the other, and values that fit them.

use crate::tables::{Error, Result, Value};

/// Types that are texts with a form, by both names. SQLite keeps them as texts.
const FORMED: [(&str, &str); 7] = [
    ("timestamp with time zone", "timestamptz text"),
    ("timestamp without time zone", "timestamp without time zone text"),
    ("date", "date text"),
    ("time without time zone", "time text"),
    ("jsonb", "jsonb text"),
    ("json", "json text"),
    ("uuid", "uuid text"),
];

/// A type of PostgreSQL as SQLite declares it.
///
/// # Errors
/// It has none.
pub(super) fn to_sqlite(kind: &str, place: &str) -> Result<String> {
    let base = kind.split('(').next().unwrap_or_default().trim();
    if let Some((_, declared)) = FORMED.iter().find(|(name, _)| *name == kind) {
        return Ok((*declared).to_owned());
    }
    match base {
        "boolean" | "smallint" | "integer" | "bigint" | "real" | "double precision" | "text" => Ok(base.to_owned()),
        "numeric" | "character varying" | "character" => Ok(kind.to_owned()),
        "bytea" => Ok("blob".to_owned()),
        _ => Err(Error::Unsaveable(format!("{place} has the type `{kind}`, for which SQLite has none."))),
    }
}

/// A type that SQLite declares, as PostgreSQL has it.
///
/// # Errors
/// It has none.
pub(super) fn to_postgres(declared: &str, place: &str) -> Result<String> {
    let words = declared.trim().to_ascii_lowercase();
    if let Some((kind, _)) = FORMED.iter().find(|(name, sqlite)| words == *name || words == *sqlite) {
        return Ok((*kind).to_owned());
    }
    let base = words.split('(').next().unwrap_or_default().trim();
    let kind = match base.strip_suffix(" text").unwrap_or(base) {
        "timestamptz" | "datetime" | "timestamp" => "timestamp with time zone",
        "time" => "time without time zone",
        "boolean" | "bool" => "boolean",
        "smallint" => "smallint",
        "int" | "integer" | "bigint" | "int2" | "int4" | "int8" | "tinyint" | "mediumint" => "bigint",
        "real" | "float" | "double" | "double precision" => "double precision",
        "numeric" | "decimal" => return Ok(words.replace("decimal", "numeric")),
        "text" | "varchar" | "char" | "character" | "character varying" | "nvarchar" | "nchar" | "clob" => "text",
        "blob" | "bytea" => "bytea",
        _ => {
            let what = if words.is_empty() { "no type".to_owned() } else { format!("the type `{declared}`") };
            return Err(Error::Unsaveable(format!("{place} has {what}, for which PostgreSQL has none.")));
        }
    };
    Ok(kind.to_owned())
}

/// A value of SQLite's as a column of PostgreSQL takes it; SQLite lets any value stand in any column.
///
/// # Errors
/// It does not.
pub(super) fn value_to_postgres(value: Value, kind: &str, place: &str) -> Result<Value> {
    let base = kind.split('(').next().unwrap_or_default();
    let wrong = |what: &str| Err(Error::Unsaveable(format!("{place} holds {what} where PostgreSQL has `{kind}`.")));
    match (base, value) {
        (_, Value::Null) => Ok(Value::Null),
        (_, Value::Text(text)) if text.contains('\0') => wrong("a text with a NUL character"),
        ("boolean", Value::Boolean(flag)) => Ok(Value::Boolean(flag)),
        ("boolean", Value::Integer(flag @ (0 | 1))) => Ok(Value::Boolean(flag == 1)),
        ("smallint" | "integer" | "bigint", Value::Integer(number)) => Ok(Value::Integer(number)),
        ("smallint" | "integer" | "bigint", Value::Boolean(flag)) => Ok(Value::Integer(flag.into())),
        ("double precision", number @ (Value::Integer(_) | Value::Real(_))) => Ok(number),
        ("numeric", number @ (Value::Integer(_) | Value::Real(_) | Value::Text(_))) => Ok(number),
        ("bytea", bytes @ Value::Blob(_)) => Ok(bytes),
        ("boolean" | "smallint" | "integer" | "bigint" | "double precision" | "bytea", other) => wrong(said(&other)),
        (_, text @ Value::Text(_)) => Ok(text),
        ("json" | "jsonb", Value::Integer(number)) => Ok(Value::Text(number.to_string())),
        (_, other) => wrong(said(&other)),
    }
}

/// A value of PostgreSQL's as SQLite keeps it.
///
/// # Errors
/// SQLite would keep it as something else.
pub(super) fn value_to_sqlite(value: Value, kind: &str, place: &str) -> Result<Value> {
    let base = kind.split('(').next().unwrap_or_default();
    match (base, value) {
        ("numeric", Value::Text(text)) => {
            let digits = text.bytes().filter(u8::is_ascii_digit).count();
            if let Ok(whole) = text.parse::<i64>() {
                Ok(Value::Integer(whole))
            } else if digits <= 15 {
                let number = text.parse::<f64>().ok().filter(|number| number.is_finite());
                let lost = || Error::Unsaveable(format!("{place} holds `{text}`, which SQLite cannot keep."));
                number.map(Value::Real).ok_or_else(lost)
            } else {
                Err(Error::Unsaveable(format!("{place} holds `{text}`, of which SQLite cannot keep every digit.")))
            }
        }
        ("timestamp with time zone", Value::Text(text)) => {
            // As plugins are given moments.
            let moment = text.strip_suffix("+00").map(|moment| format!("{}Z", moment.replace(' ', "T")));
            let none = || Error::Unsaveable(format!("{place} holds `{text}`, which is no moment of a calendar."));
            moment.map(Value::Text).ok_or_else(none)
        }
        ("real" | "double precision", Value::Real(number)) if number.is_nan() => {
            Err(Error::Unsaveable(format!("{place} holds `NaN`, which SQLite cannot keep.")))
        }
        (_, value) => Ok(value),
    }
}

fn said(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Boolean(_) => "a boolean",
        Value::Integer(_) => "a whole number",
        Value::Real(_) => "a number",
        Value::Text(_) => "a text",
        Value::Blob(_) => "bytes",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_go_there_and_come_back() {
        for kind in [
            "boolean",
            "smallint",
            "bigint",
            "double precision",
            "numeric",
            "numeric(10,2)",
            "text",
            "bytea",
            "timestamp with time zone",
            "timestamp without time zone",
            "date",
            "jsonb",
            "json",
            "uuid",
        ] {
            assert_eq!(to_postgres(&to_sqlite(kind, "x").unwrap(), "x").unwrap(), kind);
        }
        for (declared, kind) in [("INTEGER", "bigint"), ("VARCHAR(20)", "text"), ("DATETIME", "timestamp with time zone")] {
            assert_eq!(to_postgres(declared, "x").unwrap(), kind);
        }
        assert!(to_sqlite("integer[]", "`t`.`a`").unwrap_err().to_string().contains("`t`.`a` has the type `integer[]`"));
        assert!(to_postgres("", "x").is_err() && to_postgres("geometry", "x").is_err());
    }

    #[test]
    fn values_that_do_not_fit_are_told() {
        let text = |text: &str| Value::Text(text.to_owned());
        assert_eq!(value_to_postgres(Value::Integer(1), "boolean", "x").unwrap(), Value::Boolean(true));
        for (value, kind) in
            [(text("x"), "bigint"), (Value::Real(1.5), "bigint"), (Value::Blob(vec![]), "text"), (text("a\0"), "text")]
        {
            assert!(value_to_postgres(value, kind, "x").is_err(), "{kind}");
        }
        assert_eq!(value_to_sqlite(text("9007199254740993"), "numeric", "x").unwrap(), Value::Integer(9_007_199_254_740_993));
        assert_eq!(value_to_sqlite(text("1.25"), "numeric(10,2)", "x").unwrap(), Value::Real(1.25));
        assert!(value_to_sqlite(text("1.2345678901234567"), "numeric", "x").is_err());
        let moment = value_to_sqlite(text("2026-01-02 03:04:05.5+00"), "timestamp with time zone", "x").unwrap();
        assert_eq!(moment, text("2026-01-02T03:04:05.5Z"));
    }
}
