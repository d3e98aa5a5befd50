//! What is there of plugins' tables, beside what installations should have.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use mint_domain::Slug;
use rusqlite::{Connection, OpenFlags};

use super::{
    Error, Owner, PluginTables, Result,
    migration::ledger,
    store::{Place, Tables},
};

/// Tables under a name that no installation has, with nothing in them. What an uninstall kept has something in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leftover {
    /// `<tenant>/<plugin>`, or the name of a schema and a role.
    pub name: String,
}

impl PluginTables {
    /// Deletes all tables of a tenant of which no plugin is installed any more: what uninstalls kept and archived. Safe to repeat.
    ///
    /// # Errors
    /// An outage.
    pub async fn delete_of_tenant(&self, tenant: &Slug) -> Result<()> {
        self.forget_tenant(tenant);
        match &self.place {
            Place::Directory(directory) => {
                let directory = directory.join(tenant.as_str());
                match tokio::fs::remove_dir_all(&directory).await {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Error::Outage(error.to_string())),
                    Ok(()) | Err(_) => Ok(()),
                }
            }
            Place::Server(server) => {
                for schema in server.of_tenant(tenant).await? {
                    server.remove(&schema).await?;
                }
                Ok(())
            }
        }
    }

    /// Whether everything of an installation's tables is there that a start makes.
    ///
    /// # Errors
    /// An outage.
    pub async fn are_whole(&self, owner: &Owner) -> Result<bool> {
        match self.of(owner) {
            Tables::Sqlite(file) => Ok(file.exists()),
            Tables::Postgres(schema) => schema.server().is_whole(schema.name()).await,
        }
    }

    /// What belongs to none of `owners`, and holds nothing.
    ///
    /// # Errors
    /// An outage; a directory that cannot be read.
    pub async fn leftovers(&self, owners: &[Owner]) -> Result<Vec<Leftover>> {
        match &self.place {
            Place::Directory(directory) => {
                let (directory, owners) = (directory.clone(), owners.to_vec());
                let found = tokio::task::spawn_blocking(move || empty_directories(&directory, &owners)).await;
                found.map_err(|error| Error::Outage(error.to_string()))?.map_err(|error| Error::Outage(error.to_string()))
            }
            Place::Server(server) => {
                let known: Vec<String> = owners.iter().map(|owner| owner.role(server.database())).collect();
                let mut left = Vec::new();
                for name in server.names().await? {
                    if !known.contains(&name) && server.is_empty(&name).await? {
                        left.push(Leftover { name });
                    }
                }
                Ok(left)
            }
        }
    }

    /// Removes what [`PluginTables::leftovers`] found.
    ///
    /// # Errors
    /// An outage; a directory that cannot be removed.
    pub async fn remove_leftover(&self, left: &Leftover) -> Result<()> {
        match &self.place {
            Place::Directory(directory) => {
                let removed = tokio::fs::remove_dir_all(directory.join(&left.name)).await;
                removed.map_err(|error| Error::Outage(format!("{}: {error}", left.name)))
            }
            Place::Server(server) => server.remove(&left.name).await,
        }
    }
}

/// Directories that are named like those of plugins, belong to none of `owners`, and have no table with anything in it.
fn empty_directories(directory: &Path, owners: &[Owner]) -> io::Result<Vec<Leftover>> {
    let mut left = Vec::new();
    for (tenant, of_tenant) in slugs(directory)? {
        for (plugin, of_plugin) in slugs(&of_tenant)? {
            let owner = Owner { tenant: tenant.clone(), plugin };
            if !owners.contains(&owner) && holds_nothing(&of_plugin) {
                left.push(Leftover { name: format!("{}/{}", owner.tenant, owner.plugin) });
            }
        }
    }
    left.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(left)
}

/// Directories whose names are slugs: an archive's is none.
fn slugs(directory: &Path) -> io::Result<Vec<(Slug, PathBuf)>> {
    let entries = match fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).and_then(|name| name.parse().ok());
        found.extend(name.filter(|_| path.is_dir()).map(|slug| (slug, path)));
    }
    Ok(found)
}

/// What cannot be read is not nothing.
fn holds_nothing(directory: &Path) -> bool {
    let file = directory.join("tables.sqlite");
    if !file.exists() {
        return fs::read_dir(directory).is_ok_and(|mut entries| entries.next().is_none());
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    let Ok(connection) = Connection::open_with_flags(&file, flags) else { return false };
    let count = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, i64>(0));
    let others = format!("select count(*) from sqlite_master where name not like 'sqlite_%' and name <> '{}'", ledger::TABLE);
    let noted = format!("select count(*) from sqlite_master where name = '{}'", ledger::TABLE);
    let rows = format!("select count(*) from {}", ledger::TABLE);
    count(&others).is_ok_and(|others| others == 0)
        && match count(&noted) {
            Ok(0) => true,
            Ok(_) => count(&rows).is_ok_and(|rows| rows == 0),
            Err(_) => false,
        }
}
