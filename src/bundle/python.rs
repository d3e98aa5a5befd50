//! What the wheels of an unpacked bundle say of themselves, read without unpacking them.

use std::{
    borrow::Cow,
    fs::{self, File},
    io::Read as _,
    path::Path,
};

use mint_domain::{
    Manifest,
    requirement::{BundledWheel, Lock, PythonParts, WheelMetadata, is_pure},
};
use zip::ZipArchive;

use crate::{Error, Result};

/// Bytes of a wheel's `METADATA`.
const METADATA_BYTES_MAX: u64 = 1 << 20;
/// Bytes of a lock.
const LOCK_BYTES_MAX: u64 = 4 << 20;
/// Requirements of all wheels and the lock together.
const REQUIREMENTS_MAX: usize = 2_000;

/// Reads the Python part of a bundle that was unpacked into `directory`; none where it has no wheels. Blocking.
///
/// # Errors
/// [`Error::Wheel`], [`Error::TooLarge`] or [`Error::Io`].
pub fn python_parts(directory: &Path, manifest: &Manifest) -> Result<Option<PythonParts>> {
    let Some(wheels) = &manifest.wheels else { return Ok(None) };
    let main = wheel(directory, &wheels.main)?;
    let dependencies = wheels.dependencies.iter().map(|entry| wheel(directory, entry)).collect::<Result<Vec<_>>>()?;
    let lock = wheels.requirements.as_ref().map(|entry| lock(directory, entry)).transpose()?;
    let parts = PythonParts { main, dependencies, lock };
    let in_wheels: usize = parts.wheels().map(|wheel| wheel.metadata.requires.len() + wheel.metadata.unusable.len()).sum();
    let in_lock = parts.lock.as_ref().map_or(0, |lock| lock.requirements.len() + lock.unusable.len());
    if in_wheels + in_lock > REQUIREMENTS_MAX {
        let max = REQUIREMENTS_MAX as u64;
        return Err(Error::TooLarge { what: "the list of Python requirements".to_owned(), max, unit: "requirements" });
    }
    Ok(Some(parts))
}

fn wheel(directory: &Path, entry: &str) -> Result<BundledWheel> {
    let broken = |why: String| Error::Wheel { entry: entry.to_owned(), why };
    let path = directory.join(entry);
    let file = File::open(&path).map_err(Error::io(&path))?;
    let mut archive = ZipArchive::new(file).map_err(|error| broken(format!("it is not a zip file ({error})")))?;
    let is_metadata =
        |name: &str| name.strip_suffix(".dist-info/METADATA").is_some_and(|stem| !stem.is_empty() && !stem.contains('/'));
    let found = archive.file_names().filter_map(|name| name.ok()).find(|name| is_metadata(name)).map(Cow::into_owned);
    let name = found.ok_or_else(|| broken("it has no `.dist-info/METADATA`".to_owned()))?;
    let mut bytes = Vec::new();
    let inside = archive.by_name(&name).map_err(|error| broken(error.to_string()))?;
    inside.take(METADATA_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(|error| broken(error.to_string()))?;
    if bytes.len() as u64 > METADATA_BYTES_MAX {
        return Err(Error::TooLarge { what: format!("METADATA of `{entry}`"), max: METADATA_BYTES_MAX, unit: "bytes" });
    }
    let metadata = WheelMetadata::parse(&String::from_utf8_lossy(&bytes)).map_err(|error| broken(error.to_string()))?;
    Ok(BundledWheel { entry: entry.to_owned(), is_pure: is_pure(entry), metadata })
}

fn lock(directory: &Path, entry: &str) -> Result<Lock> {
    let path = directory.join(entry);
    let length = fs::metadata(&path).map_err(Error::io(&path))?.len();
    if length > LOCK_BYTES_MAX {
        return Err(Error::TooLarge { what: format!("`{entry}`"), max: LOCK_BYTES_MAX, unit: "bytes" });
    }
    let bytes = fs::read(&path).map_err(Error::io(&path))?;
    Ok(Lock::parse(&String::from_utf8_lossy(&bytes)))
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Write as _};

    use serde_json::json;
    use zip::{ZipWriter, write::SimpleFileOptions};

    use super::*;

    fn archive(files: &[(&str, String)]) -> Vec<u8> {
        let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
        for (name, text) in files {
            archive.start_file(*name, SimpleFileOptions::default()).unwrap();
            archive.write_all(text.as_bytes()).unwrap();
        }
        archive.finish().unwrap().into_inner()
    }

    fn read(wheel: &[u8], lock: &str) -> Result<Option<PythonParts>> {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("x-1-py3-none-any.whl"), wheel).unwrap();
        fs::write(directory.path().join("requirements.txt"), lock).unwrap();
        let digest = mint_domain::Digest::of(b"");
        let manifest = json!({
            "format_version": 2, "plugin": { "slug": "x", "version": "1" },
            "wheels": { "main": "x-1-py3-none-any.whl", "requirements": "requirements.txt", "distribution": "x", "entry_point": "x" },
            "files": { "x-1-py3-none-any.whl": digest, "requirements.txt": digest },
        });
        python_parts(directory.path(), &Manifest::parse(manifest.to_string().as_bytes()).unwrap())
    }

    #[test]
    fn wheels_and_lock_are_read_where_they_are() {
        let vendored = ("x/vendored/y-2.dist-info/METADATA", "Name: y\nVersion: 2\n".to_owned());
        let own = ("x-1.dist-info/METADATA", "Name: x\nVersion: 1\nRequires-Dist: numpy\n".to_owned());
        let parts = read(&archive(&[vendored, own]), "numpy==2 --hash=sha256:00\n").unwrap().unwrap();
        assert_eq!((parts.main.metadata.name.as_str(), parts.main.is_pure), ("x", true));
        assert!(parts.main.metadata.requires_package("numpy"));
        assert_eq!(parts.lock.unwrap().requirements.len(), 1);
    }

    #[test]
    fn what_is_no_wheel_or_too_much_is_refused_by_name() {
        let metadata = |text: String| archive(&[("x-1.dist-info/METADATA", text)]);
        let fine = || metadata("Name: x\nVersion: 1\n".to_owned());
        for (wheel, lock, words) in [
            (b"not a zip".to_vec(), String::new(), "it is not a zip file"),
            (archive(&[("x.py", String::new())]), String::new(), "no `.dist-info/METADATA`"),
            (metadata("Name: x\n".to_owned()), String::new(), "no `Version`"),
            (metadata(format!("Name: x\nVersion: 1\n\n{}", " ".repeat(2 << 20))), String::new(), "larger than 1048576 bytes"),
            (fine(), "y==1\n".repeat(2_001), "larger than 2000 requirements"),
            (fine(), "#".repeat(5 << 20), "`requirements.txt` is larger than 4194304 bytes"),
        ] {
            let error = read(&wheel, &lock).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
    }
}
