//! For plugins that run in processes of their own and bring their own database driver: the same tables, another way in.

use tokio::io::{AsyncRead, AsyncWrite};

use super::{Bounds, Error, Owner, PluginTables, Result, sqlite::LentFile, store::Tables};

/// How a driver of a plugin's own comes to its tables.
#[derive(Debug)]
pub enum Way {
    /// It opens the file itself, for as long as this is kept.
    File(LentFile),
    /// It speaks PostgreSQL's protocol to [`PluginTables::carry`].
    Protocol,
}

impl PluginTables {
    /// How a driver of the plugin's own comes to its tables, which were prepared.
    pub fn way(&self, owner: &Owner) -> Way {
        match self.of(owner) {
            Tables::Sqlite(file) => Way::File(file.lend()),
            Tables::Postgres(_) => Way::Protocol,
        }
    }

    /// Serves a connection of a driver of the plugin's own, until either side ends it. Of the bounds, those of a statement's
    /// time and of the size of the tables hold.
    ///
    /// # Errors
    /// The connection broke, or there is no server.
    pub async fn carry<S>(&self, owner: &Owner, driver: S, bounds: &Bounds) -> Result<()>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin,
    {
        match self.of(owner) {
            Tables::Sqlite(_) => Err(Error::Outage("tables in a file have no server".to_owned())),
            Tables::Postgres(schema) => schema.carry(driver, bounds).await,
        }
    }
}
