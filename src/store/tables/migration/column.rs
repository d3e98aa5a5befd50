//! Columns in words that both databases have.

use serde::Deserialize;

use crate::tables::Value;

/// Which SQL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// SQLite's.
    Sqlite,
    /// PostgreSQL's.
    Postgresql,
}

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ColumnType {
    /// Whole numbers of 32 bits.
    Integer,
    /// Whole numbers of 64 bits.
    Bigint,
    /// Numbers of 64 bits.
    Real,
    /// Exact decimals.
    Decimal,
    /// Text.
    Text,
    /// Yes or no.
    Boolean,
    /// Moments, in RFC 3339.
    Timestamp,
    /// Calendar dates, `YYYY-MM-DD`.
    Date,
    /// JSON documents.
    Json,
    /// UUIDs.
    Uuid,
    /// Bytes.
    Blob,
}

impl ColumnType {
    /// As it is declared. In SQLite the words after a type's own name decide how a value is kept.
    pub(super) fn sql(self, dialect: Dialect) -> &'static str {
        let (sqlite, postgresql) = match self {
            Self::Integer => ("integer", "integer"),
            Self::Bigint => ("bigint", "bigint"),
            Self::Real => ("double precision", "double precision"),
            Self::Decimal => ("numeric", "numeric"),
            Self::Text => ("text", "text"),
            Self::Boolean => ("boolean", "boolean"),
            Self::Timestamp => ("timestamptz text", "timestamptz"),
            Self::Date => ("date text", "date"),
            Self::Json => ("jsonb text", "jsonb"),
            Self::Uuid => ("uuid text", "uuid"),
            Self::Blob => ("blob", "bytea"),
        };
        match dialect {
            Dialect::Sqlite => sqlite,
            Dialect::Postgresql => postgresql,
        }
    }
}

/// What stands in a column where nothing was said.
#[derive(Clone, Debug, PartialEq)]
pub enum DefaultValue {
    /// Always this.
    Value(Value),
    /// The moment of the insert.
    Now,
}

/// What happens to rows whose row elsewhere is deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnDelete {
    /// It cannot be deleted.
    Refuse,
    /// They go with it.
    Cascade,
    /// They refer to nothing.
    SetNull,
}

/// A column of another table whose values these are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// The table.
    pub table: String,
    /// Its column.
    pub column: String,
    /// When its row is deleted.
    pub on_delete: OnDelete,
}

/// A column.
#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// What it holds.
    pub kind: ColumnType,
    /// Whether it can hold nothing.
    pub nullable: bool,
    /// What it holds where nothing was said.
    pub default: Option<DefaultValue>,
    /// Whether no two rows have the same.
    pub unique: bool,
    /// Whether it is of the primary key.
    pub primary_key: bool,
    /// Whether the database counts it up: for the only column of a primary key.
    pub counted: bool,
    /// What it refers to.
    pub references: Option<Reference>,
}
