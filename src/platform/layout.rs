//! Where things stand on disk.
//!
//! ```text
//! <data>/mint.sqlite            the database, unless it is elsewhere
//! <data>/objects/               files of experiments, unless the storage is elsewhere
//! <data>/bundles/<digest>.mint  bundles, unless the storage is elsewhere
//! <data>/releases/<digest>/     unpacked bundles; never change
//! <data>/releases/<digest>.frontend/{files/,revision}   what browsers get of them; never change
//! <data>/plugin-data/<tenant>/<slug>/{artifacts,cache}/
//! <data>/plugin-data/<tenant>/archived_<timestamp>_<slug>/   of a plugin that was removed; likewise below plugin-tables
//! <data>/plugin-tables/<tenant>/<slug>.sqlite   tables of plugins, unless the database is PostgreSQL
//! <data>/snapshots/             what installations held at some instant: an archive each, unless the storage is elsewhere
//! <data>/setup-link             how the first administrator is made, while there is nobody
//! <data>/_uploads/              bundles on their way in; emptied at start
//! <cache>/                      compiled components and venvs; may be deleted at any time
//! ```

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use mint_domain::{Digest, Slug};

/// How the directory of a release's front-end ends, which else is named like the release's own.
pub(crate) const FRONTEND: &str = ".frontend";

/// Files of experiments, in the storage.
pub const OBJECTS: &str = "objects";
/// Bundles, in the storage.
pub const BUNDLES: &str = "bundles";
/// Snapshots of installations, in the storage.
pub const SNAPSHOTS: &str = "snapshots";

/// The data directory of one installation of the platform.
#[derive(Clone, Debug)]
pub struct Layout {
    data: PathBuf,
}

impl Layout {
    /// The layout of a data directory as it is.
    pub fn at(data: &Path) -> Self {
        Self { data: data.to_owned() }
    }

    /// Makes the directories that are missing and empties the uploads.
    ///
    /// # Errors
    /// A directory cannot be made.
    pub fn prepare(data: &Path) -> io::Result<Self> {
        let layout = Self::at(data);
        match fs::remove_dir_all(layout.uploads()) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        for directory in [layout.uploads(), layout.releases()] {
            fs::create_dir_all(directory)?;
        }
        Ok(layout)
    }

    /// Bundles on their way in.
    pub fn uploads(&self) -> PathBuf {
        self.data.join("_uploads")
    }

    /// All of it.
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// An unpacked bundle.
    pub fn release(&self, digest: &Digest) -> PathBuf {
        self.releases().join(digest.hex())
    }

    /// The front-end of a release, where it has one.
    pub fn frontend(&self, digest: &Digest) -> PathBuf {
        self.releases().join(format!("{}{FRONTEND}", digest.hex()))
    }

    /// Whether a release has a front-end.
    pub fn has_frontend(&self, digest: &Digest) -> bool {
        self.frontend(digest).is_dir()
    }

    /// The directory of an installation's own.
    pub fn plugin_data(&self, tenant: &Slug, plugin: &str) -> PathBuf {
        self.plugin_data_of(tenant).join(plugin)
    }

    /// Where those of a tenant stand.
    pub fn plugin_data_of(&self, tenant: &Slug) -> PathBuf {
        self.all_plugin_data().join(tenant.as_str())
    }

    /// Where the directories of installations' own stand, by tenant.
    pub fn all_plugin_data(&self) -> PathBuf {
        self.data.join("plugin-data")
    }

    /// Where the tables of plugins stand.
    pub fn plugin_tables(&self) -> PathBuf {
        self.data.join("plugin-tables")
    }

    /// Where unpacked bundles stand.
    pub fn releases(&self) -> PathBuf {
        self.data.join("releases")
    }
}
