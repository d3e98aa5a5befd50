//! What a snapshot holds of an installation's tables, in a form that both databases can read.

mod json;
mod schema;

use serde::{Deserialize, Serialize};

pub(super) use json::{read_row, write_row};
pub use schema::{Column, Constraint, ConstraintKind, Index, SavedSchema, Sequence, Table, View};

/// Bytes of one row of a snapshot, as JSON.
pub const ROW_BYTES_MAX: usize = 256 << 20;

/// The tables of an installation, as an archive has them.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "form", rename_all = "kebab-case")]
pub enum SavedTables {
    /// There were none.
    None,
    /// A SQLite file, as it was at one instant.
    File {
        /// Its entry.
        entry: String,
    },
    /// Statements that make tables on PostgreSQL, and rows.
    Rows(SavedSchema),
}

/// What comes out while tables are saved.
#[derive(Debug)]
pub enum Part {
    /// An entry begins.
    Entry(String),
    /// More of it.
    Bytes(Vec<u8>),
}

/// Where parts go; it is slow when the disk is.
pub type Parts = tokio::sync::mpsc::Sender<Part>;
