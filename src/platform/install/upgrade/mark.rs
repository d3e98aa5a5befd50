//! Writes that the installation is Upgrading, and what to.

use futures_util::future::BoxFuture;
use mint_domain::{State, lifecycle::Event};
use mint_store::releases;

use super::{super::Install, changed_back};
use crate::{
    install::out_of_order,
    operation::{Step, Stop},
    state::advance,
};

pub(super) const STEP: Step<Install> = Step { name: "prepare", run, undo, would, may_be_cut: false };

fn run(install: &mut Install) -> BoxFuture<'_, Result<String, Stop>> {
    Box::pin(async move {
        let (release, platform) = (install.release()?.clone(), install.platform.clone());
        let (slug, version) = (release.manifest.plugin.slug.as_str(), &release.manifest.plugin.version);
        let mut tx = install.begin().await?;
        releases::insert(&mut tx, &release.manifest, &release.digest, platform.services().clock.now()).await?;
        let row = releases::find(&mut tx, slug, version).await?.filter(|row| row.digest == release.digest);
        let row = row.ok_or_else(|| out_of_order("release row"))?;
        tx.commit().await?;
        install.advance(|_| vec![Event::UpgradeBegan]).await?;
        if let Some(installation) = &mut install.installation {
            installation.release_id = row.id;
        }
        take_terms(install);
        let old = install.replaced.as_ref().map(|old| old.state.name()).unwrap_or_default();
        Ok(format!("was {old}"))
    })
}

fn would(install: &mut Install) -> BoxFuture<'_, Result<String, Stop>> {
    Box::pin(async move {
        let version = install.release()?.manifest.plugin.version.clone();
        take_terms(install);
        let was = install.replaced.as_ref().map(|old| old.state.name()).unwrap_or_default();
        Ok(format!("notes that {version} takes the place of what is there, which is {was}"))
    })
}

/// What was granted and decided holds for the new release.
fn take_terms(install: &mut Install) {
    if let Some(installation) = &mut install.installation {
        installation.grants = install.grants.clone();
        installation.limits = install.decision.limits.over(&installation.limits);
    }
}

fn undo(install: &mut Install) -> BoxFuture<'_, ()> {
    Box::pin(async move {
        let (Some(old), Some(new)) = (install.replaced.clone(), install.installation.clone()) else { return };
        let (platform, previous) = (install.platform.clone(), old.state.clone());
        let back = |state: &State| changed_back(state, previous);
        let undone = async {
            let mut tx = install.begin().await?;
            advance(&mut tx, old.tenant_id, old.id, back, platform.services().clock.now()).await?;
            releases::delete_unused(&mut tx, new.release_id).await?;
            Ok::<_, mint_context::Error>(tx.commit().await?)
        };
        if let Err(error) = undone.await {
            tracing::error!(installation.id = %old.id, error = %error, "what an upgrade had begun could not be taken back");
        }
    })
}
