//! Tables of an installation out into a snapshot, and back.

use std::path::Path;

use super::{
    Error, Owner, PluginTables, Result, portable,
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
    /// run. Of nobody else's tables a row is touched. What comes from the other kind of database is carried over; what is
    /// `foreign` was not written by this server, and is looked through.
    ///
    /// # Errors
    /// As [`PluginTables::save`]; then what was there is there.
    pub async fn restore(&self, owner: &Owner, saved: &SavedTables, directory: &Path, foreign: bool) -> Result<()> {
        let tables = self.of(owner);
        let restored = match (&tables, saved) {
            (Tables::Sqlite(file), SavedTables::None) => file.replace(None).await,
            (Tables::Sqlite(file), SavedTables::File { entry }) if foreign => {
                let (source, checked) = (directory.join(entry), directory.join("checked.sqlite"));
                let target = checked.clone();
                match blocking(move || portable::check_file(&source, &target)).await {
                    Ok(()) => file.replace(Some(checked)).await,
                    Err(error) => Err(error),
                }
            }
            (Tables::Sqlite(file), SavedTables::File { entry }) => file.replace(Some(directory.join(entry))).await,
            (Tables::Sqlite(file), SavedTables::Rows(schema)) => {
                let (schema, rows, made) = (schema.clone(), directory.to_owned(), directory.join("made.sqlite"));
                let target = made.clone();
                match blocking(move || portable::make_file(&schema, &rows, &target)).await {
                    Ok(()) => file.replace(Some(made)).await,
                    Err(error) => Err(error),
                }
            }
            (Tables::Postgres(schema), SavedTables::None) => schema.restore(&SavedSchema::default(), directory).await,
            (Tables::Postgres(schema), SavedTables::Rows(rows)) => schema.restore(rows, directory).await,
            (Tables::Postgres(schema), SavedTables::File { entry }) => {
                let (file, rows) = (directory.join(entry), directory.to_owned());
                match blocking(move || portable::read_file(&file, &rows)).await {
                    Ok(read) => schema.restore(&read, directory).await,
                    Err(error) => Err(error),
                }
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

/// Does `work` where it may block.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(|error| Error::Outage(error.to_string()))?
}
