//! What stands in the cache and nobody uses any more goes.
//!
//! Whoever runs something of the cache holds a lock beside it, shared among all servers with that cache; when it was last
//! taken tells since when nobody does.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use rustix::fs::{FlockOperation, flock};

/// The ending of lock files.
const USED: &str = "used";
/// The ending of what is being removed.
const AWAY: &str = "away";

/// Keeps something in the cache, until dropped.
#[derive(Debug)]
pub(crate) struct InUse(#[expect(dead_code, reason = "the lock ends with the file")] File);

impl InUse {
    /// Keeps what stands at `place`, which may have gone before.
    ///
    /// # Errors
    /// When nothing can be written there.
    pub(crate) fn of(place: &Path) -> io::Result<Self> {
        let file = open(place)?;
        // Somebody who removes it has it for a moment only.
        flock(&file, FlockOperation::LockShared)?;
        file.set_modified(now())?;
        Ok(Self(file))
    }
}

#[expect(clippy::disallowed_methods, reason = "the time of the file system, which ages are told by")]
fn now() -> SystemTime {
    SystemTime::now()
}

/// Removes from `parent`'s directories what nobody uses, and nobody has used for that long. Gives how many things.
///
/// # Errors
/// The first that stops it.
pub(crate) fn sweep(parent: &Path, unused_for: Duration) -> io::Result<usize> {
    let mut removed = 0;
    for plugin in entries(parent)? {
        for place in entries(&plugin)? {
            match place.extension() {
                None if remove_unused(&place, unused_for)? => removed += 1,
                // Somebody was interrupted.
                Some(ending) if ending == AWAY => remove(&place)?,
                _ => {}
            }
        }
    }
    Ok(removed)
}

fn remove_unused(place: &Path, unused_for: Duration) -> io::Result<bool> {
    let file = open(place)?;
    if flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
        return Ok(false);
    }
    let last = file.metadata()?.modified()?.max(fs::symlink_metadata(place)?.modified()?);
    if last.elapsed().unwrap_or_default() < unused_for {
        return Ok(false);
    }
    // Under another name first: a half-removed thing is never used.
    let away = place.with_extension(AWAY);
    fs::rename(place, &away)?;
    remove(&away).map(|()| true)
}

fn remove(path: &Path) -> io::Result<()> {
    if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) }
}

/// The lock beside a place. That it was just made says nothing of when it was used.
fn open(place: &Path) -> io::Result<File> {
    File::options().create(true).truncate(false).write(true).open(place.with_extension(USED))
}

fn entries(directory: &Path) -> io::Result<Vec<PathBuf>> {
    match fs::read_dir(directory) {
        Ok(entries) => entries.map(|entry| entry.map(|entry| entry.path())).collect(),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_secs(24 * 60 * 60);

    fn thing(parent: &Path, name: &str, age: Duration) -> PathBuf {
        let place = parent.join("plugin").join(name);
        fs::create_dir_all(&place).unwrap();
        fs::write(place.join("file"), "x").unwrap();
        let then = now() - age;
        open(&place).unwrap().set_modified(then).unwrap();
        File::open(&place).unwrap().set_modified(then).unwrap();
        place
    }

    #[test]
    fn only_what_nobody_used_for_long_goes() {
        let root = tempfile::tempdir().unwrap();
        let parent = root.path().join("venvs");
        assert_eq!(sweep(&parent, DAY).unwrap(), 0, "there is no cache yet");
        let (old, fresh, used) = (thing(&parent, "aa", DAY * 2), thing(&parent, "bb", DAY / 2), thing(&parent, "cc", DAY * 2));
        let in_use = InUse::of(&used).unwrap();
        open(&used).unwrap().set_modified(now() - DAY * 2).unwrap();
        assert_eq!(sweep(&parent, DAY).unwrap(), 1);
        assert_eq!((old.exists(), fresh.exists(), used.exists()), (false, true, true));
        drop(in_use);
        assert_eq!(sweep(&parent, DAY).unwrap(), 1);
        assert!(!used.exists());
        // What is taken again counts from then on.
        let again = thing(&parent, "dd", DAY * 2);
        drop(InUse::of(&again).unwrap());
        assert_eq!(sweep(&parent, DAY).unwrap(), 0);
    }
}
