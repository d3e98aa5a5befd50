//! Paths inside of addresses.

use std::{os::unix::ffi::OsStrExt as _, path::Path};

/// A path with every byte that means something in an address written as `%` and its number.
pub(crate) fn encoded(path: &Path) -> String {
    let mut text = String::new();
    for byte in path.as_os_str().as_bytes() {
        match byte {
            b'/' | b'.' | b'-' | b'_' | b'~' | b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' => text.push(char::from(*byte)),
            other => text.push_str(&format!("%{other:02X}")),
        }
    }
    text
}
