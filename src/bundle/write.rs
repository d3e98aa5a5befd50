//! Writing a bundle.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use mint_domain::{Digest, Manifest};
use sha2::{Digest as _, Sha256};
use zip::{CompressionMethod, DateTime, ZipWriter, write::SimpleFileOptions};

use crate::{Error, Result};

/// Writes a bundle of `files` (entry name, path on disk) to `path`, filling in the hashes of the manifest. The same
/// input gives the same bytes. Gives the digest of the bundle.
///
/// # Errors
/// A file that cannot be read or written; a manifest that names an entry which is not among `files`.
pub fn write(path: &Path, mut manifest: Manifest, files: impl IntoIterator<Item = (String, PathBuf)>) -> Result<Digest> {
    let mut files: Vec<(String, PathBuf)> = files.into_iter().collect();
    files.sort();
    manifest.files.clear();
    for (name, source) in &files {
        let mut hash = Sha256::new();
        let mut file = File::open(source).map_err(Error::io(source))?;
        io::copy(&mut file, &mut hash).map_err(Error::io(source))?;
        manifest.files.insert(name.clone(), Digest::from_bytes(hash.finalize().into()));
    }
    let json = serde_json::to_vec_pretty(&manifest).map_err(|e| Error::Layout(e.to_string()))?;
    // Whatever could not be read back is refused here, where the author sees it.
    Manifest::parse(&json)?;

    let partial = path.with_extension("mint.partial");
    let mut zip = ZipWriter::new(File::create(&partial).map_err(Error::io(&partial))?);
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .last_modified_time(DateTime::default())
        .unix_permissions(0o644);
    zip.start_file("manifest.json", options)?;
    zip.write_all(&json).map_err(Error::io(&partial))?;
    for (name, source) in &files {
        zip.start_file(name, options)?;
        let mut file = File::open(source).map_err(Error::io(source))?;
        io::copy(&mut file, &mut zip).map_err(Error::io(source))?;
    }
    let file = zip.finish()?;
    file.sync_all().map_err(Error::io(&partial))?;
    fs::rename(&partial, path).map_err(Error::io(path))?;
    let bytes = fs::read(path).map_err(Error::io(path))?;
    Ok(Digest::of(&bytes))
}
