//! The table in which it is written down what was done to the others. It stands among them, and is the platform's.

use mint_domain::migration::{AppliedMigration, Migration};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::tables::{Error, Result, Row, Value};

/// Its name, with which no name of a plugin's begins.
pub(in crate::tables) const TABLE: &str = "plugin_schema_migrations";

/// Its columns, for both databases.
pub(in crate::tables) const COLUMNS: &str = "version integer primary key, name text not null, applied_at text not null, \
     checksum text not null, destructive boolean not null, success boolean not null, error_message text";

/// What [`read`] reads.
pub(in crate::tables) const SELECTED: &str = "version, name, destructive, checksum, applied_at, error_message";

/// What is written down when a migration has ended.
#[derive(Clone, Debug)]
pub enum Record {
    /// It was applied, or failed.
    Tried(AppliedMigration),
    /// Their tables were there already.
    Adopted(Vec<AppliedMigration>),
    /// It was taken back.
    Reverted(u32),
}

/// `insert` with the values of [`row`], over whatever was tried before.
pub(in crate::tables) fn upsert(table: &str) -> String {
    format!(
        "insert into {table} as known (version, name, applied_at, checksum, destructive, success, error_message)
         values ($1, $2, $3, $4, $5, $6, $7)
         on conflict (version) do update set name = excluded.name, applied_at = excluded.applied_at,
             checksum = excluded.checksum, destructive = excluded.destructive, success = excluded.success,
             error_message = excluded.error_message
         where known.success is not true"
    )
}

/// The values of a row, in the order of [`upsert`].
pub(in crate::tables) fn row(tried: &AppliedMigration) -> Vec<Value> {
    let at = tried.applied_at.format(&Rfc3339).unwrap_or_default();
    let error = tried.error.clone().map_or(Value::Null, Value::Text);
    vec![
        Value::Integer(tried.migration.version.into()),
        Value::Text(tried.migration.name.clone()),
        Value::Text(at),
        Value::Text(tried.migration.checksum.clone()),
        Value::Boolean(tried.migration.destructive),
        Value::Boolean(tried.error.is_none()),
        error,
    ]
}

/// A row of [`SELECTED`].
///
/// # Errors
/// Somebody else wrote it.
pub(in crate::tables) fn read(row: Row) -> Result<AppliedMigration> {
    let [Value::Integer(version), Value::Text(name), destructive, Value::Text(checksum), Value::Text(at), error] =
        <[Value; 6]>::try_from(row).map_err(|_| foreign())?
    else {
        return Err(foreign());
    };
    // SQLite has numbers for it.
    let destructive = matches!(destructive, Value::Boolean(true) | Value::Integer(1));
    let error = if let Value::Text(error) = error { Some(error) } else { None };
    entry((version, name, destructive, checksum, at, error))
}

/// What [`SELECTED`] names, as types.
pub(in crate::tables) type Entry = (i64, String, bool, String, String, Option<String>);

/// # Errors
/// Somebody else wrote it.
pub(in crate::tables) fn entry((version, name, destructive, checksum, at, error): Entry) -> Result<AppliedMigration> {
    let version = u32::try_from(version).map_err(|_| foreign())?;
    let applied_at = OffsetDateTime::parse(&at, &Rfc3339).map_err(|_| foreign())?;
    Ok(AppliedMigration { migration: Migration { version, name, destructive, checksum, named: false }, applied_at, error })
}

fn foreign() -> Error {
    Error::Outage(format!("a row of {TABLE} is not one of the platform's"))
}
