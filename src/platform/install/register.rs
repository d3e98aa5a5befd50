//! Records the release and the installation, as Installing.

use futures_util::future::BoxFuture;
use mint_context::{Result, database};
use mint_domain::State;
use mint_store::{
    Error as StoreError, audit, history,
    installations::{self, NewInstallation},
    releases,
};
use serde_json::json;

use super::{Install, Kept, out_of_order};
use crate::operation::{Step, Stop};

pub(super) const STEP: Step<Install> = Step { name: "register", run, undo, may_be_cut: false };

fn run(install: &mut Install) -> BoxFuture<'_, Result<String, Stop>> {
    Box::pin(async move {
        let release = install.release()?.clone();
        let prefix = release.manifest.prefix().map_err(|_| out_of_order("prefix"))?;
        let (slug, now) = (release.manifest.plugin.slug.as_str(), install.platform.services().clock.now());
        let caller = install.caller.clone();
        install.platform.refuse_where_developed(caller.tenant, slug, &prefix)?;
        install.kept = Kept {
            tables: database::exist(install.platform.services(), &caller.tenant_slug, slug).await?,
            files: install.platform.layout().plugin_data(&caller.tenant_slug, slug).exists(),
        };
        let mut tx = install.begin().await?;
        releases::insert(&mut tx, &release.manifest, &release.digest, now).await?;
        let known = releases::find(&mut tx, slug, &release.manifest.plugin.version).await?;
        let row = known.filter(|known| known.digest == release.digest).ok_or_else(|| out_of_order("release row"))?;
        let new = NewInstallation {
            slug,
            release: row.id,
            prefix: prefix.as_str(),
            plan: install.plan()?,
            state: &State::Installing,
            grants: &install.grants,
            limits: &install.decision.limits,
        };
        let installation = installations::insert(&mut tx, caller.tenant, &new, now).await.map_err(|error| match error {
            StoreError::Duplicate { .. } => Stop::Refused(mint_domain::Refusal::conflict(
                "installation",
                "routes_prefix",
                format!("Another plugin answers under {} already.", prefix.public()),
            )),
            other => Stop::from(other),
        })?;
        history::begin(&mut tx, installation.id, row.id, now).await?;
        let details =
            json!({ "version": row.version, "digest": row.digest, "grants": install.grants, "mode": installation.mode() });
        let entity = format!("plugin:{slug}");
        audit::record(
            &mut tx,
            caller.tenant,
            &audit::Entry {
                actor: &caller.actor.label(),
                action: "plugin.install",
                entity: &entity,
                request_id: caller.request_id.as_str(),
                details: &details,
            },
            now,
        )
        .await?;
        tx.commit().await?;
        install.installation = Some(installation);
        Ok(format!("answers under {}", prefix.public()))
    })
}

fn undo(install: &mut Install) -> BoxFuture<'_, ()> {
    Box::pin(async move {
        let Some(installation) = install.installation.take() else { return };
        let removed = async {
            let mut tx = install.begin().await?;
            installations::delete(&mut tx, installation.tenant_id, installation.id).await?;
            releases::delete_unused(&mut tx, installation.release_id).await?;
            // Before the row: as long as it is there, somebody goes on with the install.
            discard(install, &installation.slug).await?;
            Ok::<_, mint_context::Error>(tx.commit().await?)
        };
        if let Err(error) = removed.await {
            tracing::error!(installation.id = %installation.id, error = %error, "an installation that was undone could not be removed");
        }
    })
}

/// Deletes the tables and files that were made for an installation that never was.
async fn discard(install: &Install, slug: &str) -> Result<()> {
    let (platform, tenant) = (&install.platform, &install.caller.tenant_slug);
    if !install.kept.tables {
        database::delete(platform.services(), tenant, slug).await?;
    }
    if !install.kept.files {
        match tokio::fs::remove_dir_all(platform.layout().plugin_data(tenant, slug)).await {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
            Ok(()) | Err(_) => {}
        }
    }
    Ok(())
}
