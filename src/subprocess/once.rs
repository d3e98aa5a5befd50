//! Directories that are made whole or not at all, by one maker at a time, in this process or another.
//!
//! Each is made in a directory beside its place and renamed into it. A lock file gives the turns.

use std::{
    fs::{self, File, Permissions},
    io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    time::Duration,
};

use rustix::fs::FlockOperation;
use tempfile::TempDir;

const LOCK_POLL: Duration = Duration::from_millis(100);

/// Where something is to stand.
#[derive(Debug)]
pub(crate) struct Place {
    parent: PathBuf,
    name: String,
}

/// The right to make it, until dropped.
#[derive(Debug)]
pub(crate) struct Turn<'a> {
    place: &'a Place,
    building: TempDir,
    _lock: File,
}

impl Place {
    /// `name` in `parent`, which is made with the first turn.
    pub(crate) fn new(parent: PathBuf, name: String) -> Self {
        Self { parent, name }
    }

    /// Where it stands once it is made.
    pub(crate) fn path(&self) -> PathBuf {
        self.parent.join(&self.name)
    }

    /// Waits for a turn. It may have been made by then.
    ///
    /// # Errors
    /// When nothing can be written there.
    pub(crate) async fn turn(&self) -> io::Result<Turn<'_>> {
        fs::create_dir_all(&self.parent)?;
        let lock = lock(&self.parent.join(format!("{}.lock", self.name))).await?;
        // Whoever began one of these was cut off: this process has the lock.
        let unfinished = format!(".{}.", self.name);
        for entry in fs::read_dir(&self.parent)?.flatten() {
            if entry.file_name().to_string_lossy().starts_with(&unfinished) {
                fs::remove_dir_all(entry.path())?;
            }
        }
        let building = tempfile::Builder::new().prefix(&unfinished).tempdir_in(&self.parent)?;
        // A plugin's user may have to pass through it.
        fs::set_permissions(building.path(), Permissions::from_mode(0o711))?;
        Ok(Turn { place: self, building, _lock: lock })
    }
}

impl Turn<'_> {
    /// An empty directory to work in, which goes with the turn.
    pub(crate) fn directory(&self) -> &Path {
        self.building.path()
    }

    /// Puts what was made, a directory in [`Turn::directory`], in its place.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(crate) fn put(self, made: &Path) -> io::Result<()> {
        let place = self.place.path();
        if place.exists() {
            fs::remove_dir_all(&place)?;
        }
        fs::rename(made, &place)?;
        File::open(&self.place.parent)?.sync_all()
    }
}

/// Waits for the lock, which ends with the file that is returned, also when the process dies.
async fn lock(path: &Path) -> io::Result<File> {
    let file = File::options().create(true).truncate(false).write(true).open(path)?;
    loop {
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(file),
            Err(rustix::io::Errno::WOULDBLOCK | rustix::io::Errno::INTR) => tokio::time::sleep(LOCK_POLL).await,
            Err(error) => return Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_makes_at_a_time_and_what_was_cut_off_goes() {
        let root = tempfile::tempdir().unwrap();
        let place = Place::new(root.path().join("things"), "x".to_owned());
        let first = place.turn().await.unwrap();
        let second = place.turn();
        tokio::pin!(second);
        assert!(tokio::time::timeout(LOCK_POLL * 2, &mut second).await.is_err());
        // As a process leaves it that is killed.
        let left = root.path().join("things/.x.left");
        fs::create_dir(&left).unwrap();
        drop(first);
        let second = second.await.unwrap();
        assert!(!left.exists() && !place.path().exists());
        let made = second.directory().join("made");
        fs::create_dir(&made).unwrap();
        second.put(&made).unwrap();
        assert!(place.path().is_dir());
        assert_eq!(fs::read_dir(root.path().join("things")).unwrap().count(), 2, "the thing and its lock");
    }
}
