//! The private directory of one process: its socket, an empty place to stand in, and a record for whoever cleans up.

use std::{
    fs::{self, DirBuilder, Permissions},
    io,
    os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
    time::Duration,
};

use mint_domain::{Slug, lifecycle::Failure};
use rustix::process::Pid;
use serde::{Deserialize, Serialize};

use crate::leftovers::{self, ProcessMark};

/// Bytes of `sun_path`, of which the last is a NUL.
const SUN_PATH: usize = 108;
const SOCKET: &str = "s";
const PLATFORM_SOCKET: &str = "p";
const RECORD: &str = "process.json";
/// Letters of a slug in a directory's name: the random part makes it unique, and its socket a secret of the neighbours.
const SLUG_SHOWN: usize = 12;
/// A directory without a record may be one that is being made right now.
const UNRECORDED_AGE: Duration = Duration::from_secs(60);

/// Removed when dropped.
#[derive(Debug)]
pub(crate) struct Directory {
    path: PathBuf,
}

/// Who made a directory, and which process it is for.
#[derive(Debug, Serialize, Deserialize)]
struct Record {
    host: ProcessMark,
    process: Option<ProcessMark>,
}

impl Directory {
    /// Makes a directory of mode 0700 under `root`.
    ///
    /// # Errors
    /// A [`Failure`] when it cannot be made, or a socket in it would have too long a path.
    pub(crate) fn create(root: &Path, tenant: &Slug, slug: &Slug, generation: u64) -> Result<Self, Failure> {
        let name = format!("{}-{}-{generation}-{:016x}", shown(tenant), shown(slug), rand::random::<u64>());
        let path = root.join(name);
        let length = path.join(SOCKET).as_os_str().len();
        if length >= SUN_PATH {
            return Err(Failure::new(
                "start",
                format!("The path of the plugin's socket would have {length} bytes, and the system allows {}.", SUN_PATH - 1),
                format!("Choose a shorter runtime directory than `{}`.", root.display()),
            ));
        }
        let failed = |error: io::Error| {
            Failure::new(
                "start",
                format!("The directory `{}` cannot be made: {error}.", path.display()),
                "Make the runtime directory writable for the platform's user.",
            )
        };
        prepare_root(root).map_err(failed)?;
        DirBuilder::new().mode(0o700).create(&path).map_err(failed)?;
        let directory = Self { path: path.clone() };
        DirBuilder::new().mode(0o700).create(directory.standing_place()).map_err(failed)?;
        directory.record(None).map_err(failed)?;
        Ok(directory)
    }

    /// Where it stands.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Where the plugin listens.
    pub(crate) fn socket(&self) -> PathBuf {
        self.path.join(SOCKET)
    }

    /// Where it reaches the platform.
    pub(crate) fn platform_socket(&self) -> PathBuf {
        self.path.join(PLATFORM_SOCKET)
    }

    /// An empty directory, so that no file of somebody else's is picked up from the working directory.
    pub(crate) fn standing_place(&self) -> PathBuf {
        self.path.join("cwd")
    }

    /// Notes the process, for the clean-up after a platform that died.
    pub(crate) fn note_process(&self, pid: Pid) -> io::Result<()> {
        self.record(ProcessMark::of(pid))
    }

    fn record(&self, process: Option<ProcessMark>) -> io::Result<()> {
        let host = ProcessMark::of(rustix::process::getpid()).ok_or(io::ErrorKind::NotFound)?;
        fs::write(self.path.join(RECORD), serde_json::to_vec(&Record { host, process })?)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.path) {
            tracing::warn!(path = %self.path.display(), %error, "a runtime directory could not be removed");
        }
    }
}

/// Ends what a platform that died left behind under `root`: processes that still run, and their directories.
pub(crate) fn sweep(root: &Path) -> io::Result<()> {
    let entries = match fs::read_dir(root) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries.flatten().filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())) {
        let path = entry.path();
        let record = fs::read(path.join(RECORD)).ok().and_then(|bytes| serde_json::from_slice::<Record>(&bytes).ok());
        match record {
            Some(record) if record.host.is_alive() => continue,
            Some(record) => {
                if let Some(process) = record.process {
                    process.kill_group();
                }
                let killed = leftovers::kill(&path.join(SOCKET), None);
                tracing::info!(path = %path.display(), processes.killed = killed, "cleaned up after a platform that died");
            }
            None if !is_older(&entry, UNRECORDED_AGE) => continue,
            None => {}
        }
        fs::remove_dir_all(&path)?;
    }
    Ok(())
}

fn is_older(entry: &fs::DirEntry, age: Duration) -> bool {
    let modified = entry.metadata().and_then(|metadata| metadata.modified());
    modified.ok().and_then(|modified| modified.elapsed().ok()).is_some_and(|elapsed| elapsed > age)
}

/// Makes the directory above all private ones, for this user only.
fn prepare_root(root: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(root)?;
    let metadata = fs::metadata(root)?;
    if metadata.mode() & 0o077 != 0 && metadata.uid() == rustix::process::geteuid().as_raw() {
        fs::set_permissions(root, Permissions::from_mode(0o700))?;
    }
    Ok(())
}

fn shown(slug: &Slug) -> &str {
    // Slugs are ASCII.
    slug.as_str().get(..SLUG_SHOWN).unwrap_or(slug.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slug(text: &str) -> Slug {
        text.parse().unwrap()
    }

    #[test]
    fn a_directory_is_private_and_goes_when_dropped() {
        let root = tempfile::tempdir().unwrap();
        let directory = Directory::create(&root.path().join("run"), &slug("lab"), &slug("peaks"), 7).unwrap();
        let path = directory.path.clone();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o700);
        assert!(path.file_name().unwrap().to_str().unwrap().starts_with("lab-peaks-7-"));
        assert_eq!(fs::read_dir(directory.standing_place()).unwrap().count(), 0);
        drop(directory);
        assert!(!path.exists());
    }

    #[test]
    fn long_slugs_fit_and_a_long_root_is_explained() {
        let root = tempfile::tempdir().unwrap();
        let long = slug(&"a".repeat(63));
        assert!(Directory::create(root.path(), &long, &long, u64::MAX).is_ok());
        let failure = Directory::create(&root.path().join("x".repeat(90)), &long, &long, 1).unwrap_err();
        assert!(failure.reason.contains("107") && failure.hint.contains("shorter"), "{failure}");
    }

    #[test]
    fn a_sweep_spares_the_living() {
        let root = tempfile::tempdir().unwrap();
        let living = Directory::create(root.path(), &slug("lab"), &slug("living"), 1).unwrap();
        let dead = root.path().join("dead");
        fs::create_dir(&dead).unwrap();
        let host = ProcessMark::of(rustix::process::getpid()).unwrap().of_another_time();
        fs::write(dead.join(RECORD), serde_json::to_vec(&Record { host, process: None }).unwrap()).unwrap();
        fs::create_dir(root.path().join("unrecorded")).unwrap();
        sweep(root.path()).unwrap();
        assert!(living.path.exists() && !dead.exists() && root.path().join("unrecorded").exists());
    }
}
