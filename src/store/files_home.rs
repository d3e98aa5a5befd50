//! The one data directory that has the files of plugins.

use time::OffsetDateTime;

use crate::{Result, Tx};

/// Where the files of plugins stand.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct FilesHome {
    /// The mark in the directory.
    pub directory: String,
    /// Where the server listens that was last seen to have it.
    pub address: String,
}

/// Where they stand; none before there were any.
///
/// # Errors
/// The database's.
pub async fn get(tx: &mut Tx) -> Result<Option<FilesHome>> {
    rows!(tx, optional FilesHome, "select directory, address from files_home")
}

/// Writes down who has the directory, where nobody else has. Gives where they stand then.
///
/// # Errors
/// The database's.
pub async fn settle(tx: &mut Tx, home: &FilesHome, now: OffsetDateTime) -> Result<FilesHome> {
    execute!(
        tx,
        "insert into files_home (place, directory, address, since) values (1, $1, $2, $3)
         on conflict (place) do update set address = excluded.address where files_home.directory = excluded.directory",
        &home.directory,
        &home.address,
        now,
    )?;
    Ok(get(tx).await?.unwrap_or_else(|| home.clone()))
}

/// From now on, another directory has them.
///
/// # Errors
/// The database's.
pub async fn move_to(tx: &mut Tx, home: &FilesHome, now: OffsetDateTime) -> Result<()> {
    execute!(tx, "update files_home set directory = $1, address = $2, since = $3", &home.directory, &home.address, now).map(drop)
}
