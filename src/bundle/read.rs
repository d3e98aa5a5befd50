//! Reading a bundle.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::{self, Read, Seek as _},
    path::{Path, PathBuf},
};

use mint_domain::{Digest, Manifest, manifest::MANIFEST_BYTES_MAX};
use sha2::{Digest as _, Sha256};
use zip::ZipArchive;

use crate::{
    Error, Result,
    layout::{self, Entry},
    unpack::{self, Promise},
};

const MANIFEST: &str = "manifest.json";

/// How large a bundle may be.
#[derive(Clone, Debug)]
pub struct Bounds {
    /// Bytes of the file.
    pub bundle_bytes_max: u64,
    /// Entries.
    pub entries_max: usize,
    /// Bytes of one entry, unpacked.
    pub entry_bytes_max: u64,
    /// Bytes of all entries, unpacked.
    pub unpacked_bytes_max: u64,
    /// Unpacked over packed bytes of one entry.
    pub ratio_max: u64,
    /// Entries up to this size may have any ratio.
    pub ratio_floor_bytes: u64,
}

impl Default for Bounds {
    fn default() -> Self {
        const MIB: u64 = 1 << 20;
        Self {
            bundle_bytes_max: 512 * MIB,
            entries_max: 11_000,
            entry_bytes_max: 512 * MIB,
            unpacked_bytes_max: 1_024 * MIB,
            ratio_max: 200,
            ratio_floor_bytes: MIB,
        }
    }
}

/// A bundle whose form and manifest were checked. Its entries are checked while they are unpacked.
#[derive(Debug)]
pub struct Bundle {
    path: PathBuf,
    digest: Digest,
    manifest: Manifest,
    archive: ZipArchive<File>,
    entries: Vec<Entry>,
}

impl Bundle {
    /// Opens a bundle and reads its manifest.
    ///
    /// # Errors
    /// Whatever is wrong with it, by name.
    pub fn open(path: &Path, bounds: &Bounds) -> Result<Self> {
        let mut file = File::open(path).map_err(Error::io(path))?;
        let file_bytes = file.metadata().map_err(Error::io(path))?.len();
        if file_bytes > bounds.bundle_bytes_max {
            return Err(Error::TooLarge { what: "the bundle".to_owned(), max: bounds.bundle_bytes_max, unit: "bytes" });
        }
        let mut hash = Sha256::new();
        io::copy(&mut file, &mut hash).map_err(Error::io(path))?;
        file.rewind().map_err(Error::io(path))?;
        let mut archive = ZipArchive::new(file.try_clone().map_err(Error::io(path))?)?;
        let mut entries = layout::entries(&mut archive, &mut file, file_bytes, bounds)?;
        let at = entries.iter().position(|entry| entry.name == MANIFEST).ok_or(Error::NoManifest)?;
        let manifest = read_manifest(&mut archive, &entries.remove(at))?;
        check_entries(&manifest, &entries)?;
        Ok(Self { path: path.to_owned(), digest: Digest::from_bytes(hash.finalize().into()), manifest, archive, entries })
    }

    /// SHA-256 of the whole file: what the release is known by.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// What the bundle says of itself.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Writes every entry into `directory`, which must not exist. On an error it is removed again.
    ///
    /// # Errors
    /// [`Error::Altered`] for an entry that is not what the manifest says; [`Error::Io`].
    pub fn unpack(mut self, directory: &Path) -> Result<()> {
        fs::create_dir(directory).map_err(Error::io(directory))?;
        let unpacked = self.unpack_into(directory);
        if unpacked.is_err() {
            // The first error is the one to tell; a leftover is swept with the staging directory.
            let _ = fs::remove_dir_all(directory);
        }
        unpacked
    }

    fn unpack_into(&mut self, directory: &Path) -> Result<()> {
        for entry in &self.entries {
            let source = self.archive.by_index(entry.index)?;
            let promise = Promise { name: &entry.name, size: entry.size };
            // Others read what of it runs: plugins have users of their own.
            let digest = unpack::entry(source, &self.path, promise, directory, 0o666)?;
            if self.manifest.files.get(&entry.name).is_some_and(|promised| *promised != digest) {
                return Err(Error::Altered(entry.name.clone()));
            }
        }
        let manifest = directory.join(MANIFEST);
        let json = serde_json::to_vec_pretty(&self.manifest).map_err(|e| Error::Layout(e.to_string()))?;
        fs::write(&manifest, json).map_err(Error::io(&manifest))
    }
}

fn read_manifest(archive: &mut ZipArchive<File>, entry: &Entry) -> Result<Manifest> {
    if entry.size > MANIFEST_BYTES_MAX {
        return Err(Error::TooLarge { what: MANIFEST.to_owned(), max: MANIFEST_BYTES_MAX, unit: "bytes" });
    }
    let mut json = Vec::new();
    archive
        .by_index(entry.index)?
        .take(MANIFEST_BYTES_MAX)
        .read_to_end(&mut json)
        .map_err(|e| Error::Layout(format!("manifest.json cannot be unpacked: {e}")))?;
    Ok(Manifest::parse(&json)?)
}

/// What the manifest names is there, and in our own format nothing else is.
fn check_entries(manifest: &Manifest, entries: &[Entry]) -> Result<()> {
    let present: BTreeSet<&str> = entries.iter().map(|entry| entry.name.as_str()).collect();
    let named = manifest.entries().into_iter().chain(manifest.files.keys().map(String::as_str));
    for name in named {
        if !present.contains(name) {
            return Err(Error::Mismatch(name.to_owned(), "named in the manifest, but missing"));
        }
    }
    if manifest.format_version >= 2
        && let Some(extra) = present.iter().find(|name| !manifest.files.contains_key(**name))
    {
        return Err(Error::Mismatch((*extra).to_owned(), "not listed under `files` in the manifest"));
    }
    Ok(())
}
