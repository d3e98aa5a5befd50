//! A connection that no statement of a stranger can hold for long.

use std::{
    ffi::CStr,
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use rusqlite::{Connection as Sqlite, OpenFlags, config::DbConfig, limits::Limit};

use super::statement::failed;
use crate::tables::{Bounds, Error, Result, authorizer::authorizer, gate::STATEMENT_BYTES_MAX};

/// Steps of SQLite's machine between two looks at the clock.
const STEPS: i32 = 1_000;
/// How files are opened: without memory that is shared with other processes. A plugin's own process could cut that short,
/// which would end the server.
const FILES: &CStr = c"unix-excl";
/// Longest pattern of `like` and `glob`, which is compared without looking at the clock.
const PATTERN_BYTES_MAX: i32 = 256;
/// Statements that stay open for reading end when the file is larger by so many times of its quota.
const WAL_TIMES_MAX: u64 = 2;

/// When a statement has to end.
#[derive(Debug, Default)]
pub(super) struct Watch {
    ends: Mutex<Option<Instant>>,
    cancelled: AtomicBool,
}

impl Watch {
    fn is_over(&self) -> bool {
        let ends = *self.ends.lock().unwrap_or_else(PoisonError::into_inner);
        self.cancelled.load(Ordering::Relaxed) || ends.is_some_and(|ends| Instant::now() >= ends)
    }

    /// Ends the statement that runs, and lets no other begin.
    pub(super) fn cancel(&self) {
        self.cancelled.store(true, Ordering::Relaxed);
    }

    /// Gives the next statements until `ends`.
    pub(super) fn until(&self, ends: Instant) {
        *self.ends.lock().unwrap_or_else(PoisonError::into_inner) = Some(ends);
    }
}

/// An open file.
#[derive(Debug)]
pub(super) struct Connection {
    inner: Option<Sqlite>,
    wal: PathBuf,
    platform: Arc<AtomicBool>,
    /// When its statement has to end.
    pub(super) watch: Arc<Watch>,
}

impl Connection {
    /// Opens a file, which is made when it is missing. Blocks.
    pub(super) fn open(file: &Path, bounds: &Bounds) -> Result<Self> {
        let file = real(file)?;
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX
            | OpenFlags::SQLITE_OPEN_NOFOLLOW;
        let platform = Arc::new(AtomicBool::new(true));
        let watch = Arc::new(Watch::default());
        let inner = Sqlite::open_with_flags_and_vfs(&file, flags, FILES).map_err(|error| Error::Outage(error.to_string()))?;
        prepare(&inner, bounds, &platform, &watch).map_err(|error| Error::Outage(error.to_string()))?;
        platform.store(false, Ordering::Relaxed);
        let mut wal = file.into_os_string();
        wal.push("-wal");
        Ok(Self { inner: Some(inner), wal: wal.into(), platform, watch })
    }

    /// SQLite's own handle.
    pub(super) fn get(&self) -> Result<&Sqlite> {
        self.inner.as_ref().ok_or_else(|| Error::Outage("the connection is closed".to_owned()))
    }

    /// Runs a statement of the platform's.
    pub(super) fn platform(&self, sql: &str, bounds: &Bounds) -> Result<()> {
        self.as_platform(|this| this.get()?.execute_batch(sql).map_err(|error| failed(error, bounds)))
    }

    /// Does `work` as the platform.
    pub(super) fn as_platform<T>(&self, work: impl FnOnce(&Self) -> Result<T>) -> Result<T> {
        self.platform.store(true, Ordering::Relaxed);
        let done = work(self);
        self.platform.store(false, Ordering::Relaxed);
        done
    }

    /// The log of changes grows while somebody reads, whatever the number of pages.
    pub(super) fn check_log(&self, bounds: &Bounds) -> Result<()> {
        let bytes = fs::metadata(&self.wal).map_or(0, |metadata| metadata.len());
        if bytes > bounds.bytes_max.saturating_mul(WAL_TIMES_MAX) { Err(bounds.full()) } else { Ok(()) }
    }

    /// Closes it here. Blocks.
    pub(super) fn close(mut self) {
        drop(self.inner.take());
    }

    /// How long it may wait for another writer.
    pub(super) fn patience(&self, time: Duration) -> Result<()> {
        self.get()?.busy_timeout(time).map_err(|error| Error::Outage(error.to_string()))
    }
}

impl Drop for Connection {
    /// The last connection to leave tidies the file up, which blocks.
    fn drop(&mut self) {
        let Some(inner) = self.inner.take() else { return };
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn_blocking(move || drop(inner))),
            Err(_) => drop(inner),
        }
    }
}

/// The file by its real directory, which is made when it is missing. The file itself must be no link: a plugin's own process
/// may have put one there.
fn real(file: &Path) -> Result<PathBuf> {
    let (Some(parent), Some(name)) = (file.parent(), file.file_name()) else {
        return Err(Error::Outage(format!("{} is no path of a file", file.display())));
    };
    let made = fs::create_dir_all(parent).and_then(|()| parent.canonicalize());
    made.map(|parent| parent.join(name)).map_err(|error| Error::Outage(format!("{}: {error}", parent.display())))
}

fn prepare(inner: &Sqlite, bounds: &Bounds, platform: &Arc<AtomicBool>, watch: &Arc<Watch>) -> rusqlite::Result<()> {
    inner.busy_timeout(bounds.statement)?;
    inner.pragma_update(None, "journal_mode", "wal")?;
    inner.pragma_update(None, "synchronous", "normal")?;
    inner.pragma_update(None, "foreign_keys", true)?;
    let page: u64 = inner.pragma_query_value(None, "page_size", |row| row.get::<_, i64>(0))?.unsigned_abs().max(1);
    inner.query_row(&format!("pragma max_page_count = {}", (bounds.bytes_max / page).max(1)), [], |_| Ok(()))?;
    inner.query_row(&format!("pragma journal_size_limit = {}", bounds.bytes_max.min(64 << 20)), [], |_| Ok(()))?;
    for (setting, value) in [
        (DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true),
        (DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false),
        (DbConfig::SQLITE_DBCONFIG_DQS_DDL, false),
        (DbConfig::SQLITE_DBCONFIG_DQS_DML, false),
    ] {
        inner.set_db_config(setting, value)?;
    }
    let memory = i32::try_from(bounds.memory_bytes_max).unwrap_or(i32::MAX);
    for (limit, value) in [
        (Limit::SQLITE_LIMIT_LENGTH, memory),
        (Limit::SQLITE_LIMIT_SQL_LENGTH, i32::try_from(STATEMENT_BYTES_MAX).unwrap_or(i32::MAX)),
        (Limit::SQLITE_LIMIT_ATTACHED, 0),
        (Limit::SQLITE_LIMIT_LIKE_PATTERN_LENGTH, PATTERN_BYTES_MAX),
        (Limit::SQLITE_LIMIT_WORKER_THREADS, 0),
    ] {
        inner.set_limit(limit, value)?;
    }
    let watched = Arc::clone(watch);
    inner.progress_handler(STEPS, Some(move || watched.is_over()))?;
    inner.authorizer(Some(authorizer(Arc::clone(platform))))
}
