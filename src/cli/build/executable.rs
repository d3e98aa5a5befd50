//! A native program that the author has built.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use super::{BuildError, project::Project};

/// The program of `[build] executable`, if it is one.
pub(super) fn executable(project: &Project, path: &Path) -> Result<PathBuf, BuildError> {
    let file = project.dir.join(path);
    let bad = |message: &str| BuildError::project(&file, message);
    match fs::metadata(&file) {
        Ok(data) if !data.is_file() => Err(bad("is not a file; `executable` in mint.toml names the built program")),
        Ok(data) if data.permissions().mode() & 0o111 == 0 => Err(bad("is not executable: `chmod +x` it")),
        Ok(_) => Ok(file),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            Err(bad("does not exist; build the program first (in Rust: `cargo build --release`)"))
        }
        Err(source) => Err(BuildError::File { path: file, source }),
    }
}
