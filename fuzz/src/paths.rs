//! Paths: whatever a client asks for, one plugin answers, and it is the one whose prefix begins the path as everybody reads it.

use mint_domain::{InstallationId, ObjectKey, Prefix, TenantId};
use mint_platform::routes::{Routes, is_below, is_plain};

const MOUNTS: &[&str] = &["/foo", "/foo-bar", "/foobar", "/foo/bar", "/a"];

/// Looks it up.
pub fn run(data: &[u8]) {
    let Ok(path) = std::str::from_utf8(data) else { return };
    let routes = Routes::<usize>::new();
    for (index, prefix) in MOUNTS.iter().enumerate() {
        routes.mount(TenantId(1), InstallationId(index as i64 + 1), &format!("/api{prefix}"), &index);
    }
    assert_eq!(routes.find(TenantId(2), path), None, "another laboratory's plugin");
    if let Some(prefix) = routes.find(TenantId(1), path).and_then(|index| MOUNTS.get(index)) {
        let public = format!("/api{prefix}");
        assert!(path == public || path.starts_with(&format!("{public}/")), "{path:?} is not below {public}");
        let longer = MOUNTS.iter().filter(|other| other.len() > prefix.len());
        assert!(longer.into_iter().all(|other| !is_below(path, &format!("/api{other}"))), "{path:?} is another's");
        if is_plain(path) {
            let decoded = decoded(path);
            assert!(decoded.starts_with(&public), "{path:?} reads as {decoded:?}");
            assert!(decoded.split('/').all(|segment| segment != "." && segment != ".."), "{path:?} leads elsewhere");
        }
    }
    if let Ok(prefix) = path.parse::<Prefix>() {
        assert!(is_plain(&prefix.public()), "{prefix:?} could never be asked for");
    }
    if let Ok(key) = path.parse::<ObjectKey>() {
        assert!(key.to_string().split('/').all(|part| !matches!(part, "" | "." | "..")), "{key}");
    }
}

/// As a careless server reads it: once.
fn decoded(path: &str) -> String {
    let (mut bytes, mut rest) = (Vec::new(), path.as_bytes());
    while let Some((first, after)) = rest.split_first() {
        let code = after.get(..2).and_then(|code| std::str::from_utf8(code).ok());
        match code.and_then(|code| u8::from_str_radix(code, 16).ok()) {
            Some(byte) if *first == b'%' => {
                bytes.push(byte);
                rest = &after[2..];
            }
            _ => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
