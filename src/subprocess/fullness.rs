//! How much room a process takes for its tables where they stand in a file, looked at now and then.
//!
//! SQLite keeps to its limit only while the process wants it to, and the kernel bounds each file, not a directory. So all that
//! stands there is counted, and a process that has more than its limit is killed.

use std::{
    fs, io,
    os::{fd::OwnedFd, unix::fs::MetadataExt as _},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use mint_domain::limit::Limit;
use rustix::process::Signal;
use tokio_util::task::AbortOnDropHandle;

use crate::{child::Child, exit::Exit, task};

/// Pause between two looks.
const PAUSE: Duration = Duration::from_secs(1);
/// Most files: the tables, and what SQLite puts beside them, by far.
const FILES_MAX: u64 = 100;
/// What is beside tables of no size.
const SLACK_BYTES: u64 = 1 << 20;
/// Bytes of a block of a file system, as it tells of them.
const BLOCK_BYTES: u64 = 512;
/// What SQLite puts beside a file, after its name.
const BESIDE: &[&str] = &["", "-journal", "-wal", "-shm"];

/// The task that looks, and what it has found too much.
#[derive(Debug)]
pub(crate) struct Fullness {
    bytes: Arc<AtomicU64>,
    bytes_max: u64,
    _looks: AbortOnDropHandle<()>,
}

/// What stands in a directory.
#[derive(Debug, Default, PartialEq, Eq)]
struct Found {
    tables: u64,
    all: u64,
    files: u64,
}

impl Fullness {
    /// Looks at the directory of `tables`, in which nothing else stands, until dropped. What was more than `bytes_max` before
    /// the process began may stay, and not grow.
    ///
    /// # Errors
    /// When the system gives no descriptor.
    pub(crate) fn watched(child: &Child, tables: &Path, bytes_max: u64) -> io::Result<Self> {
        let bytes = Arc::default();
        let allowed = bytes_max.max(fs::metadata(tables).map_or(0, |file| file.len()));
        let looks = watch(child.handle()?, tables.to_owned(), allowed, Arc::clone(&bytes));
        Ok(Self { bytes, bytes_max, _looks: task::owned(looks) })
    }

    /// How it ended, if it was killed for having too much.
    pub(crate) fn exit(&self) -> Option<Exit> {
        let (bytes, bytes_max) = (self.bytes.load(Ordering::Relaxed), self.bytes_max);
        (bytes > 0).then_some(Exit::Overfull { limit: Limit::database_bytes_max, bytes, bytes_max })
    }
}

async fn watch(process: OwnedFd, tables: PathBuf, allowed: u64, seen: Arc<AtomicU64>) {
    loop {
        tokio::time::sleep(PAUSE).await;
        let here = tables.clone();
        let Ok(Ok(found)) = tokio::task::spawn_blocking(move || look(&here)).await else { continue };
        if !is_too_much(&found, allowed) {
            continue;
        }
        seen.store(found.all.max(1), Ordering::Relaxed);
        // Gone in between: as wanted.
        let _gone = rustix::process::pidfd_send_signal(&process, Signal::KILL);
        let tidied = tokio::task::spawn_blocking(move || tidy(&tables)).await;
        if let Err(error) = tidied.map_err(io::Error::other).flatten() {
            tracing::warn!(%error, "what stands beside the tables of a plugin cannot be removed");
        }
        return;
    }
}

/// The journal of a transaction can take as much again as the tables.
fn is_too_much(found: &Found, allowed: u64) -> bool {
    found.tables > allowed || found.all > allowed.saturating_mul(2).saturating_add(SLACK_BYTES) || found.files > FILES_MAX
}

/// Blocking. Looks at no more than tells that there is too much.
fn look(tables: &Path) -> io::Result<Found> {
    let mut found = Found::default();
    let mut waiting: Vec<PathBuf> = tables.parent().map(Path::to_owned).into_iter().collect();
    while let Some(directory) = waiting.pop() {
        let entries = match fs::read_dir(&directory) {
            // Who closes one to the platform has all the more in it.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                found.files = FILES_MAX + 1;
                return Ok(found);
            }
            entries => entries?,
        };
        for entry in entries {
            let entry = entry?;
            // Files come and go meanwhile.
            let Ok(about) = entry.metadata() else { continue };
            found.files += 1;
            found.all += about.blocks() * BLOCK_BYTES;
            if entry.path() == tables {
                found.tables = about.len();
            }
            if found.files > FILES_MAX {
                return Ok(found);
            }
            if about.is_dir() {
                waiting.push(entry.path());
            }
        }
    }
    Ok(found)
}

/// Removes what is neither the tables nor SQLite's. Blocking.
fn tidy(tables: &Path) -> io::Result<()> {
    let (Some(directory), Some(name)) = (tables.parent(), tables.file_name().and_then(|name| name.to_str())) else {
        return Ok(());
    };
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        if BESIDE.iter().any(|ending| entry.file_name().to_str() == Some(&format!("{name}{ending}"))) {
            continue;
        }
        let removed = if entry.file_type()?.is_dir() { fs::remove_dir_all(entry.path()) } else { fs::remove_file(entry.path()) };
        removed.or_else(|error| if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_stands_there_counts_and_only_what_is_of_the_tables_stays() {
        let directory = tempfile::tempdir().unwrap();
        let tables = directory.path().join("tables.sqlite");
        fs::write(&tables, vec![1; 100_000]).unwrap();
        fs::write(directory.path().join("tables.sqlite-journal"), vec![1; 50_000]).unwrap();
        fs::create_dir_all(directory.path().join("a/b")).unwrap();
        fs::write(directory.path().join("a/b/c"), vec![1; 300_000]).unwrap();
        let found = look(&tables).unwrap();
        assert_eq!((found.tables, found.files), (100_000, 5));
        assert!((450_000..1_000_000).contains(&found.all), "{found:?}");
        tidy(&tables).unwrap();
        assert_eq!(look(&tables).unwrap().files, 2);
    }

    #[test]
    fn what_is_too_much() {
        let found = |tables, all, files| Found { tables, all, files };
        assert!(!is_too_much(&found(10 << 20, 21 << 20, 3), 10 << 20), "with its journal");
        assert!(is_too_much(&found((10 << 20) + 1, 10 << 20, 1), 10 << 20));
        assert!(is_too_much(&found(0, (21 << 20) + 1, 1), 10 << 20));
        assert!(is_too_much(&found(0, 0, FILES_MAX + 1), 10 << 20));
        assert!(!is_too_much(&found(0, u64::MAX, 1), u64::MAX));
    }

    #[test]
    fn it_looks_at_no_more_than_it_needs() {
        let directory = tempfile::tempdir().unwrap();
        for number in 0..200 {
            fs::write(directory.path().join(number.to_string()), "").unwrap();
        }
        assert_eq!(look(&directory.path().join("tables.sqlite")).unwrap().files, FILES_MAX + 1);
    }
}
