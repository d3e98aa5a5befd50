//! The route table: all mounts, read without a lock, swapped whole.

use std::collections::HashMap;

use arc_swap::ArcSwap;
use mint_domain::{InstallationId, TenantId};

/// A running installation's claim of a prefix.
#[derive(Clone, Debug)]
struct Mount<T> {
    /// `/api` and the prefix.
    public: String,
    installation: InstallationId,
    target: T,
}

/// Mounts of every tenant, longest prefix first.
#[derive(Debug)]
pub struct Routes<T> {
    table: ArcSwap<HashMap<TenantId, Vec<Mount<T>>>>,
}

impl<T: Clone> Routes<T> {
    /// No mounts.
    pub fn new() -> Self {
        Self { table: ArcSwap::from_pointee(HashMap::new()) }
    }

    /// What answers a path of a tenant: the mount with the longest prefix that ends at a segment's end.
    pub fn find(&self, tenant: TenantId, path: &str) -> Option<T> {
        let table = self.table.load();
        let mounts = table.get(&tenant)?;
        let mount = mounts.iter().find(|mount| is_below(path, &mount.public))?;
        Some(mount.target.clone())
    }

    /// Puts an installation in the place of its earlier mount, if any.
    pub fn mount(&self, tenant: TenantId, installation: InstallationId, public: &str, target: &T) {
        self.table.rcu(|table| {
            let mut table = HashMap::clone(table);
            let mounts = table.entry(tenant).or_default();
            mounts.retain(|mount| mount.installation != installation);
            mounts.push(Mount { public: public.to_owned(), installation, target: target.clone() });
            mounts.sort_by_key(|mount| std::cmp::Reverse(mount.public.len()));
            table
        });
    }

    /// Takes an installation's mount away.
    pub fn unmount(&self, tenant: TenantId, installation: InstallationId) {
        self.table.rcu(|table| {
            let mut table = HashMap::clone(table);
            if let Some(mounts) = table.get_mut(&tenant) {
                mounts.retain(|mount| mount.installation != installation);
            }
            table
        });
    }
}

impl<T: Clone> Default for Routes<T> {
    fn default() -> Self {
        Self::new()
    }
}

/// Whether a path belongs to a public prefix, which ends at a segment's end.
pub fn is_below(path: &str, public: &str) -> bool {
    path.strip_prefix(public).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Whether a raw path can be read in one way only: no dot segments, no encoded slashes, dots or backslashes, no empty
/// segments before the last.
pub fn is_plain(path: &str) -> bool {
    let escapes = path.as_bytes().windows(3).filter(|three| three.starts_with(b"%"));
    let is_hidden = |escape: &[u8]| [b"%2f", b"%5c", b"%2e", b"%00"].iter().any(|bad| escape.eq_ignore_ascii_case(*bad));
    let hidden = path.contains('\\') || escapes.into_iter().any(is_hidden);
    let mut segments = path.split('/').skip(1).peekable();
    let mut plain = path.starts_with('/') && !hidden;
    while let Some(segment) = segments.next() {
        // `;` begins path parameters, which some servers cut off before they look for dots.
        let name = segment.split(';').next().unwrap_or(segment);
        plain &= !matches!(name, "." | "..") && (!segment.is_empty() || segments.peek().is_none());
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_prefix_wins_and_tenants_are_apart() {
        let routes = Routes::new();
        let (a, b) = (TenantId(1), TenantId(2));
        routes.mount(a, InstallationId(1), "/api/foo", &"foo");
        routes.mount(a, InstallationId(2), "/api/foo/bar", &"bar");
        for (tenant, path, expected) in [
            (a, "/api/foo", Some("foo")),
            (a, "/api/foo/x", Some("foo")),
            (a, "/api/foo/bar", Some("bar")),
            (a, "/api/foo/bar/x", Some("bar")),
            (a, "/api/foobar", None),
            (a, "/api", None),
            (b, "/api/foo", None),
        ] {
            assert_eq!(routes.find(tenant, path), expected, "{path}");
        }
        routes.mount(a, InstallationId(1), "/api/moved", &"moved");
        assert_eq!(routes.find(a, "/api/foo/x"), None);
        routes.unmount(a, InstallationId(2));
        assert_eq!(routes.find(a, "/api/foo/bar"), None);
    }

    #[test]
    fn paths_that_two_readers_could_read_differently() {
        for good in ["/api/x", "/api/x/", "/api/x/a.b", "/api/x/%20", "/api/x/..a"] {
            assert!(is_plain(good), "{good}");
        }
        for bad in
            ["/api/x/../y", "/api/x/..;/y", "/api/x/%2e%2e/y", "/api/x/%2Fy", "/api//x", "/api/x/.", "/a\\b", "x", "/api/x/%5c"]
        {
            assert!(!is_plain(bad), "{bad}");
        }
    }
}
