//! A plugin's own files, out into a snapshot and back. Blocks. The plugin may write meanwhile, and may try to have the
//! platform read or write somewhere else: no link is ever followed.

use std::{
    fs, io,
    io::Read as _,
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _, lchown},
    path::{Component, Path, PathBuf},
};

use mint_store::tables::saved::{Part, Parts};
use rustix::{
    fd::OwnedFd,
    fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, openat, statat},
    io::Errno,
};

use super::about::SavedFile;

/// What may be lost at any time is not kept.
const CACHE: &str = "cache";
/// Files and directories of one plugin.
const FILES_MAX: usize = 200_000;
/// Directories within each other.
const DEPTH_MAX: usize = 64;
/// Bytes that are handed on together.
const BATCH_BYTES: usize = 256 << 10;
/// What happens to somebody who looks for what has just gone.
const GONE: [Errno; 3] = [Errno::NOENT, Errno::LOOP, Errno::NOTDIR];
/// What the permissions of a file are made of.
const MODE_BITS: u32 = 0o777;

/// A walk over a plugin's directory.
struct Walk<'a> {
    parts: Option<&'a Parts>,
    found: Vec<SavedFile>,
    bytes: u64,
}

/// Bytes of the files in a plugin's directory.
///
/// # Errors
/// As [`save`].
pub(super) fn size(home: &Path) -> io::Result<u64> {
    walk(home, None).map(|walk| walk.bytes)
}

/// Hands out every file of a plugin's directory, but for its cache, and gives what there is.
///
/// # Errors
/// Something cannot be read, has a name that is no text, or there is too much.
pub(super) fn save(home: &Path, parts: &Parts) -> io::Result<Vec<SavedFile>> {
    walk(home, Some(parts)).map(|walk| walk.found)
}

fn walk<'a>(home: &Path, parts: Option<&'a Parts>) -> io::Result<Walk<'a>> {
    let mut walk = Walk { parts, found: Vec::new(), bytes: 0 };
    match openat(CWD, home, directory_flags(), Mode::empty()) {
        Ok(root) => walk.directory(&root, "", 0)?,
        Err(Errno::NOENT) => {}
        Err(error) => return Err(error.into()),
    }
    Ok(walk)
}

fn directory_flags() -> OFlags {
    OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC
}

impl Walk<'_> {
    fn directory(&mut self, directory: &OwnedFd, path: &str, depth: usize) -> io::Result<()> {
        if depth > DEPTH_MAX {
            return Err(io::Error::other(format!("the plugin's directory `{path}` is too deep")));
        }
        let mut names = Vec::new();
        for entry in Dir::read_from(directory)? {
            let entry = entry?;
            let name =
                entry.file_name().to_str().map_err(|_| io::Error::other(format!("a file name in `{path}/` is not UTF-8")))?;
            let is_left_out = matches!(name, "." | "..") || (depth == 0 && name == CACHE);
            if !is_left_out {
                names.push(name.to_owned());
            }
            if names.len() + self.found.len() > FILES_MAX {
                return Err(io::Error::other(format!("the plugin has more than {FILES_MAX} files")));
            }
        }
        names.sort();
        for name in names {
            let below = if path.is_empty() { name.clone() } else { format!("{path}/{name}") };
            match self.one(directory, &name, &below, depth) {
                // Gone, or made into something else, since it was listed.
                Err(error) if GONE.iter().any(|gone| error.raw_os_error() == Some(gone.raw_os_error())) => {}
                done => done?,
            }
        }
        Ok(())
    }

    fn one(&mut self, directory: &OwnedFd, name: &str, path: &str, depth: usize) -> io::Result<()> {
        let stat = statat(directory, name, AtFlags::SYMLINK_NOFOLLOW)?;
        let mode = stat.st_mode & MODE_BITS;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => {
                let opened = openat(directory, name, directory_flags(), Mode::empty())?;
                self.found.push(SavedFile { path: path.to_owned(), entry: None, mode });
                self.directory(&opened, path, depth + 1)
            }
            FileType::RegularFile => {
                // What became a pipe meanwhile must not make us wait.
                let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
                let file = fs::File::from(openat(directory, name, flags, Mode::empty())?);
                let metadata = file.metadata()?;
                if !metadata.is_file() {
                    return Ok(());
                }
                self.bytes += metadata.len();
                let entry = format!("files/{}", self.found.len());
                if let Some(parts) = self.parts {
                    hand_on(parts, &entry, file.take(metadata.len()))?;
                }
                self.found.push(SavedFile { path: path.to_owned(), entry: Some(entry), mode });
                Ok(())
            }
            // Links, pipes, sockets.
            _ => Ok(()),
        }
    }
}

fn hand_on(parts: &Parts, entry: &str, mut file: impl io::Read) -> io::Result<()> {
    let send = |part| parts.blocking_send(part).map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe));
    send(Part::Entry(entry.to_owned()))?;
    loop {
        let mut batch = Vec::with_capacity(BATCH_BYTES);
        (&mut file).take(BATCH_BYTES as u64).read_to_end(&mut batch)?;
        if batch.is_empty() {
            return Ok(());
        }
        send(Part::Bytes(batch))?;
    }
}

/// Puts files, whose entries stand in `unpacked`, in the place of everything in a plugin's directory. The plugin must not
/// run. What fails before the last moment leaves everything as it was.
///
/// # Errors
/// The disk's, or a path that leads out of the directory.
pub(super) fn put_back(home: &Path, saved: &[SavedFile], unpacked: &Path) -> io::Result<()> {
    let (staged, replaced) = (beside(home, ".restoring"), beside(home, ".replaced"));
    remove(&staged)?;
    let old = match fs::symlink_metadata(home) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        found => Some(found?),
    };
    if saved.is_empty() && old.is_none() {
        return remove(&replaced);
    }
    let parent = home.parent().unwrap_or(home);
    fs::create_dir_all(parent)?;
    fs::DirBuilder::new().mode(0o700).create(&staged)?;
    for file in saved {
        let target = staged.join(plain(&file.path)?);
        match &file.entry {
            None => fs::create_dir(&target)?,
            Some(entry) => {
                fs::copy(unpacked.join(plain(entry)?), &target)?;
                fs::File::open(&target)?.sync_all()?;
            }
        }
    }
    // From the innermost outwards: a directory may be one that nobody can enter.
    for file in saved.iter().rev() {
        let target = staged.join(plain(&file.path)?);
        fs::set_permissions(&target, fs::Permissions::from_mode(file.mode & MODE_BITS))?;
        give(&target, old.as_ref())?;
    }
    if let Some(old) = &old {
        fs::set_permissions(&staged, fs::Permissions::from_mode(old.mode() & MODE_BITS))?;
    }
    give(&staged, old.as_ref())?;
    if old.is_some() {
        remove(&replaced)?;
        fs::rename(home, &replaced)?;
    }
    fs::rename(&staged, home)?;
    fs::File::open(parent)?.sync_all()?;
    remove(&replaced)
}

/// The owner is that of the plugin's directory.
fn give(path: &Path, like: Option<&fs::Metadata>) -> io::Result<()> {
    match like {
        Some(like) if rustix::process::geteuid().is_root() => lchown(path, Some(like.uid()), Some(like.gid())),
        _ => Ok(()),
    }
}

/// A path that stays below where it is joined to.
fn plain(path: &str) -> io::Result<&Path> {
    let path = Path::new(path);
    let stays = path.components().all(|part| matches!(part, Component::Normal(_))) && path.components().next().is_some();
    if stays { Ok(path) } else { Err(io::Error::other(format!("the path `{}` is not one of a plugin's file", path.display()))) }
}

fn beside(home: &Path, end: &str) -> PathBuf {
    let mut name = home.as_os_str().to_owned();
    name.push(end);
    name.into()
}

fn remove(directory: &Path) -> io::Result<()> {
    match fs::remove_dir_all(directory) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn files_go_out_and_come_back_and_links_are_not_followed() {
        let root = tempfile::tempdir().unwrap();
        let (home, unpacked) = (root.path().join("p"), root.path().join("unpacked"));
        let secret = root.path().join("secret");
        fs::write(&secret, "secret").unwrap();
        fs::create_dir_all(home.join("artifacts/empty")).unwrap();
        fs::create_dir_all(home.join("cache")).unwrap();
        fs::create_dir_all(unpacked.join("files")).unwrap();
        fs::write(home.join("artifacts/a b.txt"), "kept").unwrap();
        fs::write(home.join("cache/x"), "not kept").unwrap();
        symlink(&secret, home.join("artifacts/link")).unwrap();
        symlink(root.path(), home.join("out")).unwrap();

        let (parts, mut received) = tokio::sync::mpsc::channel(100);
        let saved = save(&home, &parts).unwrap();
        drop(parts);
        let mut entry = None;
        while let Some(part) = received.blocking_recv() {
            match part {
                Part::Entry(name) => entry = Some(name),
                Part::Bytes(bytes) => fs::write(unpacked.join(entry.take().unwrap()), bytes).unwrap(),
            }
        }
        let paths: Vec<_> = saved.iter().map(|file| file.path.as_str()).collect();
        assert_eq!(paths, ["artifacts", "artifacts/a b.txt", "artifacts/empty"]);
        assert_eq!(size(&home).unwrap(), 4);

        fs::write(home.join("artifacts/later"), "later").unwrap();
        fs::write(home.join("artifacts/a b.txt"), "changed").unwrap();
        put_back(&home, &saved, &unpacked).unwrap();
        assert_eq!(fs::read_to_string(home.join("artifacts/a b.txt")).unwrap(), "kept");
        assert!(home.join("artifacts/empty").is_dir() && !home.join("artifacts/later").exists());
        assert_eq!(fs::read_to_string(&secret).unwrap(), "secret");

        for bad in ["../x", "/x", "a/../../x", "", "."] {
            let file = SavedFile { path: bad.to_owned(), entry: None, mode: 0o700 };
            assert!(put_back(&home, &[file], &unpacked).is_err(), "{bad}");
        }
        assert!(home.join("artifacts/a b.txt").is_file());
    }
}
