//! Venvs in the cache that would not be used, since they are not whole.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use crate::venv;

/// Venvs that were begun and not completed, or whose interpreter is gone; with `remove`, they are removed.
///
/// # Errors
/// The cache cannot be read or changed.
pub fn broken_venvs(cache: &Path, remove: bool) -> io::Result<Vec<PathBuf>> {
    let mut broken = Vec::new();
    for plugin in directories(&cache.join("venvs"))? {
        for place in directories(&plugin)? {
            if place.extension().is_none() && !venv::is_complete(&place) {
                if remove {
                    fs::remove_dir_all(&place)?;
                }
                broken.push(place);
            }
        }
    }
    Ok(broken)
}

fn directories(parent: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(parent) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let paths = entries.map(|entry| entry.map(|entry| entry.path())).collect::<io::Result<Vec<_>>>()?;
    Ok(paths.into_iter().filter(|path| path.is_dir()).collect())
}
