//! Decides where the new release runs, and whether it can take the place of the active one.

use futures_util::future::BoxFuture;
use mint_context::settings;
use mint_domain::Refusal;
use mint_store::installations;

use super::{
    super::{Install, plan},
    unfit,
};
use crate::operation::{Step, Stop, nothing_to_undo};

pub(super) const STEP: Step<Install> = Step { name: "plan", run, undo: nothing_to_undo, would: run, may_be_cut: false };

fn run(install: &mut Install) -> BoxFuture<'_, Result<String, Stop>> {
    Box::pin(async move {
        let (release, platform) = (install.release()?.clone(), install.platform.clone());
        let old = install.installation()?.clone();
        platform.bring(&release).await.map_err(unfit)?;
        let (slug, version) = (old.slug.as_str(), release.manifest.plugin.version.as_str());
        let mut tx = platform.services().db.read().await?;
        plan::check_contents(&mut tx, &release).await?;
        // The same release with other data is something to do.
        if install.unpacked.is_none() && installed_digest(&mut tx, &old).await? == Some(release.digest) {
            return Err(Stop::Nothing(format!("{slug} {version} is installed already; nothing was changed.")));
        }
        let prefix = release.manifest.prefix().map_err(|error| Refusal::invalid(error.to_string()))?;
        platform.refuse_where_developed(old.tenant_id, slug, &prefix)?;
        let others = installations::list(&mut tx, old.tenant_id).await?;
        if let Some(other) = others.iter().find(|other| other.id != old.id && other.prefix == prefix.as_str()) {
            let message = format!("Plugin `{}` answers under {} already.", other.slug, prefix.public());
            return Err(Stop::Refused(Refusal::conflict("installation", "routes_prefix", message)));
        }
        drop(tx);
        let stored = install.unpacked.as_ref().map_or(&old.settings, |unpacked| &unpacked.about.settings).clone();
        settings::check(&release.manifest, &stored, &platform.services().plugin_environment).map_err(|refusal| {
            let message = format!("The stored settings do not fit {version}: {} Change them first.", refusal.message);
            Refusal { message, ..refusal }
        })?;
        let plan = platform.decide_release(old.tenant_id, &release, install.decision.mode).await?;
        let plan = plan.map_err(|refused| Stop::Refused((*refused).into()))?;
        let note = format!("{version}, {}: {}", plan.mode, plan.reason);
        let mut new = old.clone();
        new.settings = stored;
        new.prefix = prefix.as_str().to_owned();
        new.adopt(plan.clone());
        install.plan = Some(plan);
        install.installation = Some(new);
        install.replaced = Some(old);
        Ok(note)
    })
}

async fn installed_digest(
    tx: &mut mint_store::Tx,
    installation: &installations::Installation,
) -> mint_store::Result<Option<mint_domain::Digest>> {
    Ok(mint_store::releases::get(tx, installation.release_id).await?.map(|active| active.digest))
}
