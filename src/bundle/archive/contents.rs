//! The table of contents of an archive.

use mint_domain::Digest;
use serde::{Deserialize, Serialize};

/// The entry with the table of contents.
pub(super) const CONTENTS: &str = SNAPSHOT.contents;
/// What it begins with.
pub(super) const FORMAT: &str = SNAPSHOT.format;

/// What an archive is of: the entry with its table of contents, and what that begins with.
#[derive(Clone, Copy, Debug)]
pub struct Form {
    pub(super) contents: &'static str,
    pub(super) format: &'static str,
}

/// Of an installation.
pub const SNAPSHOT: Form = Form { contents: "snapshot.json", format: "mint-snapshot" };
/// Of a laboratory. Nothing reads it back.
pub const EXPORT: Form = Form { contents: "export.json", format: "mint-export" };

/// Version of the format.
pub(super) const VERSION: u32 = 1;
/// Bytes of the table of contents.
pub(super) const CONTENTS_BYTES_MAX: u64 = 64 << 20;

/// What stands in an archive.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Contents<T> {
    pub(super) format: String,
    pub(super) version: u32,
    pub(super) entries: Vec<Entry>,
    pub(super) about: T,
}

/// One entry.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) size: u64,
    pub(super) sha256: Digest,
}
