//! Tables of PostgreSQL in a new SQLite file. Blocks.

use std::{
    fs::File,
    io::{BufRead as _, BufReader, Read as _},
    path::Path,
};

use rusqlite::{Connection, Statement};

use super::{definition::without_casts, kinds};
use crate::tables::{
    Error, Result, Row, Value, gate,
    migration::ledger,
    saved::{Column, Constraint, ConstraintKind, ROW_BYTES_MAX, SavedSchema, Table, read_row},
};

/// Makes a file with everything that `schema` tells of, whose rows stand in `directory`.
///
/// # Errors
/// What SQLite has no counterpart for, by name.
pub(in crate::tables) fn make_file(schema: &SavedSchema, directory: &Path, target: &Path) -> Result<()> {
    refuse_others(schema)?;
    let mut connection = Connection::open(target).map_err(|error| failed("the file", error))?;
    connection.pragma_update(None, "foreign_keys", false).map_err(|error| failed("the file", error))?;
    let tx = connection.transaction().map_err(|error| failed("the file", error))?;
    tx.execute_batch(&format!("create table {} ({})", ledger::TABLE, ledger::COLUMNS))
        .map_err(|error| failed(ledger::TABLE, error))?;
    for tried in &schema.ledger {
        let mut statement = tx.prepare(&ledger::upsert(ledger::TABLE)).map_err(|error| failed(ledger::TABLE, error))?;
        bind(&mut statement, &ledger::row(tried), ledger::TABLE)?;
        statement.raw_execute().map_err(|error| failed(ledger::TABLE, error))?;
    }
    for table in &schema.tables {
        let create = create(table)?;
        run(&tx, &create, &format!("The table `{}`", table.name))?;
        fill(&tx, table, directory)?;
    }
    for table in &schema.tables {
        for index in &table.indexes {
            let statement = match &index.columns {
                Some(columns) => {
                    let unique = if index.unique { "unique " } else { "" };
                    format!("create {unique}index {} on {} ({})", quoted(&index.name), quoted(&table.name), names(columns))
                }
                None => without_casts(&index.statement).replace(" USING btree", "").replace(" using btree", ""),
            };
            run(&tx, &statement, &format!("The index `{}`", index.name))?;
        }
    }
    for view in &schema.views {
        let query = without_casts(view.query.trim_end_matches(';'));
        run(&tx, &format!("create view {} as {query}", quoted(&view.name)), &format!("The view `{}`", view.name))?;
    }
    tx.commit().map_err(|error| failed("the file", error))?;
    connection.close().map_err(|(_, error)| failed("the file", error))
}

/// What has no place in a file at all.
fn refuse_others(schema: &SavedSchema) -> Result<()> {
    let refuse = |what: String| Err(Error::Unsaveable(format!("{what} has no counterpart on SQLite.")));
    if let Some(view) = schema.views.iter().find(|view| view.materialized) {
        return refuse(format!("The materialized view `{}`", view.name));
    }
    for sequence in &schema.sequences {
        let owner = sequence.owned_by.as_ref();
        let table = schema.tables.iter().find(|table| owner.is_some_and(|(name, _)| *name == table.name));
        if !table.is_some_and(|table| owner.is_some_and(|(_, column)| is_counted(table, column))) {
            return refuse(format!("The sequence `{}`", sequence.name));
        }
    }
    for table in &schema.tables {
        if let Some(column) = table.columns.iter().find(|column| column.computed || column.collation.is_some()) {
            return refuse(format!("`{}`.`{}`, which is computed or has a collation,", table.name, column.name));
        }
        let excludes = |constraint: &&Constraint| constraint.kind == ConstraintKind::Exclusion;
        if let Some(constraint) = table.constraints.iter().find(excludes) {
            return refuse(format!("The constraint `{}` of the table `{}`", constraint.name, table.name));
        }
    }
    Ok(())
}

/// Whether a column is the whole key of its table, and its numbers are counted up.
fn is_counted(table: &Table, name: &str) -> bool {
    let is_key = |constraint: &Constraint| {
        constraint.kind == ConstraintKind::PrimaryKey && constraint.columns.iter().eq(std::iter::once(name))
    };
    let counts = |column: &Column| {
        let by_sequence = column.default.as_deref().is_some_and(|default| default.starts_with("nextval("));
        column.name == name && (column.identity.is_some() || by_sequence)
    };
    table.constraints.iter().any(is_key) && table.columns.iter().any(counts)
}

fn create(table: &Table) -> Result<String> {
    let mut parts = Vec::new();
    let counted = table.columns.iter().find(|column| is_counted(table, &column.name)).map(|column| column.name.as_str());
    for column in &table.columns {
        let place = format!("`{}`.`{}`", table.name, column.name);
        if counted == Some(column.name.as_str()) {
            parts.push(format!("{} integer primary key autoincrement", quoted(&column.name)));
            continue;
        }
        if column.identity.is_some() {
            return Err(Error::Unsaveable(format!("{place} counts up without being the key, which SQLite does not do.")));
        }
        let mut part = format!("{} {}", quoted(&column.name), kinds::to_sqlite(&column.kind, &place)?);
        if let Some(text) = &column.default {
            part.push_str(&format!(" default {}", default(text, &place)?));
        }
        if column.not_null {
            part.push_str(" not null");
        }
        parts.push(part);
    }
    for constraint in &table.constraints {
        if constraint.kind != ConstraintKind::PrimaryKey || counted.is_none() {
            parts.push(format!("constraint {} {}", quoted(&constraint.name), without_casts(&constraint.definition)));
        }
    }
    Ok(format!("create table {} ({})", quoted(&table.name), parts.join(", ")))
}

fn default(text: &str, place: &str) -> Result<String> {
    let plain = without_casts(text);
    let lower = plain.to_ascii_lowercase();
    let is_text = plain.len() >= 2 && plain.starts_with('\'') && plain.ends_with('\'');
    match lower.as_str() {
        "now()" | "current_timestamp" => Ok("(strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))".to_owned()),
        "null" | "true" | "false" | "current_date" => Ok(lower),
        bytes if bytes.starts_with("'\\x") => Ok(format!("x'{}", plain.get(3..).unwrap_or_default())),
        number if number.trim_matches(['(', ')', '\'']).parse::<f64>().is_ok() && !is_text => Ok(plain),
        _ if is_text => Ok(plain),
        _ => Err(Error::Unsaveable(format!("{place} has the default `{text}`, which is not carried over to SQLite."))),
    }
}

fn fill(connection: &Connection, table: &Table, directory: &Path) -> Result<()> {
    let kept: Vec<String> = table.columns.iter().map(|column| column.name.clone()).collect();
    let places: Vec<String> = (1..=kept.len()).map(|place| format!("?{place}")).collect();
    let insert = if kept.is_empty() {
        return Err(Error::Unsaveable(format!("The table `{}` has no columns.", table.name)));
    } else {
        format!("insert into {} ({}) values ({})", quoted(&table.name), names(&kept), places.join(", "))
    };
    let mut statement = connection.prepare(&insert).map_err(|error| failed(&table.name, error))?;
    let read = |error: std::io::Error| Error::Outage(format!("{}: {error}", table.entry));
    let mut lines = BufReader::new(File::open(directory.join(&table.entry)).map_err(read)?);
    let (mut line, mut count) = (Vec::new(), 0);
    while (&mut lines).take(ROW_BYTES_MAX as u64).read_until(b'\n', &mut line).map_err(read)? > 0 {
        count += 1;
        let mut row = Row::with_capacity(kept.len());
        for (value, column) in read_row(&line, kept.len())?.into_iter().zip(&table.columns) {
            let place = format!("`{}`.`{}`, row {count},", table.name, column.name);
            row.push(kinds::value_to_sqlite(value, &column.kind, &place)?);
        }
        bind(&mut statement, &row, &table.name)?;
        statement.raw_execute().map_err(|error| failed(&table.name, error))?;
        line.clear();
    }
    if count == table.rows {
        return count_on(connection, table);
    }
    Err(Error::Unsaveable(format!("The table `{}` should have {} rows, and {count} were found.", table.name, table.rows)))
}

/// The counter goes on where it was, not where the greatest number that is left is.
fn count_on(connection: &Connection, table: &Table) -> Result<()> {
    let counters = table.columns.iter().filter_map(|column| column.identity.as_ref());
    for (_, sequence) in counters.filter(|(_, sequence)| sequence.called) {
        let said = |error| failed(&table.name, error);
        let known =
            connection.execute("update sqlite_sequence set seq = max(seq, ?2) where name = ?1", (&table.name, sequence.last));
        if known.map_err(said)? == 0 {
            let first = "insert into sqlite_sequence (name, seq) values (?1, ?2)";
            connection.execute(first, (&table.name, sequence.last)).map_err(|error| failed(&table.name, error))?;
        }
    }
    Ok(())
}

fn bind(statement: &mut Statement<'_>, row: &Row, name: &str) -> Result<()> {
    for (place, value) in row.iter().enumerate() {
        let bound = match value {
            Value::Null => statement.raw_bind_parameter(place + 1, rusqlite::types::Null),
            Value::Boolean(flag) => statement.raw_bind_parameter(place + 1, flag),
            Value::Integer(number) => statement.raw_bind_parameter(place + 1, number),
            Value::Real(number) => statement.raw_bind_parameter(place + 1, number),
            Value::Text(text) => statement.raw_bind_parameter(place + 1, text),
            Value::Blob(bytes) => statement.raw_bind_parameter(place + 1, bytes),
        };
        bound.map_err(|error| failed(name, error))?;
    }
    Ok(())
}

/// A statement that came with the snapshot: one, and one that a plugin might use.
fn run(connection: &Connection, sql: &str, what: &str) -> Result<()> {
    let _effect = gate::look(sql)?;
    let done = connection.prepare(sql).and_then(|mut statement| statement.raw_execute());
    done.map(drop).map_err(|error| Error::Unsaveable(format!("{what} has no counterpart on SQLite: {error}.")))
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn names(columns: &[String]) -> String {
    columns.iter().map(|column| quoted(column)).collect::<Vec<_>>().join(", ")
}

fn failed(what: &str, error: rusqlite::Error) -> Error {
    match error.sqlite_error_code() {
        Some(rusqlite::ErrorCode::DiskFull) => Error::NoRoom("There is no room for the tables.".to_owned()),
        _ => Error::Unsaveable(format!("`{what}` cannot be put back on SQLite: {error}.")),
    }
}
