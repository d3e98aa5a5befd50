//! Files that come from the server: whole when they have their name, and readable by nobody else.

use std::path::Path;

use anyhow::{Context as _, bail};
use reqwest::Response;
use tokio::io::AsyncWriteExt as _;

use crate::{output::Output, progress::transfer};

/// Finds out, before anything is asked for, that a file would take the place of another.
///
/// # Errors
/// There is one of this name.
pub(crate) fn expect_absent(file: &Path) -> anyhow::Result<()> {
    if file.exists() {
        bail!("{} is there already; nothing was written", file.display());
    }
    Ok(())
}

/// Writes a body into a file once it has come whole and `check` finds it right, and gives its length. Until then it has another name,
/// under which nothing stays.
///
/// # Errors
/// It broke off, is not right, or cannot be written; or there is a file of this name by now.
pub(crate) async fn save(
    mut response: Response,
    file: &Path,
    (output, what): (Output, &'static str),
    check: impl FnOnce(&Path) -> anyhow::Result<()>,
) -> anyhow::Result<u64> {
    let unwritable = || format!("{} cannot be written", file.display());
    let directory = file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // Only its owner may read it, from the first byte on.
    let partial = tempfile::Builder::new().prefix(".mint-").suffix(".partial").tempfile_in(directory).with_context(unwritable)?;
    let mut target = tokio::fs::File::from_std(partial.reopen()?);
    let bar = transfer(output, what, response.content_length());
    let mut bytes = 0;
    while let Some(chunk) = response.chunk().await.with_context(|| format!("the {what} broke off; nothing was written"))? {
        target.write_all(&chunk).await.with_context(unwritable)?;
        bytes += chunk.len() as u64;
        bar.inc(chunk.len() as u64);
    }
    bar.finish_and_clear();
    target.sync_all().await.with_context(unwritable)?;
    check(partial.path())?;
    partial.persist_noclobber(file).with_context(unwritable)?;
    Ok(bytes)
}
