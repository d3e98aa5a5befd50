//! What a build in the sandbox has made, for all plugins' users to read.

use std::{
    fs::{self, Permissions},
    io,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _, lchown},
    path::Path,
};

/// What an owner may read and run, everybody may, with everything beneath; and it belongs to the server's user. Links are
/// left as they are. Blocks.
pub(crate) fn open_up(path: &Path) -> io::Result<()> {
    let metadata = fs::symlink_metadata(path)?;
    let (user, group) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    if metadata.uid() != user {
        lchown(path, Some(user), Some(group))?;
    }
    if metadata.is_symlink() {
        return Ok(());
    }
    let own = metadata.mode() & 0o500;
    fs::set_permissions(path, Permissions::from_mode(metadata.mode() & 0o777 | own >> 3 | own >> 6))?;
    if metadata.is_dir() {
        for entry in fs::read_dir(path)? {
            open_up(&entry?.path())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_closed_is_open_and_what_a_link_leads_to_is_not() {
        let root = tempfile::tempdir().unwrap();
        let (made, secret) = (root.path().join("made"), root.path().join("secret"));
        fs::create_dir(&made).unwrap();
        for (path, mode) in [(made.join("program"), 0o700), (made.join("text"), 0o600), (secret.clone(), 0o600)] {
            fs::write(&path, "").unwrap();
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        }
        std::os::unix::fs::symlink(&secret, made.join("link")).unwrap();
        fs::set_permissions(&made, Permissions::from_mode(0o700)).unwrap();
        open_up(&made).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o777;
        assert_eq!((mode(&made), mode(&made.join("program")), mode(&made.join("text"))), (0o755, 0o755, 0o644));
        assert_eq!(mode(&secret), 0o600);
    }
}
