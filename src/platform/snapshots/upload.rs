//! A backup that comes as a file becomes a snapshot.

use std::collections::BTreeSet;

use mint_bundle::archive::Archive;
use mint_context::{Result, secrets::keys_of};
use mint_domain::{Kind, Permission, Refusal, ReleaseId};
use mint_store::{
    history,
    installations::Installation,
    snapshots::{self, NewSnapshot},
};
use rand::Rng as _;

use super::{
    about::About,
    keep::{ShownSnapshot, UPLOADED},
    put_back::UNPACKED_BYTES_MAX,
    take::{blocking, refused},
};
use crate::{Caller, Platform, install::Upload};

impl Platform {
    /// Keeps a backup among the snapshots of a plugin. It is put back with the release that it is of, where that is kept here, else
    /// with the one that answers.
    ///
    /// # Errors
    /// `PERMISSION_DENIED`, `NOT_FOUND`, `plugin.snapshot_broken`.
    pub async fn add_snapshot(&self, caller: &Caller, slug: &str, upload: Upload) -> Result<ShownSnapshot> {
        let _permit = caller.call(self.services()).permit_person(Permission::PluginsInstall)?;
        let (installation, release, secret_keys) = self.looked_through(caller, slug, &upload).await?;
        let name = format!("{:032x}.zip", rand::rng().random::<u128>());
        let written = self.services().snapshots.put_file(name.clone(), &upload.0).await?;
        let new = NewSnapshot {
            installation: installation.id,
            release,
            operation: None,
            reason: UPLOADED,
            taken_by: &caller.actor.label(),
            file: &name,
            sha256: format!("sha256:{}", written.sha256).parse().map_err(std::io::Error::other)?,
            size: i64::try_from(written.size).unwrap_or(i64::MAX),
            secret_keys: &secret_keys,
        };
        let mut tx = self.services().db.begin().await?;
        let id = snapshots::insert(&mut tx, caller.tenant, &new, self.services().clock.now()).await?;
        tx.commit().await?;
        Ok(self.snapshot(&installation, id).await?.into())
    }

    /// Whose backup a file is, and the release with which it would be put back.
    pub(crate) async fn whose_backup(&self, caller: &Caller, slug: &str, upload: &Upload) -> Result<(Installation, ReleaseId)> {
        let (installation, release, _) = self.looked_through(caller, slug, upload).await?;
        Ok((installation, release))
    }

    /// The same, with the names of the keys that its sealed settings need.
    async fn looked_through(
        &self,
        caller: &Caller,
        slug: &str,
        upload: &Upload,
    ) -> Result<(Installation, ReleaseId, BTreeSet<String>)> {
        let (installation, _) = self.find_installation(caller, slug).await?;
        let path = upload.0.to_path_buf();
        let opened = blocking(move || Archive::<About>::open(&path, None, UNPACKED_BYTES_MAX)).await?;
        let about = opened.map_err(refused)?.about;
        if about.plugin != slug {
            let message = format!("The backup is one of `{}`, not of `{slug}`.", about.plugin);
            return Err(Refusal::new(Kind::Conflict, "plugin.snapshot_broken", message).into());
        }
        let mut tx = self.services().db.read().await?;
        let known = history::list(&mut tx, installation.id).await?;
        let reign = known.iter().find(|reign| reign.version == about.version);
        let release = reign.map_or(installation.release_id, |reign| reign.release_id);
        Ok((installation, release, keys_of(&about.settings)))
    }
}
