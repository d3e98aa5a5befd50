//! A native executable of a bundle, made runnable.

use std::{
    fs, io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use mint_context::runtime::Release;
use mint_domain::{lifecycle::Failure, manifest::Process};

use crate::{SubprocessConfig, launch::Launch};

/// Copies the executable of a release into the cache, unless it is there, and tells how to start it.
///
/// # Errors
/// A [`Failure`] when it cannot be copied.
pub(crate) async fn ensure(config: &SubprocessConfig, release: &Release, process: &Process) -> Result<Launch, Failure> {
    let directory = config.cache_directory.join("executables").join(release.manifest.plugin.slug.as_str());
    let file = directory.join(release.digest.hex());
    let launch = Launch::Executable { file: file.clone(), args: process.args.clone() };
    let source = release.directory.join(&process.executable);
    let copied = tokio::task::spawn_blocking(move || if file.exists() { Ok(()) } else { copy(&source, &directory, &file) });
    copied.await.unwrap_or_else(|error| Err(io::Error::other(error))).map(|()| launch).map_err(|error| {
        Failure::new(
            "stage executable",
            format!("The executable `{}` cannot be copied into the cache: {error}.", process.executable),
            "Make room in the cache directory, and make it writable for the platform's user, then reload the plugin.",
        )
    })
}

/// Beside its place first, so that a half-made copy is never run.
fn copy(source: &Path, directory: &Path, file: &PathBuf) -> io::Result<()> {
    fs::create_dir_all(directory)?;
    let mut copy = tempfile::NamedTempFile::new_in(directory)?;
    io::copy(&mut fs::File::open(source)?, &mut copy)?;
    copy.as_file().set_permissions(fs::Permissions::from_mode(0o755))?;
    copy.as_file().sync_all()?;
    copy.persist(file)?;
    Ok(())
}
