//! Bundles in the storage, what was unpacked of them, and their front-ends.

use std::{collections::HashMap, fs, io, path::PathBuf};

use futures_util::TryStreamExt as _;
use mint_bundle::{FrontendBounds, frontend_place, take_frontend};
use mint_context::Result;
use mint_store::releases::{self, Release};

use super::{
    Finding, Fsck,
    files::{damage, tree},
};
use crate::{
    content::{bundle_name, open, refused},
    layout::FRONTEND,
};

impl Fsck {
    pub(super) async fn releases(&mut self) -> Result<()> {
        let known = releases::list(&mut self.services.db.read().await?).await?;
        for release in &known {
            self.bundle(release).await?;
            self.unpacked(release).await?;
            self.frontend(release).await?;
        }
        let bundles: HashMap<String, &Release> = known.iter().map(|release| (bundle_name(&release.digest), release)).collect();
        let stored: Vec<_> = self.services.bundles.list().try_collect().await?;
        for bundle in stored.into_iter().filter(|bundle| !bundles.contains_key(&bundle.name)) {
            let finding = Finding::mendable("bundle", &bundle.name, "it belongs to no release", "removed");
            let bundles = self.services.bundles.clone();
            self.mend(finding, async move { bundles.delete(&bundle.name).await }).await?;
        }
        let directories: HashMap<String, &Release> = known.iter().map(|release| (release.digest.hex(), release)).collect();
        for entry in fs::read_dir(self.layout.releases())? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if directories.contains_key(name.trim_end_matches(FRONTEND)) {
                continue;
            }
            let kind = if name.ends_with(FRONTEND) { "front-end" } else { "release" };
            let finding = Finding::mendable(kind, &name, "it belongs to no release", "removed");
            self.mend(finding, async move { Ok(tokio::fs::remove_dir_all(entry.path()).await?) }).await?;
        }
        Ok(())
    }

    /// Whether the storage has the bundle, whole.
    async fn bundle(&mut self, release: &Release) -> Result<()> {
        let (name, title) = (bundle_name(&release.digest), title(release));
        let again = "install the same bundle again";
        if self.services.bundles.find(&name).await?.is_none() {
            let problem = format!("its bundle is not in the storage; {again}");
            self.findings.push(Finding::lasting("bundle", title, problem));
            return Ok(());
        }
        let fetched = self.scratch()?;
        let file = fetched.path().join("bundle.mint");
        self.services.bundles.get_file(&name, &file).await?;
        let is_whole = matches!(super::files::digest(&file), Ok(found) if found == release.digest);
        if !is_whole {
            let problem = format!("its bundle in the storage was changed; {again}");
            let finding = Finding::mendable("bundle", title, problem, "what is there was removed");
            let bundles = self.services.bundles.clone();
            self.mend(finding, async move { bundles.delete(&name).await }).await?;
        }
        Ok(())
    }

    /// Whether what was unpacked is what the bundle says. Where nothing is, it is fetched when it is needed.
    async fn unpacked(&mut self, release: &Release) -> Result<()> {
        let directory = self.layout.release(&release.digest);
        if !directory.exists() {
            return Ok(());
        }
        let Some(problem) = damage(&directory, &release.manifest)? else { return Ok(()) };
        let finding = Finding::mendable("release", title(release), problem, "unpacked again from its bundle");
        let bundle = self.fetched(release).await?;
        let Some((scratch, file)) = bundle else {
            let problem = format!("{}, and its bundle is not there; install the same bundle again", finding.problem);
            self.findings.push(Finding::lasting("release", title(release), problem));
            return Ok(());
        };
        self.mend(finding, async move {
            let fresh = scratch.path().join("unpacked");
            let bundle = open(&file).await?;
            let made = fresh.clone();
            tokio::task::spawn_blocking(move || bundle.unpack(&made).map_err(refused)).await.map_err(io::Error::other)??;
            replace(&fresh, &directory)
        })
        .await
    }

    /// Whether the front-end is what would be taken out now.
    async fn frontend(&mut self, release: &Release) -> Result<()> {
        let (directory, target) = (self.layout.release(&release.digest), self.layout.frontend(&release.digest));
        if !directory.exists() || damage(&directory, &release.manifest)?.is_some() {
            return Ok(());
        }
        let scratch = self.scratch()?;
        let (fresh, manifest) = (scratch.path().join("front-end"), release.manifest.clone());
        let (made, place) = (fresh.clone(), frontend_place(&target));
        let taken = tokio::task::spawn_blocking(move || {
            take_frontend(&directory, &manifest, &made, place.as_deref(), &FrontendBounds::default())
        });
        let is_there = taken.await.map_err(io::Error::other)?.map_err(refused)?;
        let problem = match (is_there, target.exists()) {
            (true, true) if tree(&fresh)? != tree(&target)? => "it was changed",
            (true, false) => "it is gone",
            (false, true) => "the release has none",
            _ => return Ok(()),
        };
        let finding = Finding::mendable("front-end", title(release), problem, "taken out of the release again");
        self.mend(finding, async move {
            match is_there {
                true => replace(&fresh, &target),
                false => Ok(fs::remove_dir_all(&target)?),
            }
        })
        .await
    }

    /// The bundle of a release in a directory of its own; none where it is not in the storage, or not whole.
    async fn fetched(&self, release: &Release) -> Result<Option<(tempfile::TempDir, PathBuf)>> {
        let name = bundle_name(&release.digest);
        if self.services.bundles.find(&name).await?.is_none() {
            return Ok(None);
        }
        let scratch = self.scratch()?;
        let file = scratch.path().join("bundle.mint");
        self.services.bundles.get_file(&name, &file).await?;
        let is_whole = super::files::digest(&file)? == release.digest;
        Ok(is_whole.then_some((scratch, file)))
    }

    /// A directory beside the releases, so that what is made in it can be renamed to be one.
    pub(super) fn scratch(&self) -> Result<tempfile::TempDir> {
        Ok(tempfile::Builder::new().prefix(".fsck-").tempdir_in(self.layout.data())?)
    }
}

fn title(release: &Release) -> String {
    format!("{} {} ({})", release.slug, release.version, release.digest)
}

/// Puts a directory in the place of another.
fn replace(fresh: &std::path::Path, target: &std::path::Path) -> Result<()> {
    if target.exists() {
        fs::remove_dir_all(target)?;
    }
    fs::rename(fresh, target)?;
    Ok(fs::File::open(target.parent().unwrap_or(target))?.sync_all()?)
}
