//! Reading an archive, which may come from anywhere. Blocks.

use std::{
    fs::{self, File},
    io::Read as _,
    path::{Path, PathBuf},
};

use mint_domain::Digest;
use serde::de::DeserializeOwned;
use zip::ZipArchive;

use super::{
    contents::{CONTENTS, CONTENTS_BYTES_MAX, Contents, Entry, FORMAT, VERSION},
    write,
};
use crate::{
    Error, Result,
    layout::bad_name,
    unpack::{self, Promise},
};

/// An archive whose table of contents was read. Its entries are checked while they are unpacked.
#[derive(Debug)]
pub struct Archive<T> {
    path: PathBuf,
    zip: ZipArchive<File>,
    entries: Vec<Entry>,
    /// What it is about.
    pub about: T,
}

impl<T: DeserializeOwned> Archive<T> {
    /// Opens an archive. Unpacked, it may have `unpacked_bytes_max`; `digest` is that of the file, where it is known.
    ///
    /// # Errors
    /// Whatever is wrong with it, by name.
    pub fn open(path: &Path, digest: Option<Digest>, unpacked_bytes_max: u64) -> Result<Self> {
        if let Some(known) = digest
            && write::digest(path)?.0 != known
        {
            return Err(Error::Layout("it was altered or damaged since it was written".to_owned()));
        }
        let mut zip = ZipArchive::new(File::open(path).map_err(Error::io(path))?)?;
        let mut json = Vec::new();
        let contents = zip.by_name(CONTENTS).map_err(|_| Error::Layout(format!("it has no {CONTENTS}")))?;
        let read = contents.take(CONTENTS_BYTES_MAX + 1).read_to_end(&mut json);
        read.map_err(|error| Error::Layout(format!("{CONTENTS} cannot be unpacked: {error}")))?;
        if json.len() as u64 > CONTENTS_BYTES_MAX {
            return Err(Error::TooLarge { what: CONTENTS.to_owned(), max: CONTENTS_BYTES_MAX, unit: "bytes" });
        }
        let unreadable = |error: serde_json::Error| Error::Layout(format!("{CONTENTS} cannot be read: {error}"));
        let head: Contents<serde::de::IgnoredAny> = serde_json::from_slice(&json).map_err(unreadable)?;
        if head.format != FORMAT || head.version != VERSION {
            let found = format!("it is `{}` {}, and this server reads `{FORMAT}` {VERSION}", head.format, head.version);
            return Err(Error::Layout(found));
        }
        let Contents { entries, about, .. } = serde_json::from_slice::<Contents<T>>(&json).map_err(unreadable)?;
        if entries.len() + 1 != zip.len() {
            return Err(Error::Layout("its entries are not those of its table of contents".to_owned()));
        }
        for entry in &entries {
            if let Some(why) = bad_name(&entry.name) {
                return Err(Error::Name { name: entry.name.escape_debug().to_string(), why });
            }
        }
        let total = entries.iter().fold(0_u64, |total, entry| total.saturating_add(entry.size));
        if total > unpacked_bytes_max {
            return Err(Error::TooLarge { what: "what is in it".to_owned(), max: unpacked_bytes_max, unit: "bytes" });
        }
        Ok(Self { path: path.to_owned(), zip, entries, about })
    }

    /// Bytes of all entries, unpacked.
    pub fn unpacked_bytes(&self) -> u64 {
        self.entries.iter().map(|entry| entry.size).sum()
    }

    /// Writes every entry into `directory`, which must not exist, and gives what the archive is about.
    ///
    /// # Errors
    /// [`Error::Altered`] for an entry that is not what the table of contents says; [`Error::Io`].
    pub fn unpack(mut self, directory: &Path) -> Result<T> {
        fs::create_dir(directory).map_err(Error::io(directory))?;
        for entry in std::mem::take(&mut self.entries) {
            let unknown = |_| Error::Mismatch(entry.name.clone(), "listed, but missing");
            let source = self.zip.by_name(&entry.name).map_err(unknown)?;
            let promise = Promise { name: &entry.name, size: entry.size };
            if unpack::entry(source, &self.path, promise, directory, 0o600)? != entry.sha256 {
                return Err(Error::Altered(entry.name));
            }
        }
        Ok(self.about)
    }
}
