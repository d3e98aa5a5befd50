//! Bundles as an attacker would make them.

use std::{fs, io::Write as _, path::PathBuf};

use mint_domain::{Digest, Manifest};
use serde_json::json;
use tempfile::TempDir;
use zip::{CompressionMethod, ZipWriter, write::SimpleFileOptions};

use crate::{Bounds, Bundle, Error, write};

fn manifest_for(files: &[(&str, &[u8])]) -> Vec<u8> {
    let hashes: serde_json::Map<_, _> =
        files.iter().map(|(name, bytes)| ((*name).to_owned(), json!(Digest::of(bytes).to_string()))).collect();
    json!({"format_version": 2, "plugin": {"slug": "x", "version": "1"}, "component": "plugin.wasm", "files": hashes})
        .to_string()
        .into_bytes()
}

struct Case {
    directory: TempDir,
}

impl Case {
    fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap() }
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("x.mint")
    }

    fn zip(&self, entries: &[(&str, &[u8])]) -> PathBuf {
        let mut zip = ZipWriter::new(fs::File::create(self.path()).unwrap());
        for (name, bytes) in entries {
            zip.start_file(name, SimpleFileOptions::default().compression_method(CompressionMethod::Deflated)).unwrap();
            zip.write_all(bytes).unwrap();
        }
        zip.finish().unwrap();
        self.path()
    }

    fn open(&self) -> Result<Bundle, Error> {
        Bundle::open(&self.path(), &Bounds::default())
    }

    fn refusal(&self) -> String {
        match self.open().and_then(|bundle| bundle.unpack(&self.directory.path().join("out"))) {
            Ok(()) => panic!("the bundle was taken"),
            Err(error) => {
                assert!(!self.directory.path().join("out").exists(), "a half-unpacked directory is left");
                error.to_string()
            }
        }
    }
}

#[test]
fn what_is_written_is_read_and_the_same_input_gives_the_same_bytes() {
    let case = Case::new();
    let component = case.directory.path().join("c");
    fs::write(&component, b"\0asm").unwrap();
    let manifest = Manifest::parse(&manifest_for(&[("plugin.wasm", b"")])).unwrap();
    let files = || [("plugin.wasm".to_owned(), component.clone())];
    let first = write(&case.path(), manifest.clone(), files()).unwrap();
    let second = write(&case.path(), manifest, files()).unwrap();
    assert_eq!(first, second);
    let bundle = case.open().unwrap();
    assert_eq!(bundle.digest(), first);
    let out = case.directory.path().join("out");
    bundle.unpack(&out).unwrap();
    assert_eq!(fs::read(out.join("plugin.wasm")).unwrap(), b"\0asm");
}

#[test]
fn hostile_bundles_are_refused_by_name() {
    let good: &[(&str, &[u8])] = &[("plugin.wasm", b"x")];
    let manifest = manifest_for(good);
    let mut table = Vec::new();
    let mut refuse = |label: &str, entries: &[(&str, &[u8])]| {
        let case = Case::new();
        case.zip(entries);
        table.push(format!("{label}: {}", case.refusal()));
    };
    refuse("no manifest", &[("plugin.wasm", b"x")]);
    refuse("parent", &[("manifest.json", &manifest), ("../x", b"x")]);
    refuse("absolute", &[("manifest.json", &manifest), ("/etc/x", b"x")]);
    refuse("backslash", &[("manifest.json", &manifest), ("a\\b", b"x")]);
    refuse("case", &[("manifest.json", &manifest), ("plugin.wasm", b"x"), ("Plugin.wasm", b"x")]);
    refuse("missing", &[("manifest.json", &manifest)]);
    refuse("unlisted", &[("manifest.json", &manifest), ("plugin.wasm", b"x"), ("more", b"x")]);
    refuse("altered", &[("manifest.json", &manifest), ("plugin.wasm", b"y")]);
    refuse("ratio", &[("manifest.json", &manifest), ("plugin.wasm", &vec![0; 40 << 20])]);
    refuse("manifest too large", &[("manifest.json", &vec![b' '; 2 << 20])]);
    insta::assert_snapshot!(table.join("\n"));
}

#[test]
fn symlinks_and_directories_are_refused() {
    let manifest = manifest_for(&[("plugin.wasm", b"x")]);
    for kind in ["symlink", "directory"] {
        let case = Case::new();
        let mut zip = ZipWriter::new(fs::File::create(case.path()).unwrap());
        zip.start_file("manifest.json", SimpleFileOptions::default()).unwrap();
        zip.write_all(&manifest).unwrap();
        match kind {
            "symlink" => zip.add_symlink("plugin.wasm", "/etc/passwd", SimpleFileOptions::default()).unwrap(),
            _ => zip.add_directory("wheels", SimpleFileOptions::default()).unwrap(),
        }
        zip.finish().unwrap();
        let refusal = case.refusal();
        assert!(refusal.contains("only plain files") || refusal.contains("relative path"), "{kind}: {refusal}");
    }
}

#[test]
fn bytes_around_the_zip_are_refused() {
    let manifest = manifest_for(&[("plugin.wasm", b"x")]);
    let case = Case::new();
    let path = case.zip(&[("manifest.json", &manifest), ("plugin.wasm", b"x")]);
    let bytes = fs::read(&path).unwrap();
    assert!(case.open().is_ok());
    for changed in
        [[b"prefix".as_slice(), &bytes].concat(), [&bytes, b"suffix".as_slice()].concat(), bytes[..bytes.len() - 3].to_vec()]
    {
        fs::write(&path, changed).unwrap();
        case.refusal();
    }
}

proptest::proptest! {
    #[test]
    fn a_damaged_bundle_never_panics(position in 0_usize..400, value: u8) {
        let manifest = manifest_for(&[("plugin.wasm", b"x")]);
        let case = Case::new();
        let path = case.zip(&[("manifest.json", &manifest), ("plugin.wasm", b"x")]);
        let mut bytes = fs::read(&path).unwrap();
        let position = position % bytes.len();
        bytes[position] = value;
        fs::write(&path, bytes).unwrap();
        if let Ok(bundle) = case.open() {
            let out = case.directory.path().join("out");
            let _ = bundle.unpack(&out);
        }
    }
}
