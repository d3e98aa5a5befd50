//! The tables of an installation, for a process of its own that brings its own database driver.

use mint_domain::{Capability, Refusal};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::Instant,
};

pub use mint_store::tables::{LentFile, Way};

use crate::{
    Error, PluginAuthority, Result, Services,
    database::{bounds, owner},
};

/// How a plugin's own driver comes to its tables. None where it was not granted any.
pub fn way(services: &Services, authority: &PluginAuthority) -> Option<Way> {
    authority.grants().allow(&Capability::Database).then(|| services.tables.way(&owner(authority)))
}

/// Serves a connection of a plugin's own driver, until either side ends it.
///
/// # Errors
/// The plugin was not granted tables, or the connection broke.
pub async fn carry<S>(services: &Services, authority: &PluginAuthority, driver: S) -> Result<()>
where
    S: AsyncRead + AsyncWrite + Send + Unpin,
{
    if !authority.grants().allow(&Capability::Database) {
        return Err(Refusal::denied("database", "The plugin was not granted tables.").into());
    }
    let bounds = bounds(&authority.limits(), Instant::now());
    services.tables.carry(&owner(authority), driver, &bounds).await.map_err(Error::Tables)
}
