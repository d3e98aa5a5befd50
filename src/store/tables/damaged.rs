//! Files of tables that SQLite itself finds fault with.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use rusqlite::{Connection, OpenFlags};

/// Looks at every file of tables under `directory`, and gives those that are damaged, with the first thing that is wrong.
///
/// # Errors
/// The directory cannot be read.
pub async fn damaged(directory: PathBuf) -> io::Result<Vec<(PathBuf, String)>> {
    let looked = tokio::task::spawn_blocking(move || {
        let mut files = Vec::new();
        find(&directory, &mut files)?;
        Ok(files.into_iter().filter_map(|file| fault(&file).map(|problem| (file, problem))).collect())
    });
    looked.await.map_err(io::Error::other)?
}

fn find(directory: &Path, found: &mut Vec<PathBuf>) -> io::Result<()> {
    let entries = match fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        match entry.file_type()?.is_dir() {
            true => find(&entry.path(), found)?,
            false if entry.path().extension().is_some_and(|extension| extension == "sqlite") => found.push(entry.path()),
            false => {}
        }
    }
    Ok(())
}

fn fault(file: &Path) -> Option<String> {
    let checked = Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NOFOLLOW)
        .and_then(|connection| connection.query_row("pragma quick_check(1)", [], |row| row.get::<_, String>(0)));
    match checked {
        Ok(said) if said == "ok" => None,
        Ok(said) => Some(said),
        Err(error) => Some(error.to_string()),
    }
}
