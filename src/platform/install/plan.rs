//! Decides where the release runs, and whether it may be installed beside what is there.

use futures_util::future::BoxFuture;
use mint_context::runtime::Release;
use mint_domain::Refusal;
use mint_store::{Tx, installations, releases};
use serde_json::json;

use super::Install;
use crate::operation::{Step, Stop, nothing_to_undo};

pub(super) const STEP: Step<Install> = Step { name: "plan", run, undo: nothing_to_undo, would: run, may_be_cut: false };

fn run(install: &mut Install) -> BoxFuture<'_, Result<String, Stop>> {
    Box::pin(async move {
        let release = install.release()?.clone();
        let (slug, version) = (release.manifest.plugin.slug.as_str(), release.manifest.plugin.version.as_str());
        let mut tx = install.platform.services().db.read().await?;
        check_contents(&mut tx, &release).await?;
        if let Some(installed) = installations::find(&mut tx, install.caller.tenant, slug).await? {
            let active = releases::get(&mut tx, installed.release_id).await?;
            return Err(match active {
                Some(active) if active.digest == release.digest => {
                    Stop::Nothing(format!("{slug} {version} is installed already; nothing was changed."))
                }
                active => {
                    let version = active.map_or_else(|| "another version".to_owned(), |active| active.version);
                    let message = format!("{slug} {version} is installed. Upgrade it, to put another release in its place.");
                    Stop::Refused(Refusal::conflict("installation", "slug", message))
                }
            });
        }
        drop(tx);
        let plan = install.platform.decide_release(install.caller.tenant, &release, install.decision.mode).await?;
        let plan = plan.map_err(|refused| Stop::Refused((*refused).into()))?;
        let note = format!("{}: {}", plan.mode, plan.reason);
        install.plan = Some(plan);
        Ok(note)
    })
}

/// Passes if the version of `release` is not known with other contents.
pub(super) async fn check_contents(tx: &mut Tx, release: &Release) -> Result<(), Stop> {
    let (slug, version) = (release.manifest.plugin.slug.as_str(), release.manifest.plugin.version.as_str());
    match releases::find(tx, slug, version).await? {
        Some(known) if known.digest != release.digest => {
            let message = format!("{slug} {version} is known already with other contents. A changed bundle needs a new version.");
            let refusal = Refusal::conflict("release", "digest", message);
            Err(Stop::Refused(refusal.with(json!({ "known": known.digest, "given": release.digest }))))
        }
        Some(_) | None => Ok(()),
    }
}
