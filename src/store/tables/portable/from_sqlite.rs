//! What stands in a SQLite file, in words of PostgreSQL. The file may come from anywhere. Blocks.

use std::{
    fs::File,
    io::{BufWriter, Write as _},
    path::Path,
};

use rusqlite::{Connection, OpenFlags, config::DbConfig, types::ValueRef};

use super::{definition, kinds};
use crate::tables::{
    Error, Result, Row, Value,
    migration::ledger,
    saved::{Column, Constraint, ConstraintKind, Index, SavedSchema, Sequence, Table, View, write_row},
};

/// Opens a file only to read it, with nothing in it trusted, and looks whether it is what it seems.
fn open(file: &Path) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(file, flags).map_err(broken)?;
    for (setting, value) in [
        (DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true),
        (DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false),
        (DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false),
    ] {
        connection.set_db_config(setting, value).map_err(broken)?;
    }
    connection.pragma_update(None, "cell_size_check", true).map_err(broken)?;
    let said: String = connection.query_row("pragma integrity_check(1)", [], |row| row.get(0)).map_err(broken)?;
    if said != "ok" {
        return Err(Error::Unsaveable(format!("The tables are damaged: {said}.")));
    }
    let strange = "select name from sqlite_master where type not in ('table', 'index', 'view') \
                   or (type = 'table' and sql like 'create virtual%') limit 1";
    let strange = connection.query_row(strange, [], |row| row.get::<_, String>(0));
    match strange {
        Ok(name) => Err(Error::Unsaveable(format!("`{name}` is nothing that a plugin can make."))),
        Err(rusqlite::Error::QueryReturnedNoRows) => Ok(connection),
        Err(error) => Err(broken(error)),
    }
}

/// Passes for a file that is whole and holds nothing but what plugins can make, and writes it anew to `target`.
///
/// # Errors
/// What is wrong with it.
pub(in crate::tables) fn check_file(file: &Path, target: &Path) -> Result<()> {
    let connection = open(file)?;
    let target = target.to_str().ok_or_else(|| Error::Outage("a path is not UTF-8".to_owned()))?;
    connection.execute("vacuum into ?1", [target]).map(drop).map_err(broken)
}

/// Writes the rows of a file into `directory`, and gives what they stand in.
///
/// # Errors
/// What PostgreSQL has no counterpart for, by name.
pub(in crate::tables) fn read_file(file: &Path, directory: &Path) -> Result<SavedSchema> {
    let connection = open(file)?;
    let mut schema = SavedSchema::default();
    let objects = "select type, name, sql from sqlite_master where name not like 'sqlite\\_%' escape '\\' and type <> 'index' \
                   order by rowid";
    let objects = all(&connection, objects, "", |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    std::fs::create_dir_all(directory.join("tables")).map_err(disk)?;
    for (kind, name, sql) in objects {
        let (kind, name, sql): (String, String, String) = (kind, name, sql);
        if name == ledger::TABLE {
            schema.ledger = rows(&connection, &name, ledger::SELECTED)?.into_iter().map(ledger::read).collect::<Result<_>>()?;
        } else if kind == "view" {
            let query = definition::query_of_view(&sql);
            let named = || Error::Unsaveable(format!("The view `{name}` gives its columns names, which is not carried over."));
            let query = query.ok_or_else(named)?.to_owned();
            schema.views.push(View { name: name.clone(), materialized: false, query, indexes: Vec::new() });
        } else {
            let entry = format!("tables/{}.jsonl", schema.tables.len());
            let mut table = table(&connection, &name, &sql, entry)?;
            table.rows = write(&connection, &table, directory)?;
            schema.tables.push(table);
        }
    }
    Ok(schema)
}

fn table(connection: &Connection, name: &str, sql: &str, entry: String) -> Result<Table> {
    if definition::has(sql, "collate") || definition::has(sql, "generated") {
        let message = format!("The table `{name}` has a collation or a computed column, which is not carried over.");
        return Err(Error::Unsaveable(message));
    }
    let mut table = Table { name: name.to_owned(), entry, rows: 0, columns: vec![], constraints: vec![], indexes: vec![] };
    let mut key: Vec<(i64, String, String)> = Vec::new();
    let columns = "select name, type, \"notnull\", dflt_value, pk from pragma_table_info(?1)";
    let columns = all(connection, columns, name, |row| {
        Ok((
            row.get::<_, String>(0)?,
            row.get::<_, String>(1)?,
            row.get::<_, bool>(2)?,
            row.get::<_, Option<String>>(3)?,
            row.get::<_, i64>(4)?,
        ))
    })?;
    for (column, declared, not_null, default, place) in columns {
        let at = format!("`{name}`.`{column}`");
        let kind = kinds::to_postgres(&declared, &at)?;
        let default = default.map(|text| self::default(&text, &kind, &at)).transpose()?;
        if place > 0 {
            key.push((place, column.clone(), declared));
        }
        table.columns.push(Column { name: column, kind, not_null, default, computed: false, collation: None, identity: None });
    }
    key.sort();
    if let [(_, column, declared)] = &*key
        && declared.eq_ignore_ascii_case("integer")
        && let Some(counted) = table.columns.iter_mut().find(|known| known.name == *column)
    {
        counted.identity = Some(("by default".to_owned(), counter(connection, name, column)?));
    }
    if !key.is_empty() {
        let columns = key.into_iter().map(|(_, column, _)| column).collect();
        push(&mut table, ConstraintKind::PrimaryKey, columns, "primary key");
    }
    indexes(connection, &mut table)?;
    references(connection, &mut table)?;
    for (number, check) in definition::checks(sql).into_iter().enumerate() {
        let name = format!("{}_check{number}", table.name);
        let definition = format!("check ({check})");
        table.constraints.push(Constraint { name, kind: ConstraintKind::Check, columns: vec![], definition });
    }
    Ok(table)
}

fn push(table: &mut Table, kind: ConstraintKind, columns: Vec<String>, words: &str) {
    let name = format!("{}_key{}", table.name, table.constraints.len());
    let definition = format!("{words} ({})", names(&columns));
    table.constraints.push(Constraint { name, kind, columns, definition });
}

fn indexes(connection: &Connection, table: &mut Table) -> Result<()> {
    let listed = "select l.name, l.origin, l.\"unique\", m.sql from pragma_index_list(?1) l left join sqlite_master m on m.name = l.name \
                  order by l.seq desc";
    let listed = all(connection, listed, &table.name, |row| {
        Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?, row.get::<_, bool>(2)?, row.get::<_, Option<String>>(3)?))
    })?;
    for (name, origin, unique, statement) in listed {
        match (origin.as_str(), statement) {
            ("u", _) => {
                let columns = all(connection, "select name from pragma_index_info(?1) order by seqno", &name, |row| row.get(0))?;
                push(table, ConstraintKind::Unique, columns, "unique");
            }
            (_, Some(statement)) => table.indexes.push(Index { name, columns: None, unique, statement }),
            _ => {}
        }
    }
    Ok(())
}

/// As SQLite tells of one, column by column.
struct ForeignKey {
    id: i64,
    other: String,
    from: Vec<String>,
    /// None for the primary key.
    to: Vec<String>,
    actions: String,
}

fn references(connection: &Connection, table: &mut Table) -> Result<()> {
    let listed =
        "select id, \"table\", \"from\", \"to\", on_update, on_delete from pragma_foreign_key_list(?1) order by id desc, seq";
    let listed = all(connection, listed, &table.name, |row| {
        let other: (String, String, Option<String>) = (row.get(1)?, row.get(2)?, row.get(3)?);
        Ok((row.get::<_, i64>(0)?, other, row.get::<_, String>(4)?, row.get::<_, String>(5)?))
    })?;
    let mut keys: Vec<ForeignKey> = Vec::new();
    for (id, (other, from, to), on_update, on_delete) in listed {
        match keys.last_mut().filter(|key| key.id == id) {
            Some(key) => {
                key.from.push(from);
                key.to.extend(to);
            }
            None => {
                let actions = format!("on update {on_update} on delete {on_delete}");
                keys.push(ForeignKey { id, other, from: vec![from], to: to.into_iter().collect(), actions });
            }
        }
    }
    for ForeignKey { id, other, from, to, actions } in keys {
        let target = if to.is_empty() { String::new() } else { format!(" ({})", names(&to)) };
        let definition = format!("foreign key ({}) references {}{target} {actions}", names(&from), quoted(&other));
        let name = format!("{}_reference{id}", table.name);
        table.constraints.push(Constraint { name, kind: ConstraintKind::ForeignKey, columns: from, definition });
    }
    Ok(())
}

/// Where the counting of a table's rows goes on.
fn counter(connection: &Connection, table: &str, column: &str) -> Result<Sequence> {
    let greatest = format!("select coalesce(max({}), 0) from {}", quoted(column), quoted(table));
    let mut last: i64 = connection.query_row(&greatest, [], |row| row.get(0)).map_err(broken)?;
    // The table of counters is there once a table has one.
    if let Ok(counted) =
        connection.query_row("select seq from sqlite_sequence where name = ?1", [table], |row| row.get::<_, i64>(0))
    {
        last = last.max(counted);
    }
    let called = last > 0;
    let kind = "bigint".to_owned();
    Ok(Sequence {
        name: String::new(),
        kind,
        start: 1,
        increment: 1,
        min: 1,
        max: i64::MAX,
        cycles: false,
        last: last.max(1),
        called,
        owned_by: None,
    })
}

/// What a row without a value gets. Only what means the same to both is carried over.
fn default(text: &str, kind: &str, place: &str) -> Result<String> {
    let plain = text.trim().trim_start_matches('(').trim_end_matches(')').trim();
    let lower = plain.to_ascii_lowercase();
    let is_text = plain.len() >= 2 && plain.starts_with('\'') && plain.ends_with('\'');
    match (kind, lower.as_str()) {
        ("boolean", "0" | "false") => Ok("false".to_owned()),
        ("boolean", "1" | "true") => Ok("true".to_owned()),
        (_, "null" | "true" | "false" | "current_timestamp" | "current_date") => Ok(lower),
        (_, now) if now.starts_with("strftime(") && now.contains("'now'") => Ok("current_timestamp".to_owned()),
        (_, number) if number.parse::<f64>().is_ok() => Ok(plain.to_owned()),
        ("bytea", bytes) if bytes.starts_with("x'") => Ok(format!("'\\x{}", plain.get(2..).unwrap_or_default())),
        _ if is_text => Ok(plain.to_owned()),
        _ => Err(Error::Unsaveable(format!("{place} has the default `{text}`, which is not carried over to PostgreSQL."))),
    }
}

/// Writes the rows of a table, each value as PostgreSQL takes it.
fn write(connection: &Connection, table: &Table, directory: &Path) -> Result<u64> {
    let mut out = BufWriter::new(File::create(directory.join(&table.entry)).map_err(disk)?);
    let columns: Vec<String> = table.columns.iter().map(|column| column.name.clone()).collect();
    let sql = format!("select {} from {}", names(&columns), quoted(&table.name));
    let mut statement = connection.prepare(&sql).map_err(broken)?;
    let mut rows = statement.raw_query();
    let (mut count, mut line) = (0, Vec::new());
    while let Some(row) = rows.next().map_err(broken)? {
        count += 1;
        let mut fields = Row::with_capacity(columns.len());
        for (index, column) in table.columns.iter().enumerate() {
            let place = format!("`{}`.`{}`, row {count},", table.name, column.name);
            let value = value(row.get_ref(index).map_err(broken)?, &place)?;
            fields.push(kinds::value_to_postgres(value, &column.kind, &place)?);
        }
        line.clear();
        write_row(fields, &mut line)?;
        out.write_all(&line).map_err(disk)?;
    }
    out.flush().map_err(disk)?;
    Ok(count)
}

fn rows(connection: &Connection, table: &str, columns: &str) -> Result<Vec<Row>> {
    let mut statement = connection.prepare(&format!("select {columns} from {}", quoted(table))).map_err(broken)?;
    let count = statement.column_count();
    let mut rows = statement.raw_query();
    let mut found = Vec::new();
    while let Some(row) = rows.next().map_err(broken)? {
        let fields = (0..count).map(|index| value(row.get_ref(index).map_err(broken)?, table));
        found.push(fields.collect::<Result<Row>>()?);
    }
    Ok(found)
}

fn value(value: ValueRef<'_>, place: &str) -> Result<Value> {
    Ok(match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => Value::Integer(number),
        ValueRef::Real(number) => Value::Real(number),
        ValueRef::Text(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => Value::Text(text.to_owned()),
            Err(_) => return Err(Error::Unsaveable(format!("{place} holds a text that is not UTF-8."))),
        },
        ValueRef::Blob(bytes) => Value::Blob(bytes.to_owned()),
    })
}

fn all<T>(
    connection: &Connection,
    sql: &str,
    name: &str,
    read: impl FnMut(&rusqlite::Row<'_>) -> rusqlite::Result<T>,
) -> Result<Vec<T>> {
    let mut statement = connection.prepare(sql).map_err(broken)?;
    let names: &[&dyn rusqlite::ToSql] = if statement.parameter_count() == 0 { &[] } else { &[&name] };
    let rows = statement.query_map(names, read).map_err(broken)?;
    rows.collect::<rusqlite::Result<_>>().map_err(broken)
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn names(columns: &[String]) -> String {
    columns.iter().map(|column| quoted(column)).collect::<Vec<_>>().join(", ")
}

fn broken(error: rusqlite::Error) -> Error {
    Error::Unsaveable(format!("The tables cannot be read: {error}."))
}

fn disk(error: std::io::Error) -> Error {
    match error.kind() {
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => {
            Error::NoRoom("There is no room to unpack the tables.".to_owned())
        }
        _ => Error::Outage(error.to_string()),
    }
}
