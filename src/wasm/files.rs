//! The directories of an installation, and what they may hold: a hard quota, counted before anything is written.
//!
//! **Invariant:** what is counted is never less than what the directory holds. A file's size is counted as far as any
//! write that was accepted may take it; what is deleted stays counted while somebody still has it open.

use std::{
    collections::HashMap,
    fs, io,
    os::{
        fd::AsFd,
        unix::fs::{DirBuilderExt as _, MetadataExt as _},
    },
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use mint_context::meters::Meters;
use mint_domain::{Limits, limit::Limit};
use rustix::fs::{AtFlags, FileType, statat};
use wasmtime_wasi::{FsPerms, WasiCtxBuilder};

/// What an entry of a directory counts beside its bytes, so that empty files are not free.
const ENTRY_BYTES: u64 = 4 << 10;

/// Names a file while it is open: device and inode.
type FileId = (u64, u64);

/// The two directories of an installation, shared by all its instances of all generations.
#[derive(Debug)]
pub(crate) struct Files {
    areas: [Arc<Area>; 2],
}

/// One directory with a quota.
#[derive(Debug)]
pub(crate) struct Area {
    path: PathBuf,
    guest_path: &'static str,
    account: Mutex<Account>,
    /// Held while names are changed, so that what is counted and what is done do not come apart.
    pub(crate) names: tokio::sync::Mutex<()>,
}

#[derive(Debug)]
struct Account {
    limit: Limit,
    bytes_max: u64,
    bytes: u64,
    open: HashMap<FileId, Open>,
    meters: Arc<Meters>,
}

/// A file that somebody has open.
#[derive(Debug)]
struct Open {
    /// How far it may reach with all accepted writes.
    reach: u64,
    handles: usize,
    /// Writes that may still be on their way.
    writers: usize,
    unlinked: bool,
}

/// No room is left, by the limit of this name.
#[derive(Debug)]
pub(crate) struct Full(pub(crate) &'static str);

impl From<Full> for io::Error {
    fn from(_: Full) -> Self {
        rustix::io::Errno::NOSPC.into()
    }
}

/// What is known of a name before it is changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Named {
    id: FileId,
    bytes: u64,
    is_file: bool,
}

impl Files {
    /// The directories under `data_directory`, made where they are missing. Reads them through, so call it where a
    /// thread may block.
    ///
    /// # Errors
    /// When a directory cannot be made or read.
    fn open(data_directory: &Path, meters: &Arc<Meters>) -> io::Result<Self> {
        let area = |name, guest_path, limit| Area::open(data_directory.join(name), guest_path, limit, meters).map(Arc::new);
        let artifacts = area("artifacts", "/artifacts", Limit::files_bytes_max)?;
        let areas = [artifacts, area("cache", "/cache", Limit::cache_bytes_max)?];
        Ok(Self { areas })
    }

    /// Puts other limits in force.
    pub(crate) fn limit(&self, limits: &Limits) {
        for area in &self.areas {
            let mut account = area.lock();
            account.bytes_max = limits.get(account.limit);
        }
    }

    /// Gives the directories to a component.
    pub(crate) fn preopen(&self, wasi: &mut WasiCtxBuilder) -> wasmtime::Result<()> {
        for area in &self.areas {
            wasi.preopened_dir(&area.path, area.guest_path, FsPerms::ReadWrite)?;
        }
        Ok(())
    }

    /// The directory that a component knows under a name.
    pub(crate) fn area(&self, guest_path: &str) -> Option<&Arc<Area>> {
        self.areas.iter().find(|area| area.guest_path == guest_path)
    }
}

/// The directories that are in use, so that two generations of an installation count together.
#[derive(Debug, Default)]
pub(crate) struct FilesInUse(Mutex<HashMap<PathBuf, Weak<Files>>>);

impl FilesInUse {
    /// The directories under `data_directory`, with the limits in force. Blocks while it reads them.
    ///
    /// # Errors
    /// When a directory cannot be made or read.
    pub(crate) fn get(&self, data_directory: &Path, limits: &Limits, meters: &Arc<Meters>) -> io::Result<Arc<Files>> {
        let mut in_use = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let files = match in_use.get(data_directory).and_then(Weak::upgrade) {
            Some(files) => files,
            None => Arc::new(Files::open(data_directory, meters)?),
        };
        files.limit(limits);
        in_use.retain(|_, files| files.strong_count() > 0);
        in_use.insert(data_directory.to_owned(), Arc::downgrade(&files));
        Ok(files)
    }
}

impl Area {
    fn open(path: PathBuf, guest_path: &'static str, limit: Limit, meters: &Arc<Meters>) -> io::Result<Self> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&path)?;
        let bytes = measure(&path)?;
        meters.set(limit, bytes);
        let account = Account { limit, bytes_max: 0, bytes, open: HashMap::new(), meters: Arc::clone(meters) };
        Ok(Self { path, guest_path, account: Mutex::new(account), names: tokio::sync::Mutex::default() })
    }

    fn lock(&self) -> MutexGuard<'_, Account> {
        self.account.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a new entry.
    pub(crate) fn add_entry(&self) -> Result<(), Full> {
        self.lock().charge(ENTRY_BYTES)
    }

    /// Counts an entry no more that is gone, or was not made.
    pub(crate) fn remove_entry(&self) {
        self.lock().refund(ENTRY_BYTES);
    }

    /// Notes that a file was opened. `truncated` are the bytes that it had before it was opened empty.
    pub(crate) fn opened(self: &Arc<Self>, file: &fs::File, truncated: Option<u64>) -> io::Result<OpenFile> {
        let metadata = file.metadata()?;
        let id = (metadata.dev(), metadata.ino());
        let mut account = self.lock();
        let entry = account.open.entry(id).or_insert(Open {
            reach: truncated.unwrap_or(metadata.len()),
            handles: 0,
            writers: 0,
            unlinked: false,
        });
        entry.handles += 1;
        if truncated.is_some() {
            account.shrink(id, 0);
        }
        Ok(OpenFile { area: Arc::clone(self), id })
    }

    /// What stands under a name, if anything does.
    pub(crate) fn named(directory: impl AsFd, path: &str) -> Option<Named> {
        let stat = statat(directory, path, AtFlags::SYMLINK_NOFOLLOW).ok()?;
        let is_file = FileType::from_raw_mode(stat.st_mode) != FileType::Directory;
        Some(Named { id: (stat.st_dev, stat.st_ino), bytes: u64::try_from(stat.st_size).unwrap_or(0), is_file })
    }

    /// Counts no more what stood under a name, or, if somebody has it open, will not count it after that.
    pub(crate) fn unlinked(&self, was: Named) {
        let mut account = self.lock();
        match account.open.get_mut(&was.id) {
            Some(open) => open.unlinked = true,
            None => account.refund(ENTRY_BYTES + if was.is_file { was.bytes } else { 0 }),
        }
    }
}

impl Account {
    fn charge(&mut self, bytes: u64) -> Result<(), Full> {
        let total = self.bytes.saturating_add(bytes);
        if total > self.bytes_max {
            return Err(Full(self.limit.name()));
        }
        self.bytes = total;
        self.meters.set(self.limit, total);
        Ok(())
    }

    fn refund(&mut self, bytes: u64) {
        self.bytes = self.bytes.saturating_sub(bytes);
        self.meters.set(self.limit, self.bytes);
    }

    /// Counts a file up to `reach`, if it does not reach so far already.
    fn extend(&mut self, id: FileId, reach: u64) -> Result<(), Full> {
        let counted = self.open.get(&id).map_or(0, |open| open.reach);
        self.charge(reach.saturating_sub(counted))?;
        if let Some(open) = self.open.get_mut(&id) {
            open.reach = open.reach.max(reach);
        }
        Ok(())
    }

    /// Counts a file that was cut, unless a write on its way may make it longer again.
    fn shrink(&mut self, id: FileId, reach: u64) {
        let Some(open) = self.open.get_mut(&id).filter(|open| open.writers == 0 && open.reach > reach) else { return };
        let freed = open.reach - reach;
        open.reach = reach;
        self.refund(freed);
    }
}

/// Somebody has a file open, until this is dropped.
#[derive(Debug)]
pub(crate) struct OpenFile {
    area: Arc<Area>,
    id: FileId,
}

impl OpenFile {
    /// Counts what a write of `length` bytes at `offset` will need.
    pub(crate) fn write_at(&self, offset: u64, length: usize) -> Result<(), Full> {
        self.extend(offset.saturating_add(length as u64))
    }

    /// Counts what appending `length` bytes will need.
    pub(crate) fn append(&self, length: usize) -> Result<(), Full> {
        let mut account = self.area.lock();
        let reach = account.open.get(&self.id).map_or(0, |open| open.reach);
        account.extend(self.id, reach.saturating_add(length as u64))
    }

    /// Counts the file up to `reach`.
    pub(crate) fn extend(&self, reach: u64) -> Result<(), Full> {
        self.area.lock().extend(self.id, reach)
    }

    /// The file was cut.
    pub(crate) fn shrunk(&self, reach: u64) {
        self.area.lock().shrink(self.id, reach);
    }

    /// A write is on its way until the writer is dropped.
    pub(crate) fn writer(&self) -> Writer {
        if let Some(open) = self.area.lock().open.get_mut(&self.id) {
            open.writers += 1;
        }
        Writer(self.clone())
    }
}

impl Clone for OpenFile {
    fn clone(&self) -> Self {
        if let Some(open) = self.area.lock().open.get_mut(&self.id) {
            open.handles += 1;
        }
        Self { area: Arc::clone(&self.area), id: self.id }
    }
}

impl Drop for OpenFile {
    fn drop(&mut self) {
        let mut account = self.area.lock();
        let Some(open) = account.open.get_mut(&self.id) else { return };
        open.handles -= 1;
        if open.handles > 0 {
            return;
        }
        let freed = if open.unlinked { open.reach + ENTRY_BYTES } else { 0 };
        account.open.remove(&self.id);
        account.refund(freed);
    }
}

/// A write that may be on its way.
#[derive(Debug)]
pub(crate) struct Writer(pub(crate) OpenFile);

impl Drop for Writer {
    fn drop(&mut self) {
        if let Some(open) = self.0.area.lock().open.get_mut(&self.0.id) {
            open.writers -= 1;
        }
    }
}

/// What a directory holds, in the way it is counted. Links are not followed.
fn measure(directory: &Path) -> io::Result<u64> {
    let mut bytes = 0_u64;
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        bytes += ENTRY_BYTES + if metadata.is_dir() { measure(&entry.path())? } else { metadata.len() };
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use mint_domain::limit::LimitChanges;

    use super::*;

    fn files(bytes_max: u64) -> (tempfile::TempDir, Arc<Files>) {
        let directory = tempfile::tempdir().unwrap();
        let changes = LimitChanges { files_bytes_max: Some(bytes_max), ..LimitChanges::default() };
        let limits = Limits::default().merged(&changes).unwrap();
        let files = FilesInUse::default().get(directory.path(), &limits, &Arc::default()).unwrap();
        (directory, files)
    }

    #[test]
    fn what_stands_there_is_counted_at_the_start_and_shared() {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir_all(directory.path().join("cache/sub")).unwrap();
        fs::write(directory.path().join("cache/sub/x"), [0; 100]).unwrap();
        let in_use = FilesInUse::default();
        let one = in_use.get(directory.path(), &Limits::default(), &Arc::default()).unwrap();
        let two = in_use.get(directory.path(), &Limits::default(), &Arc::default()).unwrap();
        assert!(Arc::ptr_eq(&one, &two));
        assert_eq!(one.area("/cache").unwrap().lock().bytes, 2 * ENTRY_BYTES + 100);
    }

    #[test]
    fn writes_are_counted_once_and_refused_beyond_the_quota() {
        let (_directory, files) = files(ENTRY_BYTES + 1_000);
        let area = files.area("/artifacts").unwrap();
        area.add_entry().unwrap();
        assert!(area.add_entry().is_err(), "a second entry does not fit");
        let file = fs::File::create(area.path.join("x")).unwrap();
        let open = area.opened(&file, None).unwrap();
        open.write_at(0, 600).unwrap();
        open.write_at(0, 600).unwrap();
        open.append(400).unwrap();
        assert!(open.append(1).is_err() && open.write_at(u64::MAX, 9).is_err());
        open.shrunk(0);
        open.write_at(900, 100).unwrap();
    }

    #[test]
    fn room_comes_back_when_nobody_can_write_any_more() {
        let (_directory, files) = files(ENTRY_BYTES + 1_000);
        let area = files.area("/artifacts").unwrap();
        let path = area.path.join("x");
        area.add_entry().unwrap();
        let file = fs::File::create(&path).unwrap();
        let open = area.opened(&file, None).unwrap();
        open.write_at(0, 1_000).unwrap();
        let writer = open.writer();
        open.shrunk(0);
        assert_eq!(area.lock().bytes, ENTRY_BYTES + 1_000, "a write on its way may fill it again");
        let was = Area::named(fs::File::open(&area.path).unwrap(), "x").unwrap();
        fs::remove_file(&path).unwrap();
        area.unlinked(was);
        drop(open);
        assert_eq!(area.lock().bytes, ENTRY_BYTES + 1_000, "a deleted file stays while it is open");
        drop(writer);
        assert_eq!(area.lock().bytes, 0);
        assert!(area.lock().open.is_empty());
    }
}
