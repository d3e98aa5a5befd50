//! Bundles of the guests, built before the tests by `cargo xtask guests`, and variants of them.

use std::path::{Path, PathBuf};

use mint_bundle::{Bounds, Bundle};
use mint_domain::Manifest;
use serde_json::Value;
use tempfile::TempDir;

/// A guest's bundle, with the directory that a variant stands in.
#[derive(Debug)]
pub struct Guest {
    /// The file.
    pub path: PathBuf,
    _directory: Option<TempDir>,
}

impl Guest {
    /// A file that the test wrote itself, and keeps.
    pub fn at(path: PathBuf) -> Self {
        Self { path, _directory: None }
    }
}

/// The bundle of a guest of this repository.
pub fn bundle(guest: &str) -> Guest {
    let directory = std::env::var("MINT_GUESTS_DIR").expect("MINT_GUESTS_DIR is not set: run the tests with `cargo xtask test`");
    let path = Path::new(&directory).join(format!("{guest}.mint"));
    assert!(path.is_file(), "{} is missing: run the tests with `cargo xtask test`", path.display());
    Guest { path, _directory: None }
}

/// A bundle of `files` (entry name, bytes) whose manifest is `manifest` without hashes.
pub fn manifest(manifest: Value, files: &[(&str, &[u8])]) -> Guest {
    let directory = tempfile::tempdir().expect("temporary directory");
    let mut manifest = manifest;
    manifest["format_version"] = 2.into();
    manifest["files"] =
        files.iter().map(|(name, _)| ((*name).to_owned(), Value::from(mint_domain::Digest::of(b"").to_string()))).collect();
    let parsed = Manifest::parse(manifest.to_string().as_bytes()).expect("manifest");
    let paths = files.iter().map(|(name, bytes)| {
        let path = directory.path().join(name.replace('/', "_"));
        std::fs::write(&path, bytes).expect("write");
        ((*name).to_owned(), path)
    });
    let path = directory.path().join("bundle.mint");
    mint_bundle::write(&path, parsed, paths.collect::<Vec<_>>()).expect("bundle");
    Guest { path, _directory: Some(directory) }
}

/// A guest's bundle with another manifest, such as another slug or instance policy.
pub fn repackaged(guest: &Guest, change: impl FnOnce(&mut Value)) -> Guest {
    let directory = tempfile::tempdir().expect("temporary directory");
    let opened = Bundle::open(&guest.path, &Bounds::default()).expect("bundle");
    let mut value = serde_json::to_value(opened.manifest()).expect("manifest");
    let unpacked = directory.path().join("unpacked");
    opened.unpack(&unpacked).expect("unpack");
    change(&mut value);
    let parsed = Manifest::parse(value.to_string().as_bytes()).expect("changed manifest");
    let files: Vec<_> = parsed.files.keys().map(|name| (name.clone(), unpacked.join(name))).collect();
    let path = directory.path().join("bundle.mint");
    mint_bundle::write(&path, parsed, files).expect("bundle");
    Guest { path, _directory: Some(directory) }
}
