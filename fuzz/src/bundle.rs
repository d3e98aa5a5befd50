//! Bundles: whatever a file holds, it is refused by name or unpacked, and never beyond its directory and its bounds.

use std::{fs, path::Path};

use mint_bundle::{Bounds, Bundle};

const BYTES_MAX: u64 = 1 << 20;

/// Opens and unpacks it.
pub fn run(data: &[u8]) {
    let Ok(directory) = tempfile::tempdir() else { return };
    let file = directory.path().join("upload.mint");
    if fs::write(&file, data).is_err() {
        return;
    }
    let bounds = Bounds {
        bundle_bytes_max: BYTES_MAX,
        entries_max: 100,
        entry_bytes_max: BYTES_MAX,
        unpacked_bytes_max: BYTES_MAX,
        ratio_max: 100,
        ratio_floor_bytes: 1 << 10,
    };
    let Ok(bundle) = Bundle::open(&file, &bounds) else { return };
    let _prefix = bundle.manifest().prefix();
    let target = directory.path().join("release");
    let unpacked = bundle.unpack(&target);
    assert_eq!(unpacked.is_ok(), target.exists(), "what is refused leaves nothing");
    let entries = fs::read_dir(directory.path()).into_iter().flatten().flatten();
    let beside: Vec<_> = entries.map(|entry| entry.file_name()).collect();
    assert!(beside.iter().all(|name| name == "upload.mint" || name == "release"), "it was written elsewhere: {beside:?}");
    if unpacked.is_ok() {
        // The manifest is written anew, and is not counted.
        assert!(bytes_below(&target) <= 2 * BYTES_MAX + (8 << 20), "more than its bounds");
    }
}

fn bytes_below(directory: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(directory) else { return 0 };
    entries
        .flatten()
        .map(|entry| {
            let Ok(about) = fs::symlink_metadata(entry.path()) else { return 0 };
            assert!(!about.is_symlink(), "a link");
            if about.is_dir() { bytes_below(&entry.path()) } else { about.len() }
        })
        .sum()
}
