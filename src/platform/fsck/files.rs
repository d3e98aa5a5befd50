//! What a directory holds, compared with what it should hold. Blocking.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io,
    path::Path,
};

use mint_domain::{Digest, Manifest};
use sha2::{Digest as _, Sha256};

/// Every file under a directory by its path in it, with its digest.
pub(super) fn tree(directory: &Path) -> io::Result<BTreeMap<String, Digest>> {
    fn walk(directory: &Path, prefix: &str, found: &mut BTreeMap<String, Digest>) -> io::Result<()> {
        for entry in fs::read_dir(directory)? {
            let entry = entry?;
            let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
            if entry.file_type()?.is_dir() {
                walk(&entry.path(), &format!("{name}/"), found)?;
            } else {
                found.insert(name, digest(&entry.path())?);
            }
        }
        Ok(())
    }
    let mut found = BTreeMap::new();
    walk(directory, "", &mut found)?;
    Ok(found)
}

/// The digest of a file.
pub(super) fn digest(file: &Path) -> io::Result<Digest> {
    let mut hash = Sha256::new();
    io::copy(&mut File::open(file)?, &mut hash)?;
    Ok(Digest::from_bytes(hash.finalize().into()))
}

/// What is wrong with an unpacked release; none where it is as its manifest says.
pub(super) fn damage(directory: &Path, manifest: &Manifest) -> io::Result<Option<String>> {
    for (name, promised) in &manifest.files {
        match digest(&directory.join(name)) {
            Ok(found) if found == *promised => {}
            Ok(_) => return Ok(Some(format!("`{name}` was changed"))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Some(format!("`{name}` is gone"))),
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}
