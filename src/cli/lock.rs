//! One server for each data directory.

use std::{
    fs::{File, OpenOptions},
    io,
    path::Path,
};

use rand::Rng as _;
use rustix::fs::{FlockOperation, flock};

/// Held while a server uses a data directory. The kernel gives it back however the process ends.
#[derive(Debug)]
pub(crate) struct DataLock {
    _file: File,
    /// Names this data directory in leases.
    pub(crate) process_id: String,
}

impl DataLock {
    /// Takes the directory.
    ///
    /// # Errors
    /// Another server has it, or it cannot be written.
    pub(crate) fn take(data: &Path) -> io::Result<Self> {
        std::fs::create_dir_all(data)?;
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(data.join("lock"))?;
        flock(&file, FlockOperation::NonBlockingLockExclusive).map_err(|_| {
            io::Error::new(
                io::ErrorKind::AlreadyExists,
                format!("another `mint serve` uses the data directory {}", data.display()),
            )
        })?;
        let id = data.join("process-id");
        let process_id = match std::fs::read_to_string(&id) {
            Ok(text) if !text.trim().is_empty() => text.trim().to_owned(),
            Ok(_) | Err(_) => {
                let fresh = format!("{:016x}", rand::rng().random::<u64>());
                std::fs::write(&id, &fresh)?;
                fresh
            }
        };
        Ok(Self { _file: file, process_id })
    }
}
