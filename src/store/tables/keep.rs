//! Tables of an installation out into a snapshot, and back.

use std::path::Path;

use super::{
    Owner, PluginTables, Result,
    saved::{Parts, SavedSchema, SavedTables},
    store::Tables,
};

impl PluginTables {
    /// Hands out what the tables hold at one instant, while others go on writing. `scratch` names a file that may be made
    /// for the time.
    ///
    /// # Errors
    /// [`super::Error::Unsaveable`] for what a snapshot cannot hold, [`super::Error::NoRoom`], or an outage.
    pub async fn save(&self, owner: &Owner, scratch: &Path, parts: &Parts) -> Result<SavedTables> {
        match self.of(owner) {
            Tables::Sqlite(file) => file.save(scratch, parts).await,
            Tables::Postgres(schema) => schema.save(parts).await,
        }
    }

    /// Puts saved tables, whose entries stand in `directory`, in the place of those that are there. The plugin must not
    /// run. Of nobody else's tables a row is touched.
    ///
    /// # Errors
    /// As [`PluginTables::save`]; then what was there is there.
    pub async fn restore(&self, owner: &Owner, saved: &SavedTables, directory: &Path) -> Result<()> {
        let restored = match (self.of(owner), saved) {
            (Tables::Sqlite(file), SavedTables::None) => file.replace(None).await,
            (Tables::Sqlite(file), SavedTables::File { entry }) => file.replace(Some(directory.join(entry))).await,
            (Tables::Postgres(schema), SavedTables::None) => schema.restore(&SavedSchema::default(), directory).await,
            (Tables::Postgres(schema), SavedTables::Rows(rows)) => schema.restore(rows, directory).await,
            (Tables::Sqlite(_), SavedTables::Rows(_)) | (Tables::Postgres(_), SavedTables::File { .. }) => {
                Err(super::Error::Unsaveable("The snapshot was taken on the other kind of database.".to_owned()))
            }
        };
        self.forget(owner);
        restored
    }

    /// Bytes that the tables take on the disk, about.
    ///
    /// # Errors
    /// An outage.
    pub async fn size(&self, owner: &Owner) -> Result<u64> {
        match self.of(owner) {
            Tables::Sqlite(file) => Ok(file.size()),
            Tables::Postgres(schema) => schema.size().await,
        }
    }
}
