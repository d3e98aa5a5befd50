//! Files of plugins stand in one data directory. Servers on one database have each a directory of their own, or share one: a mark
//! in it, compared through the database, tells which. Where it is another one, plugins with files do not run: they would find
//! nothing of what they wrote elsewhere, and what they write would be found by nobody.

use std::{
    io::{self, Write as _},
    path::Path,
};

use mint_context::Result;
use mint_domain::{Capability, Grants, Kind, Refusal, lifecycle::Failure};
use mint_store::{
    files_home::{self, FilesHome},
    installations,
};
use rand::Rng as _;

use crate::{Platform, layout::Layout};

/// The mark. No tenant is called so.
const MARK: &str = ".directory";
/// What whoever runs the servers can do.
const HINT: &str = "Give all servers one `plugin-data` directory, on a file system that they share; or, where the other one is lost, end all \
                    servers and run `mint fsck --repair` here.";

impl Platform {
    /// Passes where the files of plugins stand here, if this one has any.
    ///
    /// # Errors
    /// They stand elsewhere; the database's.
    pub(crate) async fn expect_files(&self, grants: &Grants) -> Result<()> {
        if !grants.allow(&Capability::Files) || !self.services().db.is_shared() {
            return Ok(());
        }
        let directory = mark(self.layout()).await?;
        let mut tx = self.services().db.read().await?;
        let known = files_home::get(&mut tx).await?;
        drop(tx);
        let here = FilesHome { directory, address: self.presence().address().to_string() };
        let home = match known {
            Some(home) if home == here || home.directory != here.directory => home,
            _ => self.settle(&here).await?,
        };
        if home.directory == here.directory { Ok(()) } else { Err(elsewhere(&home).into()) }
    }

    /// The same, for a start.
    pub(crate) async fn expect_files_to_start(&self, grants: &Grants) -> Result<(), Failure> {
        self.expect_files(grants).await.map_err(|error| Failure::new("files", error.public().message, HINT))
    }

    /// Passes unless plugins that run here should find files that stand with another server, which is there.
    ///
    /// # Errors
    /// As [`Platform::expect_files`].
    pub(crate) async fn expect_files_of_all(&self) -> Result<()> {
        if !self.services().db.is_shared() {
            return Ok(());
        }
        let mut tx = self.services().db.read().await?;
        let Some(home) = files_home::get(&mut tx).await? else { return Ok(()) };
        let wanted = installations::list_all(&mut tx).await?.iter().any(|row| row.grants.allow(&Capability::Files));
        drop(tx);
        if !wanted {
            return Ok(());
        }
        let is_there = self.replicas().await?.iter().any(|other| other.address == home.address);
        match (mark(self.layout()).await? == home.directory, is_there) {
            (false, true) => Err(elsewhere(&home).into()),
            // Where nobody has them, the others go on with all that needs none.
            (false, false) | (true, true) => Ok(()),
            // Who had them before is gone.
            (true, false) => self.settle(&FilesHome { address: self.presence().address().to_string(), ..home }).await.map(drop),
        }
    }

    async fn settle(&self, here: &FilesHome) -> Result<FilesHome> {
        let mut tx = self.services().db.begin().await?;
        let home = files_home::settle(&mut tx, here, self.services().clock.now()).await?;
        tx.commit().await?;
        Ok(home)
    }
}

fn elsewhere(home: &FilesHome) -> Refusal {
    let message = format!(
        "Files of plugins stand in the data directory of the server at {}, and not in the one of this server. {HINT}",
        home.address
    );
    Refusal::new(Kind::Unavailable, "plugin.files_elsewhere", message)
}

/// The mark of the directory with the files of plugins, made where there is none.
pub(crate) async fn mark(layout: &Layout) -> io::Result<String> {
    let directory = layout.all_plugin_data();
    tokio::task::spawn_blocking(move || read_or_make(&directory)).await.map_err(io::Error::other)?
}

fn read_or_make(directory: &Path) -> io::Result<String> {
    let path = directory.join(MARK);
    match std::fs::read_to_string(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        read => return read,
    }
    std::fs::create_dir_all(directory)?;
    let mut file = tempfile::NamedTempFile::new_in(directory)?;
    file.write_all(format!("{:032x}", rand::rng().random::<u128>()).as_bytes())?;
    file.as_file().sync_all()?;
    match file.persist_noclobber(&path) {
        Err(error) if error.error.kind() != io::ErrorKind::AlreadyExists => return Err(error.error),
        // Another server of the same directory was faster.
        Ok(_) | Err(_) => {}
    }
    std::fs::read_to_string(&path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_has_one_mark_and_another_one_another() {
        let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let mark = read_or_make(&one.path().join("plugin-data")).unwrap();
        assert_eq!(mark.len(), 32);
        assert_eq!(read_or_make(&one.path().join("plugin-data")).unwrap(), mark);
        assert_ne!(read_or_make(other.path()).unwrap(), mark);
    }
}
