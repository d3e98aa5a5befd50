//! Tables of a plugin that was removed, under another name, and back. Nothing is copied.

use std::{
    collections::HashSet,
    fs, io,
    path::{Path, PathBuf},
};

use mint_domain::ArchiveName;

use super::{
    Error, Owner, PluginTables, Result,
    postgres::archived_role,
    store::{Place, Tables},
};

impl PluginTables {
    /// Gives the tables of an installation, which must not run, another name. False when there are none. Safe to repeat.
    ///
    /// # Errors
    /// An outage; then they have the name that they had.
    pub async fn archive(&self, owner: &Owner, name: &ArchiveName) -> Result<bool> {
        let archived = match self.of(owner) {
            Tables::Sqlite(file) => {
                file.close().await?;
                let (home, target) = (file.home(), file.beside(&name.to_string()));
                renamed(home, target).await
            }
            Tables::Postgres(schema) => schema.rename(false, name).await,
        };
        self.forget(owner);
        archived
    }

    /// Gives archived tables the name back that they had. False when there are none. Safe to repeat.
    ///
    /// # Errors
    /// As [`PluginTables::archive`].
    pub async fn adopt(&self, owner: &Owner, name: &ArchiveName) -> Result<bool> {
        let adopted = match self.of(owner) {
            Tables::Sqlite(file) => {
                file.close().await?;
                let (home, source) = (file.home(), file.beside(&name.to_string()));
                renamed(source, home).await
            }
            Tables::Postgres(schema) => schema.rename(true, name).await,
        };
        self.forget(owner);
        adopted
    }

    /// Deletes archived tables. Safe to repeat.
    ///
    /// # Errors
    /// An outage.
    pub async fn delete_archived(&self, owner: &Owner, name: &ArchiveName) -> Result<()> {
        match self.of(owner) {
            Tables::Sqlite(file) => {
                let directory = file.beside(&name.to_string());
                let deleted = blocking(move || match fs::remove_dir_all(directory) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
                    Ok(()) | Err(_) => Ok(()),
                });
                deleted.await
            }
            Tables::Postgres(schema) => schema.delete_archived(name).await,
        }
    }

    /// Whether an installation has tables.
    ///
    /// # Errors
    /// An outage.
    pub async fn exist(&self, owner: &Owner) -> Result<bool> {
        match self.of(owner) {
            Tables::Sqlite(file) => Ok(file.exists()),
            Tables::Postgres(schema) => schema.exists().await,
        }
    }

    /// Whether there are archived tables of this name.
    ///
    /// # Errors
    /// An outage.
    pub async fn exist_archived(&self, owner: &Owner, name: &ArchiveName) -> Result<bool> {
        match self.of(owner) {
            Tables::Sqlite(file) => Ok(file.beside(&name.to_string()).is_dir()),
            Tables::Postgres(schema) => schema.is_archived(name).await,
        }
    }
}

impl PluginTables {
    /// Archived tables of which nobody knows anything, by the names that they have.
    ///
    /// # Errors
    /// An outage.
    pub async fn stray_archives(&self, known: &[(Owner, ArchiveName)]) -> Result<Vec<String>> {
        match &self.place {
            Place::Directory(directory) => {
                let known: HashSet<_> = known.iter().map(|(owner, name)| (owner.tenant.to_string(), name.to_string())).collect();
                let directory = directory.clone();
                blocking(move || archived(&directory)).await.map(|found| {
                    found
                        .into_iter()
                        .filter(|one| !known.contains(one))
                        .map(|(tenant, name)| format!("{tenant}/{name}"))
                        .collect()
                })
            }
            Place::Server(server) => {
                let known: HashSet<String> =
                    known.iter().map(|(owner, name)| archived_role(&owner.role(server.database()), name)).collect();
                let found = server.archived().await?;
                Ok(found.into_iter().filter(|schema| !known.contains(schema)).collect())
            }
        }
    }
}

/// Archives in a directory of tables, or of files: the tenant's slug and the name.
///
/// # Errors
/// The directory cannot be read.
pub fn archived(directory: &Path) -> io::Result<Vec<(String, String)>> {
    let mut found = Vec::new();
    for tenant in entries(directory)? {
        let there = entries(&directory.join(&tenant))?;
        let archives = there.into_iter().filter(|name| name.parse::<ArchiveName>().is_ok());
        found.extend(archives.map(|name| (tenant.clone(), name)));
    }
    Ok(found)
}

/// Names of the directories in one; none where that is not there.
fn entries(directory: &Path) -> io::Result<Vec<String>> {
    let entries = match fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            names.extend(entry.file_name().into_string());
        }
    }
    names.sort();
    Ok(names)
}

async fn renamed(source: PathBuf, target: PathBuf) -> Result<bool> {
    blocking(move || rename(&source, &target)).await
}

/// Renames a directory for good, or finds that it was. False when it is neither here nor there. Blocks.
///
/// # Errors
/// The file system's.
pub fn rename(source: &Path, target: &Path) -> io::Result<bool> {
    match fs::rename(source, target) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(target.is_dir()),
        other => other?,
    }
    if let Some(parent) = target.parent() {
        fs::File::open(parent)?.sync_all()?;
    }
    Ok(true)
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> Result<T> {
    let done = tokio::task::spawn_blocking(work).await.map_err(|error| Error::Outage(error.to_string()))?;
    done.map_err(|error| Error::Outage(error.to_string()))
}
