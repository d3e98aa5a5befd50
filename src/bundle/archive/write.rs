//! Writing an archive, entry after entry. Blocks.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read as _, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use mint_domain::Digest;
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use zip::{CompressionMethod, DateTime, ZipWriter, write::SimpleFileOptions};

use super::contents::{Contents, Entry, Form, SNAPSHOT, VERSION};
use crate::{Error, Result};

/// An archive on its way to the disk.
#[derive(Debug)]
pub struct ArchiveWriter {
    path: PathBuf,
    form: Form,
    zip: ZipWriter<File>,
    entries: Vec<Entry>,
    hash: Sha256,
    size: u64,
}

/// A finished archive.
#[derive(Clone, Copy, Debug)]
pub struct Written {
    /// SHA-256 of the file.
    pub digest: Digest,
    /// Its bytes.
    pub bytes: u64,
}

impl ArchiveWriter {
    /// Begins one of an installation at `path`, where nothing may stand yet. Only the platform's user can read it.
    ///
    /// # Errors
    /// The file cannot be made.
    pub fn create(path: &Path) -> Result<Self> {
        Self::create_as(path, SNAPSHOT)
    }

    /// Begins one of something.
    ///
    /// # Errors
    /// The file cannot be made.
    pub fn create_as(path: &Path, form: Form) -> Result<Self> {
        let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(path).map_err(Error::io(path))?;
        Ok(Self { path: path.to_owned(), form, zip: ZipWriter::new(file), entries: Vec::new(), hash: Sha256::new(), size: 0 })
    }

    /// Begins an entry, and ends the one before.
    ///
    /// # Errors
    /// The disk's.
    pub fn entry(&mut self, name: &str) -> Result<()> {
        self.end_entry();
        self.zip.start_file(name, options()).map_err(|error| self.failed(error))?;
        self.entries.push(Entry { name: name.to_owned(), size: 0, sha256: Digest::of(b"") });
        Ok(())
    }

    /// Adds to the entry that was begun last.
    ///
    /// # Errors
    /// The disk's.
    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.zip.write_all(bytes).map_err(Error::io(&self.path))?;
        self.hash.update(bytes);
        self.size += bytes.len() as u64;
        Ok(())
    }

    /// Writes the table of contents with what the archive is about, and waits until all of it is on the disk.
    ///
    /// # Errors
    /// The disk's.
    pub fn finish<T: Serialize>(mut self, about: T) -> Result<Written> {
        self.end_entry();
        let entries = std::mem::take(&mut self.entries);
        let contents = Contents { format: self.form.format.to_owned(), version: VERSION, entries, about };
        let json = serde_json::to_vec(&contents).map_err(|error| Error::Layout(error.to_string()))?;
        self.zip.start_file(self.form.contents, options()).map_err(|error| self.failed(error))?;
        self.zip.write_all(&json).map_err(Error::io(&self.path))?;
        let path = self.path.clone();
        let file = self.zip.finish().map_err(|error| failed(&path, error))?;
        file.sync_all().map_err(Error::io(&path))?;
        let (digest, bytes) = digest(&path)?;
        Ok(Written { digest, bytes })
    }

    fn end_entry(&mut self) {
        if let Some(entry) = self.entries.last_mut() {
            entry.size = std::mem::take(&mut self.size);
            entry.sha256 = Digest::from_bytes(std::mem::take(&mut self.hash).finalize().into());
        }
    }

    fn failed(&self, error: zip::result::ZipError) -> Error {
        failed(&self.path, error)
    }
}

/// What the disk said stays recognisable: whoever asks may be told that it is full.
fn failed(path: &Path, error: zip::result::ZipError) -> Error {
    match error {
        zip::result::ZipError::Io(error) => Error::io(path)(error),
        other => Error::Zip(other),
    }
}

fn options() -> SimpleFileOptions {
    SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .compression_level(Some(1))
        .large_file(true)
        .last_modified_time(DateTime::default())
        .unix_permissions(0o600)
}

/// SHA-256 of a file, and its bytes.
///
/// # Errors
/// It cannot be read.
pub fn digest(path: &Path) -> Result<(Digest, u64)> {
    let mut file = File::open(path).map_err(Error::io(path))?;
    let (mut hash, mut total, mut buffer) = (Sha256::new(), 0, vec![0; 256 << 10]);
    loop {
        let count = match file.read(&mut buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            read => read.map_err(Error::io(path))?,
        };
        let chunk = buffer.get(..count).unwrap_or_default();
        if chunk.is_empty() {
            return Ok((Digest::from_bytes(hash.finalize().into()), total));
        }
        hash.update(chunk);
        total += count as u64;
    }
}
