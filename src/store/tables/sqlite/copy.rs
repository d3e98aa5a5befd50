//! The file of an installation as it is at one instant, and another in its place. Blocks.

use std::{
    fs, io,
    io::Read as _,
    path::{Path, PathBuf},
    time::Duration,
};

use rusqlite::{Connection, ErrorCode, OpenFlags, backup::Backup};

use crate::tables::{
    Error, Result,
    saved::{Part, Parts, SavedTables},
};

/// The entry of an archive that holds the file.
pub(super) const ENTRY: &str = "tables.sqlite";
/// How long to wait for whoever holds the file.
const PATIENCE: Duration = Duration::from_secs(30);
/// Bytes that are handed on together.
const BATCH_BYTES: usize = 256 << 10;

/// Copies the file by way of `scratch`, which must not exist, and hands the copy to `parts`.
pub(super) fn save(file: &Path, scratch: &Path, parts: &Parts) -> Result<SavedTables> {
    if !file.exists() {
        return Ok(SavedTables::None);
    }
    let copied = copy(file, scratch).and_then(|()| hand_on(scratch, parts));
    for end in ["", "-wal", "-shm", "-journal"] {
        remove(&beside(scratch, end))?;
    }
    copied.map(|()| SavedTables::File { entry: ENTRY.to_owned() })
}

fn copy(file: &Path, scratch: &Path) -> Result<()> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let source = Connection::open_with_flags(file, flags).map_err(|error| failed(file, error))?;
    source.busy_timeout(PATIENCE).map_err(|error| failed(file, error))?;
    let mut target =
        Connection::open_with_flags(scratch, flags | OpenFlags::SQLITE_OPEN_CREATE).map_err(|error| failed(scratch, error))?;
    // In one step: one instant, and no writer of the plugin's has it begin again.
    let done = Backup::new(&source, &mut target).and_then(|backup| backup.step(-1));
    done.map(drop).map_err(|error| failed(scratch, error))?;
    // A file by itself, without a log beside it.
    target.pragma_update(None, "journal_mode", "delete").map_err(|error| failed(scratch, error))?;
    target.close().map_err(|(_, error)| failed(scratch, error))
}

fn hand_on(scratch: &Path, parts: &Parts) -> Result<()> {
    let send = |part| parts.blocking_send(part).map_err(|_| Error::Outage("the snapshot was not written any more".to_owned()));
    let mut file = fs::File::open(scratch).map_err(|error| disk(scratch, error))?;
    send(Part::Entry(ENTRY.to_owned()))?;
    loop {
        let mut batch = Vec::with_capacity(BATCH_BYTES);
        (&mut file).take(BATCH_BYTES as u64).read_to_end(&mut batch).map_err(|error| disk(scratch, error))?;
        if batch.is_empty() {
            return Ok(());
        }
        send(Part::Bytes(batch))?;
    }
}

/// Puts `new` in the place of the file, or nothing. Nobody may have the file open. Until the last moment the old one
/// stands there whole, and from then on the new one.
pub(super) fn replace(file: &Path, new: Option<&Path>) -> Result<()> {
    let parent = file.parent().unwrap_or(file);
    fs::create_dir_all(parent).map_err(|error| disk(parent, error))?;
    let staged = beside(file, ".restoring");
    remove(&staged)?;
    if let Some(new) = new {
        fs::copy(new, &staged).map_err(|error| disk(&staged, error))?;
        fs::File::open(&staged).and_then(|file| file.sync_all()).map_err(|error| disk(&staged, error))?;
    }
    fold(file)?;
    if new.is_some() {
        fs::rename(&staged, file).map_err(|error| disk(file, error))?;
    } else {
        remove(file)?;
    }
    fs::File::open(parent).and_then(|parent| parent.sync_all()).map_err(|error| disk(parent, error))
}

/// Folds the log of changes into the file: it would be taken for that of whatever comes to stand there.
pub(super) fn fold(file: &Path) -> Result<()> {
    if !file.exists() {
        return ["-wal", "-shm", "-journal"].into_iter().try_for_each(|end| remove(&beside(file, end)));
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(file, flags).map_err(|error| failed(file, error))?;
    connection.busy_timeout(PATIENCE).map_err(|error| failed(file, error))?;
    connection.pragma_update(None, "journal_mode", "delete").map_err(|error| failed(file, error))?;
    connection.close().map_err(|(_, error)| failed(file, error))
}

fn beside(file: &Path, end: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(end);
    name.into()
}

fn remove(file: &Path) -> Result<()> {
    match fs::remove_file(file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(disk(file, error)),
        Ok(()) | Err(_) => Ok(()),
    }
}

fn failed(file: &Path, error: rusqlite::Error) -> Error {
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => Error::NoRoom(format!("There is no room on the disk of {}.", file.display())),
        _ => Error::Outage(format!("{}: {error}", file.display())),
    }
}

fn disk(file: &Path, error: io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
            Error::NoRoom(format!("There is no room on the disk of {}.", file.display()))
        }
        _ => Error::Outage(format!("{}: {error}", file.display())),
    }
}
