//! Decides where the new release runs, and whether it can take the place of the active one.

use futures_util::future::BoxFuture;
use mint_context::{secrets::Anew, settings};
use mint_domain::{Manifest, Refusal};
use mint_store::installations::{self, Installation};
use serde_json::Value;

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
        let (stored, left_out) = stored(install, &old, &release.manifest)?;
        settings::fit(platform.services(), old.tenant_id, &release.manifest, &stored).map_err(|refusal| {
            let message = format!("The stored settings do not fit {version}: {} Change them first.", refusal.message);
            Refusal { message, ..refusal }
        })?;
        let plan = platform.decide_release(old.tenant_id, &release, install.decision.mode).await?;
        let plan = plan.map_err(|refused| Stop::Refused((*refused).into()))?;
        let note = format!("{version}, {}: {}{left_out}", plan.mode, plan.reason);
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

/// The settings with which it would run, and words about secrets of a backup that cannot be among them.
fn stored(install: &Install, old: &Installation, manifest: &Manifest) -> Result<(Value, String), Stop> {
    let (services, tenant) = (install.platform.services(), old.tenant_id);
    let Some(unpacked) = &install.unpacked else { return Ok((old.settings.clone(), String::new())) };
    let (stored, locked) = settings::without_locked(services, tenant, manifest, &unpacked.about.settings);
    let stored = settings::sealed(services, tenant, manifest, &stored, Anew::Plain)?.unwrap_or(stored);
    let names: Vec<_> = locked.iter().map(|name| format!("`{name}`")).collect();
    let left_out = match names.as_slice() {
        [] => String::new(),
        names => format!(" Without {}, sealed for another place or with a key that is not here: set it anew.", names.join(", ")),
    };
    Ok((stored, left_out))
}

async fn installed_digest(
    tx: &mut mint_store::Tx,
    installation: &Installation,
) -> mint_store::Result<Option<mint_domain::Digest>> {
    Ok(mint_store::releases::get(tx, installation.release_id).await?.map(|active| active.digest))
}
