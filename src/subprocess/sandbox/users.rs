//! User ids of their own for plugins, where the server runs as root and has a range of them to give.
//!
//! Which id an installation has stands in the owner of its directory, and nowhere else.

use std::{
    collections::BTreeSet,
    fs::{self, Permissions},
    io,
    os::unix::fs::{MetadataExt, PermissionsExt, lchown},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use rustix::process::Uid;

use super::{Allowance, UserRange};

/// Gives out user ids.
#[derive(Debug)]
pub(super) struct Users {
    range: UserRange,
    /// Held while a free one is looked for.
    giving: Mutex<()>,
}

impl Users {
    /// Gives out ids of a range.
    pub(super) fn new(range: UserRange) -> Self {
        Self { range, giving: Mutex::default() }
    }

    /// The user of a process, which can reach all that it is allowed.
    pub(super) fn prepare(&self, allowance: &Allowance) -> io::Result<Uid> {
        let theirs: Vec<_> = allowance.socket_directory.iter().chain(&allowance.writable).cloned().collect();
        let user = match &allowance.home {
            Some(home) => self.of(home, &theirs)?,
            None => self.of_nobody(&theirs)?,
        };
        if let Some(sockets) = allowance.socket_directory.as_deref().and_then(Path::parent) {
            // Each directory in it stays closed to all others.
            fs::set_permissions(sockets, Permissions::from_mode(0o711))?;
        }
        match allowance.programs.iter().chain(&theirs).find_map(|path| closed(path, user)) {
            Some(closed) => Err(io::Error::other(format!(
                "`{}` is closed to user {user}, as whom the plugin is to run; open it with `chmod o+x`, or keep it elsewhere",
                closed.display()
            ))),
            None => Ok(Uid::from_raw(user)),
        }
    }

    /// The id of processes that belong to no installation, which is kept for them; and makes it the owner of `theirs`.
    pub(super) fn of_nobody(&self, theirs: &[PathBuf]) -> io::Result<u32> {
        theirs.iter().try_for_each(|path| give(path, self.range.last))?;
        Ok(self.range.last)
    }

    /// The id of the plugin whose directory is `home`, which it owns from now on; and makes it the owner of `further`.
    pub(super) fn of(&self, home: &Path, further: &[PathBuf]) -> io::Result<u32> {
        let _one_at_a_time = self.giving.lock().unwrap_or_else(PoisonError::into_inner);
        let present = fs::metadata(home)?.uid();
        let user = if self.contains(present) { present } else { self.free(home)? };
        for path in further.iter().map(PathBuf::as_path).chain((present != user).then_some(home)) {
            give(path, user)?;
        }
        Ok(user)
    }

    fn contains(&self, user: u32) -> bool {
        (self.range.first..self.range.last).contains(&user)
    }

    /// One that owns no plugin's directory: they stand at `<tenant>/<plugin>` beside each other.
    fn free(&self, home: &Path) -> io::Result<u32> {
        let entries = |directory: &Path| fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.path());
        let all = home.ancestors().nth(2).into_iter().flat_map(entries).flat_map(|tenant| entries(&tenant).collect::<Vec<_>>());
        let taken: BTreeSet<u32> = all.filter_map(|home| Some(fs::symlink_metadata(home).ok()?.uid())).collect();
        (self.range.first..self.range.last)
            .find(|user| !taken.contains(user))
            .ok_or_else(|| io::Error::other("every user id of plugins.sandbox.users belongs to a plugin; choose a wider range"))
    }
}

/// A directory on the way to `path` that `user` cannot pass.
fn closed(path: &Path, user: u32) -> Option<&Path> {
    let passes = |directory: &Path| {
        let needed = |metadata: &fs::Metadata| if metadata.uid() == user { 0o100 } else { 0o001 };
        fs::metadata(directory).is_ok_and(|metadata| metadata.mode() & needed(&metadata) != 0)
    };
    path.ancestors().skip(1).find(|directory| !passes(directory))
}

/// Changes the owner of everything beneath, without following links.
fn give(path: &Path, user: u32) -> io::Result<()> {
    if fs::symlink_metadata(path)?.is_dir() {
        for entry in fs::read_dir(path)? {
            give(&entry?.path(), user)?;
        }
    }
    lchown(path, Some(user), Some(user))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plugin_keeps_its_user_and_shares_it_with_nobody() {
        if !rustix::process::geteuid().is_root() {
            eprintln!("skipped: only root gives files away");
            return;
        }
        let data = tempfile::tempdir().unwrap();
        let users = Users::new(UserRange { first: 200_000, last: 200_002 });
        let home = |path: &str| {
            let home = data.path().join(path);
            fs::create_dir_all(home.join("cache")).unwrap();
            home
        };
        let (first, second, third) = (home("lab/a"), home("lab/b"), home("other/a"));
        assert_eq!(users.of(&first, &[]).unwrap(), 200_000);
        assert_eq!(users.of(&second, &[]).unwrap(), 200_001);
        assert_eq!(users.of(&first, &[]).unwrap(), 200_000);
        assert_eq!(fs::metadata(first.join("cache")).unwrap().uid(), 200_000);
        assert!(users.of(&third, &[]).unwrap_err().to_string().contains("wider range"));
        assert_eq!(fs::metadata(&third).unwrap().uid(), 0);
    }
}
