//! Files that nobody wants any more.

use std::{
    collections::HashSet,
    fs, io,
    path::Path,
    time::{Duration, SystemTime},
};

use futures_util::TryStreamExt as _;
use mint_context::Result;
use mint_domain::{Digest, Mode};
use mint_store::releases;

use crate::{Platform, content::bundle_name, layout::FRONTEND, migrations::STAND_IN};

/// How old what stands among the releases must be before it is a leftover: an install may just be under way.
const LEFTOVER_AGE: Duration = Duration::from_secs(24 * 60 * 60);

impl Platform {
    /// Removes releases that no installation uses or keeps, and what in the caches has not been used for long.
    pub(crate) async fn tidy(&self) {
        for mode in [Mode::Shared, Mode::Isolated] {
            match self.runtime(mode).tidy(self.unused_for()).await {
                Ok(0) => {}
                Ok(removed) => tracing::info!(%mode, removed, "what nobody used was removed from the cache"),
                Err(error) => tracing::warn!(%mode, error = %error, "the cache could not be tidied"),
            }
        }
        match self.tidy_snapshots().await {
            Ok(0) => {}
            Ok(removed) => tracing::info!(removed, "archives of snapshots that nothing knows were removed"),
            Err(error) => tracing::warn!(error = &error as &dyn std::error::Error, "snapshots could not be tidied"),
        }
        match self.tidy_releases().await {
            Ok(0) => {}
            Ok(removed) => tracing::info!(removed, "releases that nothing uses were removed"),
            Err(error) => tracing::warn!(error = &error as &dyn std::error::Error, "releases could not be tidied"),
        }
        match self.tidy_stand_ins().await {
            Ok(0) => {}
            Ok(removed) => tracing::info!(removed, "directories of releases that were only asked were removed"),
            Err(error) => tracing::warn!(error = &error as &dyn std::error::Error, "directories of plugins could not be tidied"),
        }
        match self.tidy_bundles().await {
            Ok(0) => {}
            Ok(removed) => tracing::info!(removed, "bundles of releases that nothing uses were removed"),
            Err(error) => tracing::warn!(error = &error as &dyn std::error::Error, "bundles could not be tidied"),
        }
    }

    /// The same in the storage. An install that is under way has just written its bundle.
    async fn tidy_bundles(&self) -> Result<usize> {
        let mut tx = self.services().db.read().await?;
        let known: HashSet<String> = releases::list(&mut tx).await?.iter().map(|release| bundle_name(&release.digest)).collect();
        drop(tx);
        let then = self.services().clock.now() - LEFTOVER_AGE;
        let mut stored = std::pin::pin!(self.services().bundles.list());
        let mut removed = 0;
        while let Some(bundle) = stored.try_next().await? {
            if bundle.written_at < then && !known.contains(&bundle.name) {
                self.services().bundles.delete(&bundle.name).await?;
                removed += 1;
            }
        }
        Ok(removed)
    }

    async fn tidy_releases(&self) -> Result<usize> {
        let mut tx = self.services().db.read().await?;
        let known: HashSet<String> = releases::digests(&mut tx)
            .await?
            .iter()
            .filter_map(|digest| digest.parse::<Digest>().ok())
            .map(|digest| digest.hex())
            .collect();
        drop(tx);
        let (directory, now) = (self.layout().releases(), SystemTime::from(self.services().clock.now()));
        let removed = tokio::task::spawn_blocking(move || {
            let is_known = |name: &str| known.contains(name.trim_end_matches(FRONTEND));
            remove_leftovers(&directory, |name| !is_known(name), now - LEFTOVER_AGE)
        });
        Ok(removed.await.map_err(io::Error::other)??)
    }

    async fn tidy_stand_ins(&self) -> Result<usize> {
        let (directory, now) = (self.layout().all_plugin_data(), SystemTime::from(self.services().clock.now()));
        let removed = tokio::task::spawn_blocking(move || {
            let tenants = match fs::read_dir(&directory) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
                tenants => tenants?,
            };
            let mut removed = 0;
            for tenant in tenants {
                let tenant = tenant?;
                if tenant.file_type()?.is_dir() {
                    removed += remove_leftovers(&tenant.path(), |name| name.starts_with(STAND_IN), now - LEFTOVER_AGE)?;
                }
            }
            Ok::<_, io::Error>(removed)
        });
        Ok(removed.await.map_err(io::Error::other)??)
    }
}

/// Removes what stands in `directory` since before `then`, if its name is one of a leftover. Gives how many things.
fn remove_leftovers(directory: &Path, is_leftover: impl Fn(&str) -> bool, then: SystemTime) -> io::Result<usize> {
    let mut removed = 0;
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let changed = entry.metadata()?.modified()?;
        if is_leftover(&entry.file_name().to_string_lossy()) && changed < then {
            fs::remove_dir_all(entry.path())?;
            removed += 1;
        }
    }
    Ok(removed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_old_unknown_releases_are_leftovers() {
        let root = tempfile::tempdir().unwrap();
        let now = SystemTime::UNIX_EPOCH + LEFTOVER_AGE * 10_000;
        let then = now - LEFTOVER_AGE * 2;
        let old = ["known", "known.frontend", "gone", "gone.frontend", ".unpacking-x"].map(|name| (name, then));
        for (name, changed) in old.into_iter().chain([("fresh", now)]) {
            let path = root.path().join(name);
            fs::create_dir(&path).unwrap();
            fs::write(path.join("file"), "x").unwrap();
            fs::File::open(&path).unwrap().set_modified(changed).unwrap();
        }
        let is_leftover = |name: &str| !name.starts_with("known");
        assert_eq!(remove_leftovers(root.path(), is_leftover, now - LEFTOVER_AGE).unwrap(), 3);
        let mut left: Vec<_> = fs::read_dir(root.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, ["fresh", "known", "known.frontend"]);
    }
}
