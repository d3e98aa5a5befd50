//! What a snapshot holds of an installation's tables, in a form that both databases can read.

mod form;
mod json;
mod schema;

pub use form::{Part, Parts, ROW_BYTES_MAX, SavedTables};
pub(super) use json::{read_row, write_row};
pub use schema::{Column, Constraint, ConstraintKind, Index, SavedSchema, Sequence, Table, View};
