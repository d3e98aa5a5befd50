//! Archives of installations: what a snapshot is kept as, and what a backup is. A zip file with a table of contents that
//! is written last, and names every entry with its size and SHA-256.
//!
//! ```text
//! snapshot.json      the table of contents, and what the archive is about
//! tables.sqlite      the plugin's tables, where they stood in a SQLite file
//! tables/<n>.jsonl   rows, one JSON array a line, where they stood on PostgreSQL
//! files/<n>          the plugin's own files
//! ```

mod read;
#[cfg(test)]
mod tests;
mod write;

use mint_domain::Digest;
use serde::{Deserialize, Serialize};

pub use read::Archive;
pub use write::{ArchiveWriter, Written};

/// The entry with the table of contents.
const CONTENTS: &str = "snapshot.json";
/// What it begins with.
const FORMAT: &str = "mint-snapshot";
/// Version of the format.
const VERSION: u32 = 1;
/// Bytes of the table of contents.
const CONTENTS_BYTES_MAX: u64 = 64 << 20;

/// What stands in an archive.
#[derive(Debug, Serialize, Deserialize)]
struct Contents<T> {
    format: String,
    version: u32,
    entries: Vec<Entry>,
    about: T,
}

/// One entry.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Entry {
    name: String,
    size: u64,
    sha256: Digest,
}
