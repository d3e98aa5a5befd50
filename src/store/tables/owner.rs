//! Whose tables they are.

use std::path::{Path, PathBuf};

use mint_domain::Slug;
use sha2::{Digest as _, Sha256};

/// An installation, by names that outlive it: what was kept is found again when the plugin comes back.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Owner {
    /// Slug of the tenant.
    pub tenant: Slug,
    /// Slug of the plugin.
    pub plugin: Slug,
}

/// PostgreSQL cuts longer names off.
const READABLE_CHARS: usize = 32;

impl Owner {
    /// Its file in the directory of tables, in a directory of its own: SQLite makes further files beside it.
    pub(super) fn file(&self, directory: &Path) -> PathBuf {
        directory.join(self.tenant.as_str()).join(self.plugin.as_str()).join("tables.sqlite")
    }

    /// Name of its role and its schema: letters, digits and `_`. Roles are shared by all databases of a server, so the
    /// name depends on the database too.
    pub(super) fn role(&self, database: &str) -> String {
        let digest = Sha256::digest(format!("{database}\0{}\0{}", self.tenant, self.plugin));
        let readable: String = self.plugin.as_str().chars().take(READABLE_CHARS).collect();
        let digest: String = hex::encode(digest).chars().take(16).collect();
        format!("mint_{}_{digest}", readable.replace('-', "_"))
    }
}
