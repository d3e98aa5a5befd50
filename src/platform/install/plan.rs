//! Decides where the release runs, and whether it may be installed beside what is there.

use futures_util::future::BoxFuture;
use mint_domain::Refusal;
use mint_store::{installations, releases};
use serde_json::json;

use super::Install;
use crate::operation::{Step, Stop, nothing_to_undo};

pub(super) const STEP: Step<Install> = Step { name: "plan", run, undo: nothing_to_undo };

fn run(install: &mut Install) -> BoxFuture<'_, Result<String, Stop>> {
    Box::pin(async move {
        let release = install.release()?.clone();
        let (slug, version) = (release.manifest.plugin.slug.as_str(), release.manifest.plugin.version.as_str());
        let mut tx = install.platform.services().db.read().await?;
        if let Some(known) = releases::find(&mut tx, slug, version).await?
            && known.digest != release.digest
        {
            return Err(Stop::Refused(
                Refusal::conflict(
                    "release",
                    "digest",
                    format!("{slug} {version} is known already with other contents. A changed bundle needs a new version."),
                )
                .with(json!({ "known": known.digest, "given": release.digest })),
            ));
        }
        if let Some(installed) = installations::find(&mut tx, install.caller.tenant, slug).await? {
            let active = releases::get(&mut tx, installed.release_id).await?;
            return Err(match active {
                Some(active) if active.digest == release.digest => {
                    Stop::Nothing(format!("{slug} {version} is installed already; nothing was changed."))
                }
                active => {
                    let version = active.map_or_else(|| "another version".to_owned(), |active| active.version);
                    let message =
                        format!("{slug} {version} is installed. Uninstall it first; its data is kept unless you purge it.");
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
