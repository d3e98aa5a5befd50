//! The way of a process's own database driver to its tables: a file that its cage lets it open, or a socket of its private
//! directory behind which the platform stands. There is no password that it could lose.

use std::{
    fs::{self, Permissions},
    io,
    os::unix::fs::PermissionsExt,
    path::Path,
    sync::Arc,
};

use mint_context::{
    own_driver::{self, LentFile, Way},
    runtime::Activation,
};
use mint_domain::lifecycle::Failure;
use tokio::net::{UnixListener, UnixStream};
use tokio_util::task::AbortOnDropHandle;

use crate::{
    accept,
    directory::Directory,
    file_url,
    incarnation::{self, Setup},
    task,
};

/// Drivers look for a socket of this name in the directory that they are given as a host, with the port that they are given.
const SOCKET: &str = ".s.PGSQL.1";
/// Connections of one process at once.
const CONNECTIONS_MAX: usize = 32;

/// A way to the tables of an installation, until dropped.
#[derive(Debug)]
pub(crate) struct Tables {
    url: String,
    file: Option<LentFile>,
    _door: Option<AbortOnDropHandle<()>>,
}

impl Tables {
    /// Opens it, where the installation was granted tables.
    ///
    /// # Errors
    /// A [`Failure`] when the socket cannot be made.
    pub(crate) fn open(setup: &Setup, directory: &Directory) -> Result<Option<Self>, Failure> {
        let Activation { authority, call, .. } = &setup.activation;
        match own_driver::way(&call.services, authority) {
            None => Ok(None),
            Some(Way::File(file)) => {
                let url = format!("sqlite://{}", file_url::encoded(file.path()));
                Ok(Some(Self { url, file: Some(file), _door: None }))
            }
            Some(Way::Protocol) => {
                let door = open_door(setup, directory.path()).map_err(|error| {
                    let reason = format!("The socket for the plugin's database driver cannot be made: {error}.");
                    incarnation::failure(setup, reason, "Choose a short runtime directory that the platform's user can write to.")
                })?;
                let url = format!("postgresql://plugin@/plugin?host={}&port=1", file_url::encoded(directory.path()));
                Ok(Some(Self { url, file: None, _door: Some(door) }))
            }
        }
    }

    /// For drivers.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// The file that it may change, where it is one.
    pub(crate) fn file(&self) -> Option<&Path> {
        Some(self.file.as_ref()?.path())
    }

    /// Where the file stands that it may change, with those that SQLite makes beside it.
    pub(crate) fn directory(&self) -> Option<&Path> {
        self.file()?.parent()
    }
}

fn open_door(setup: &Setup, directory: &Path) -> io::Result<AbortOnDropHandle<()>> {
    let path = directory.join(SOCKET);
    let listener = UnixListener::bind(&path)?;
    // The directory is closed to everybody but the plugin's user, who may be another than the server's.
    fs::set_permissions(&path, Permissions::from_mode(0o666))?;
    let activation = Arc::new(setup.activation.clone());
    let carry = move |driver| carry(Arc::clone(&activation), driver);
    Ok(task::owned(accept::each(listener, CONNECTIONS_MAX, "its tables", carry)))
}

async fn carry(activation: Arc<Activation>, driver: UnixStream) {
    let Activation { authority, call, .. } = &*activation;
    if let Err(error) = own_driver::carry(&call.services, authority, driver).await {
        let cause = std::error::Error::source(&error).map(ToString::to_string);
        tracing::debug!(plugin.slug = %authority.slug(), cause, "a plugin's connection to its tables broke");
    }
}
