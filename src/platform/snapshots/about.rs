//! What an archive says of itself.

use mint_domain::Digest;
use mint_store::tables::saved::SavedTables;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::OffsetDateTime;

/// What an archive holds.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct About {
    /// Slug of the plugin.
    pub(crate) plugin: String,
    /// Version of the release that the data are of.
    pub(crate) version: String,
    /// Its bundle's digest.
    pub(crate) digest: Digest,
    /// When.
    #[serde(with = "time::serde::rfc3339")]
    pub(crate) taken_at: OffsetDateTime,
    /// Stored settings.
    pub(crate) settings: Value,
    /// Its tables.
    pub(crate) tables: SavedTables,
    /// Its files.
    pub(crate) files: Vec<SavedFile>,
}

/// A file or a directory of the plugin's own.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct SavedFile {
    /// Path below the plugin's directory, with `/` between its parts.
    pub(crate) path: String,
    /// The entry with its bytes; none for a directory.
    #[serde(default)]
    pub(crate) entry: Option<String>,
    /// Permission bits.
    pub(crate) mode: u32,
}
