//! One statement on one connection. Blocks.

use rusqlite::{Error as SqliteError, ErrorCode, Statement, types::ValueRef};

use super::connection::Connection;
use crate::tables::{
    Bounds, Error, Result, Row, Rows, Value,
    gate::{self, Effect},
    value::Collected,
};

/// Runs a statement and gives its rows, and how many it changed.
pub(super) fn run(connection: &Connection, sql: &str, parameters: &[Value], bounds: &Bounds) -> Result<(Rows, u64)> {
    let effect = gate::look(sql)?;
    if effect == Effect::Grows {
        connection.check_log(bounds)?;
    }
    run_unlooked(connection, sql, parameters, bounds)
}

/// [`run`] for what the platform wrote.
pub(super) fn run_unlooked(connection: &Connection, sql: &str, parameters: &[Value], bounds: &Bounds) -> Result<(Rows, u64)> {
    let inner = connection.get()?;
    let before = inner.total_changes();
    let (columns, rows) = {
        let mut statement = prepare(connection, sql, parameters, bounds)?;
        let (columns, booleans) = columns(&statement);
        let mut collected = Collected::new(bounds);
        let mut rows = statement.raw_query();
        while let Some(row) = rows.next().map_err(|error| failed(error, bounds))? {
            collected.push(read(row, &booleans, bounds)?)?;
        }
        (columns, collected.rows)
    };
    // What was changed by an earlier statement is still counted by `changes`.
    let changed = if inner.total_changes() == before { 0 } else { inner.changes() };
    Ok((Rows { columns, rows }, changed))
}

/// Prepares one statement with its parameters.
pub(super) fn prepare<'c>(connection: &'c Connection, sql: &str, parameters: &[Value], bounds: &Bounds) -> Result<Statement<'c>> {
    let mut statement = connection.get()?.prepare(sql).map_err(|error| failed(error, bounds))?;
    let mut most = 0;
    for index in 1..=statement.parameter_count() {
        let number =
            statement.parameter_name(index).and_then(|name| name.strip_prefix('$')).and_then(|n| n.parse::<usize>().ok());
        let number = number.filter(|number| *number > 0);
        let number = number.ok_or_else(|| Error::Statement("Parameters are `$1`, `$2` and so on.".to_owned()))?;
        most = most.max(number);
        let Some(value) = parameters.get(number - 1) else { continue };
        let bound = match value {
            Value::Null => statement.raw_bind_parameter(index, rusqlite::types::Null),
            Value::Boolean(flag) => statement.raw_bind_parameter(index, flag),
            Value::Integer(number) => statement.raw_bind_parameter(index, number),
            Value::Real(number) => statement.raw_bind_parameter(index, number),
            Value::Text(text) => statement.raw_bind_parameter(index, text),
            Value::Blob(bytes) => statement.raw_bind_parameter(index, bytes),
        };
        bound.map_err(|error| failed(error, bounds))?;
    }
    if most == parameters.len() {
        return Ok(statement);
    }
    Err(Error::Statement(format!("The statement has {most} parameters, and {} values were given.", parameters.len())))
}

/// Names of the columns, and which of them are declared as `boolean`.
pub(super) fn columns(statement: &Statement<'_>) -> (Vec<String>, Vec<bool>) {
    let columns = statement.columns();
    let is_boolean = |declared: Option<&str>| {
        declared.is_some_and(|declared| declared.eq_ignore_ascii_case("boolean") || declared.eq_ignore_ascii_case("bool"))
    };
    columns.iter().map(|column| (column.name().to_owned(), is_boolean(column.decl_type()))).unzip()
}

/// The fields of a row.
pub(super) fn read(row: &rusqlite::Row<'_>, booleans: &[bool], bounds: &Bounds) -> Result<Row> {
    let mut fields = Row::with_capacity(booleans.len());
    for (index, boolean) in booleans.iter().enumerate() {
        fields.push(match row.get_ref(index).map_err(|error| failed(error, bounds))? {
            ValueRef::Null => Value::Null,
            ValueRef::Integer(number @ (0 | 1)) if *boolean => Value::Boolean(number == 1),
            ValueRef::Integer(number) => Value::Integer(number),
            ValueRef::Real(number) => Value::Real(number),
            ValueRef::Text(bytes) => match std::str::from_utf8(bytes) {
                Ok(text) => Value::Text(text.to_owned()),
                Err(_) => return Err(Error::Statement("A text is not UTF-8. Ask for it as a blob.".to_owned())),
            },
            ValueRef::Blob(bytes) => Value::Blob(bytes.to_owned()),
        });
    }
    Ok(fields)
}

/// What SQLite said, as what it means for a plugin.
pub(super) fn failed(error: SqliteError, bounds: &Bounds) -> Error {
    let text = |error: &SqliteError| match error {
        SqliteError::SqliteFailure(_, Some(text)) => text.clone(),
        other => other.to_string(),
    };
    if matches!(error, SqliteError::MultipleStatement) {
        return Error::Statement("One statement at a time.".to_owned());
    }
    let Some(code) = error.sqlite_error_code() else { return Error::Statement(text(&error)) };
    match code {
        ErrorCode::OperationInterrupted => bounds.too_long(),
        ErrorCode::DiskFull => bounds.full(),
        ErrorCode::TooBig => bounds.too_large(),
        ErrorCode::ConstraintViolation => Error::Constraint(text(&error)),
        ErrorCode::AuthorizationForStatementDenied => Error::Denied(format!("Plugins may not do this: {}.", text(&error))),
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => {
            Error::Busy("Another transaction of the plugin holds the tables.".to_owned())
        }
        ErrorCode::Unknown
        | ErrorCode::TypeMismatch
        | ErrorCode::ParameterOutOfRange
        | ErrorCode::ReadOnly
        | ErrorCode::NotFound => Error::Statement(text(&error)),
        _ => Error::Outage(error.to_string()),
    }
}
