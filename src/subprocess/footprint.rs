//! What a process keeps in its directory, looked at now and then.
//!
//! The kernel bounds each file, not a directory. So all that stands there is counted, and a process that has more than its
//! limit is killed. What it wrote to its cache goes with it; its files stay, and the next one may remove some, and write none
//! while there are too many.

use std::{
    fs, io,
    os::{fd::OwnedFd, unix::fs::MetadataExt as _},
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
    time::Duration,
};

use mint_context::{PluginAuthority, meters::Meters};
use mint_domain::{Limits, limit::Limit};
use rustix::process::Signal;
use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;

use crate::{child::Child, exit::Exit, task};

/// Shortest pause between two looks.
const PAUSE: Duration = Duration::from_secs(1);
/// A look takes no more of the time than one part of so many.
const PART_OF_TIME: u32 = 20;
/// Bytes of a block of a file system, as it tells of them.
const BLOCK_BYTES: u64 = 512;
/// What an entry counts beside its blocks, so that empty files are not free.
const ENTRY_BYTES: u64 = 4 << 10;
/// The part of the directory that is no more than a cache.
const CACHE: &str = "cache";

/// What stands in the directory of an installation, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Kept {
    files: u64,
    cache: u64,
}

/// The task that looks, and how it ended the process, if it did.
#[derive(Debug)]
pub(crate) struct Footprint {
    exit: Arc<OnceLock<Exit>>,
    _looks: AbortOnDropHandle<()>,
}

impl Kept {
    /// Counts it before a process begins; a cache that has too much is emptied.
    ///
    /// # Errors
    /// When it cannot be read, or a cache not be emptied.
    pub(crate) async fn at_start(directory: &Path, limits: &Limits) -> io::Result<Self> {
        let there = Self::look(directory).await?;
        if there.cache <= limits.cache_bytes_max {
            return Ok(there);
        }
        emptied(directory).await?;
        Self::look(directory).await
    }

    async fn look(directory: &Path) -> io::Result<Self> {
        let directory = directory.to_owned();
        tokio::task::spawn_blocking(move || look(&directory)).await.map_err(io::Error::other)?
    }

    /// Whether there are more files than there may be.
    pub(crate) fn is_too_much(&self, limits: &Limits) -> bool {
        self.files > limits.files_bytes_max
    }

    /// What is more than `allowed`.
    fn beyond(&self, allowed: &Self, limits: &Limits) -> Option<Exit> {
        let areas = [(Limit::files_bytes_max, self.files, allowed.files), (Limit::cache_bytes_max, self.cache, allowed.cache)];
        let (limit, bytes, _) = areas.into_iter().find(|(_, bytes, allowed)| bytes > allowed)?;
        Some(Exit::Overfull { limit, bytes, bytes_max: limits.get(limit) })
    }

    /// What there may be where this is there already: no more than the limits, or than the files are.
    fn allowed(&self, limits: &Limits) -> Self {
        Self { files: self.files.max(limits.files_bytes_max), cache: limits.cache_bytes_max }
    }
}

impl Footprint {
    /// Looks at `directory` until dropped. What was `there` before the process began may stay, and not grow.
    ///
    /// # Errors
    /// When the system gives no descriptor.
    pub(crate) fn watched(child: &Child, directory: &Path, there: Kept, authority: &PluginAuthority) -> io::Result<Self> {
        let (exit, limits, meters) = (Arc::default(), authority.limits(), Arc::clone(&authority.meters));
        let looks = watch(child.handle()?, directory.to_owned(), there, limits, meters, Arc::clone(&exit));
        Ok(Self { exit, _looks: task::owned(looks) })
    }

    /// How it ended, if it was killed for having too much.
    pub(crate) fn exit(&self) -> Option<Exit> {
        self.exit.get().copied()
    }
}

async fn watch(
    process: OwnedFd,
    directory: PathBuf,
    there: Kept,
    limits: Limits,
    meters: Arc<Meters>,
    exit: Arc<OnceLock<Exit>>,
) {
    let (mut allowed, mut pause) = (there.allowed(&limits), PAUSE);
    loop {
        tokio::time::sleep(pause).await;
        let begun = Instant::now();
        let Ok(kept) = Kept::look(&directory).await else { continue };
        pause = PAUSE.max(begun.elapsed() * PART_OF_TIME);
        meters.set(Limit::files_bytes_max, kept.files);
        meters.set(Limit::cache_bytes_max, kept.cache);
        let Some(beyond) = kept.beyond(&allowed, &limits) else {
            // What was removed does not come back.
            allowed.files = allowed.files.min(kept.allowed(&limits).files);
            continue;
        };
        exit.get_or_init(|| beyond);
        // Gone in between: as wanted.
        let _gone = rustix::process::pidfd_send_signal(&process, Signal::KILL);
        if beyond.limit() == Some(Limit::cache_bytes_max)
            && let Err(error) = emptied(&directory).await
        {
            tracing::warn!(%error, "the cache of a plugin cannot be emptied");
        }
        return;
    }
}

async fn emptied(directory: &Path) -> io::Result<()> {
    let cache = directory.join(CACHE);
    tokio::task::spawn_blocking(move || empty(&cache)).await.map_err(io::Error::other)?
}

/// Blocking.
fn look(directory: &Path) -> io::Result<Kept> {
    let cache = directory.join(CACHE);
    let mut kept = Kept::default();
    let mut waiting = vec![(directory.to_owned(), false)];
    while let Some((directory, is_cache)) = waiting.pop() {
        let entries = match fs::read_dir(&directory) {
            Ok(entries) => entries,
            // Directories come and go meanwhile, as files do.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            // Who closes one to the platform has all the more in it.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                *if is_cache { &mut kept.cache } else { &mut kept.files } = u64::MAX;
                continue;
            }
            Err(error) => return Err(error),
        };
        for entry in entries {
            let entry = entry?;
            let Some(about) = there(entry.metadata())? else { continue };
            let path = entry.path();
            let is_cache = is_cache || path == cache;
            let area = if is_cache { &mut kept.cache } else { &mut kept.files };
            *area =
                area.saturating_add(ENTRY_BYTES).saturating_add(if about.is_dir() { 0 } else { about.blocks() * BLOCK_BYTES });
            if about.is_dir() {
                waiting.push((path, is_cache));
            }
        }
    }
    Ok(kept)
}

/// Removes all that stands in the directories of a cache, and leaves these: a process may stand in one. Blocking.
fn empty(cache: &Path) -> io::Result<()> {
    for entry in fs::read_dir(cache)? {
        let entry = entry?;
        if !entry.file_type()?.is_dir() {
            there(fs::remove_file(entry.path()))?;
            continue;
        }
        let Some(entries) = there(fs::read_dir(entry.path()))? else { continue };
        for below in entries {
            let below = below?;
            let is_directory = below.file_type()?.is_dir();
            there(if is_directory { fs::remove_dir_all(below.path()) } else { fs::remove_file(below.path()) })?;
        }
    }
    Ok(())
}

/// None of what is gone.
fn there<T>(found: io::Result<T>) -> io::Result<Option<T>> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_and_cache_are_counted_and_the_cache_is_emptied() {
        let directory = tempfile::tempdir().unwrap();
        let at = |path: &str| directory.path().join(path);
        assert_eq!(look(&at("nowhere")).unwrap(), Kept::default());
        fs::create_dir_all(at("a/cache")).unwrap();
        fs::create_dir_all(at("cache/tmp-1/x")).unwrap();
        fs::write(at("a/cache/kept"), vec![1; 100_000]).unwrap();
        fs::write(at("cache/tmp-1/x/y"), vec![1; 300_000]).unwrap();
        fs::write(at("cache/z"), vec![1; 50_000]).unwrap();
        std::os::unix::fs::symlink("/", at("root")).unwrap();
        let kept = look(directory.path()).unwrap();
        assert!((110_000..200_000).contains(&kept.files), "{kept:?}");
        assert!((360_000..500_000).contains(&kept.cache), "{kept:?}");
        empty(&at("cache")).unwrap();
        let emptied = look(directory.path()).unwrap();
        assert_eq!((emptied.files, emptied.cache, at("cache/tmp-1").is_dir()), (kept.files, 2 * ENTRY_BYTES, true));
    }

    #[test]
    fn what_was_there_may_stay_and_not_grow() {
        let limits = Limits { files_bytes_max: 10, cache_bytes_max: 20, ..Limits::default() };
        let there = Kept { files: 15, cache: 1 };
        assert!(there.is_too_much(&limits));
        let allowed = there.allowed(&limits);
        assert_eq!(there.beyond(&allowed, &limits), None);
        let more = Kept { files: 16, cache: 21 };
        let exit = |limit, bytes, bytes_max| Some(Exit::Overfull { limit, bytes, bytes_max });
        assert_eq!(more.beyond(&allowed, &limits), exit(Limit::files_bytes_max, 16, 10));
        assert_eq!(Kept { files: 0, ..more }.beyond(&allowed, &limits), exit(Limit::cache_bytes_max, 21, 20));
    }
}
