//! Archives of installations: what a snapshot is kept as, and what a backup is. A zip file with a table of contents that
//! is written last, and names every entry with its size and SHA-256.
//!
//! ```text
//! snapshot.json      the table of contents, and what the archive is about
//! tables.sqlite      the plugin's tables, where they stood in a SQLite file
//! tables/<n>.jsonl   rows, one JSON array a line, where they stood on PostgreSQL
//! files/<n>          the plugin's own files
//! ```
//!
//! An export of a laboratory is written in the same way, with `export.json`, `<table>.jsonl` with one JSON object a line, and `files/<name>`.

mod contents;
mod read;
#[cfg(test)]
mod tests;
mod write;

pub use contents::{EXPORT, Form, SNAPSHOT};
pub use read::Archive;
pub use write::{ArchiveWriter, Written, digest};
