//! Tables and what belongs to them, in words of PostgreSQL, with what another database needs to know said apart.

use mint_domain::migration::AppliedMigration;
use serde::{Deserialize, Serialize};

/// Everything that stands in one schema.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct SavedSchema {
    /// In the order in which they were made.
    pub tables: Vec<Table>,
    /// Those that belong to no identity column.
    pub sequences: Vec<Sequence>,
    /// In the order in which they were made.
    pub views: Vec<View>,
    /// What was done to the tables until then.
    #[serde(default)]
    pub ledger: Vec<AppliedMigration>,
}

/// A table, and where its rows are.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Table {
    /// Its name.
    pub name: String,
    /// The entry with its rows, one JSON array a line, of the columns that are not computed.
    pub entry: String,
    /// How many.
    pub rows: u64,
    /// In order.
    pub columns: Vec<Column>,
    /// Keys and checks.
    pub constraints: Vec<Constraint>,
    /// Those that belong to no constraint.
    pub indexes: Vec<Index>,
}

/// A column.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its type, as PostgreSQL writes it.
    #[serde(rename = "type")]
    pub kind: String,
    /// Whether every row has a value.
    pub not_null: bool,
    /// What a row without a value gets, or what it is computed from.
    #[serde(default)]
    pub default: Option<String>,
    /// Whether it is computed and stored.
    #[serde(default)]
    pub computed: bool,
    /// How it is compared, where not as usual.
    #[serde(default)]
    pub collation: Option<String>,
    /// `always` or `by default`, where it counts by itself, and with which numbers.
    #[serde(default)]
    pub identity: Option<(String, Sequence)>,
}

/// What a constraint demands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ConstraintKind {
    /// Rows are known by it.
    PrimaryKey,
    /// No two rows are the same in it.
    Unique,
    /// A row of another table.
    ForeignKey,
    /// An expression.
    Check,
    /// No two rows overlap.
    Exclusion,
}

/// A key or a check.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Constraint {
    /// Its name.
    pub name: String,
    /// What it demands.
    pub kind: ConstraintKind,
    /// Of which columns.
    pub columns: Vec<String>,
    /// As PostgreSQL writes it.
    pub definition: String,
}

/// An index.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Index {
    /// Its name.
    pub name: String,
    /// The columns, where it is of columns, of all rows.
    pub columns: Option<Vec<String>>,
    /// Whether no two rows are the same in it.
    pub unique: bool,
    /// The whole statement.
    pub statement: String,
}

/// A counter.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Sequence {
    /// Its name; empty for that of an identity column.
    #[serde(default)]
    pub name: String,
    /// Its type.
    #[serde(rename = "type")]
    pub kind: String,
    /// Where it began.
    pub start: i64,
    /// By how much it counts.
    pub increment: i64,
    /// The least.
    pub min: i64,
    /// The greatest.
    pub max: i64,
    /// Whether it begins again.
    pub cycles: bool,
    /// Where it is.
    pub last: i64,
    /// Whether that was given out.
    pub called: bool,
    /// The table and the column that it goes with.
    #[serde(default)]
    pub owned_by: Option<(String, String)>,
}

/// A view.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct View {
    /// Its name.
    pub name: String,
    /// Whether its rows are kept.
    pub materialized: bool,
    /// The query.
    pub query: String,
    /// Indexes on it: whole statements.
    #[serde(default)]
    pub indexes: Vec<String>,
}
