//! One entry of a zip, to a file.

use std::{
    fs::{self, OpenOptions},
    io::{Read, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

use mint_domain::Digest;
use sha2::{Digest as _, Sha256};

use crate::{Error, Result};

const BUFFER_BYTES: usize = 256 << 10;

/// What an entry is called, and how large it is said to be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Promise<'a> {
    pub(crate) name: &'a str,
    pub(crate) size: u64,
}

/// Writes what `source` gives of the file `archive` to its place in `directory`, where nothing stands yet, and gives its digest.
///
/// # Errors
/// [`Error::Altered`] when it is not as large as promised or cannot be unpacked; [`Error::Io`].
pub(crate) fn entry(source: impl Read, archive: &Path, promise: Promise<'_>, directory: &Path, mode: u32) -> Result<Digest> {
    let altered = || Error::Altered(promise.name.to_owned());
    let target = directory.join(promise.name);
    let parent = target.parent().unwrap_or(directory);
    fs::create_dir_all(parent).map_err(Error::io(parent))?;
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&target).map_err(Error::io(&target))?;
    let mut source = source.take(promise.size.saturating_add(1));
    let (mut hash, mut written, mut buffer) = (Sha256::new(), 0_u64, vec![0; BUFFER_BYTES]);
    loop {
        // What the disk says has a number; everything else is the zip reader's complaint about the entry.
        let count = source.read(&mut buffer).map_err(|error| match error.raw_os_error() {
            Some(_) => Error::io(archive)(error),
            None => altered(),
        })?;
        let chunk = buffer.get(..count).unwrap_or_default();
        if chunk.is_empty() {
            break;
        }
        hash.update(chunk);
        written += chunk.len() as u64;
        file.write_all(chunk).map_err(Error::io(&target))?;
    }
    if written != promise.size {
        return Err(altered());
    }
    file.sync_all().map_err(Error::io(&target))?;
    Ok(Digest::from_bytes(hash.finalize().into()))
}
