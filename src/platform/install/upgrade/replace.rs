//! The switch: one transaction makes the new release the active one, and the route table follows.

use futures_util::future::BoxFuture;
use mint_context::{Result, secrets::Anew, settings};
use mint_domain::{Refusal, State};
use mint_store::{
    Tx, audit, history,
    installations::{self, Installation, Replacement},
};
use serde_json::{Value, json};

use super::super::Install;
use crate::{
    install::out_of_order,
    operation::{Step, Stop},
};

pub(super) const STEP: Step<Install> = Step { name: "switch", run, undo, would, may_be_cut: false };

fn run(install: &mut Install) -> BoxFuture<'_, Result<String, Stop>> {
    Box::pin(async move {
        let mut new = install.installation()?.clone();
        let old = install.replaced.clone().ok_or_else(|| out_of_order("old release"))?;
        let active = install.started.clone().ok_or_else(|| out_of_order("start"))?;
        new.state = State::Upgrading.after_all(State::Upgrading.toward_ready()).map_err(std::io::Error::other)?;
        let action = if install.unpacked.is_some() { "plugin.restore" } else { "plugin.upgrade" };
        write(install, old.generation, &new, action).await?;
        // One that was stopped has ended.
        install.old = install.platform.running().switch(&active);
        install.installation = Some(new);
        Ok(format!("{} answers", active.authority.manifest.plugin.version))
    })
}

fn would(install: &mut Install) -> BoxFuture<'_, Result<String, Stop>> {
    Box::pin(async move {
        let new = install.installation()?;
        let version = &install.release()?.manifest.plugin.version;
        Ok(format!("lets {version} answer under /api{}, {}", new.prefix, new.mode()))
    })
}

fn undo(install: &mut Install) -> BoxFuture<'_, ()> {
    Box::pin(async move {
        let (Some(old), Some(new)) = (install.replaced.clone(), install.installation.clone()) else { return };
        if new.state != State::Ready {
            // It was not switched.
            return;
        }
        if let Err(error) = write(install, new.generation, &old, "plugin.upgrade_undone").await {
            tracing::error!(installation.id = %old.id, error = %error, "the release that was there could not be put back");
            return;
        }
        match install.old.take() {
            Some(active) => drop(install.platform.running().switch(&active)),
            None => drop(install.platform.running().remove(new.tenant_id, new.id, Some(new.generation))),
        }
        if let Err(error) = forget(install, &new).await {
            tracing::warn!(installation.id = %old.id, error = %error, "that a release made way again could not be noted");
        }
        if let Some(installation) = &mut install.installation {
            installation.state = State::Upgrading;
        }
    })
}

/// Makes `row`'s release the active one, if the installation still stands at `generation`.
async fn write(install: &Install, generation: i64, row: &Installation, action: &str) -> Result<()> {
    let (platform, caller) = (&install.platform, &install.caller);
    let now = platform.services().clock.now();
    let plan = row.plan();
    let mut tx = install.begin().await?;
    let settings = match &install.unpacked {
        Some(_) => Some(row.settings.clone()),
        None => sealed(install, &mut tx, row).await?,
    };
    let replacement = Replacement {
        release: row.release_id,
        prefix: &row.prefix,
        plan: &plan,
        grants: &row.grants,
        limits: &row.limits,
        state: &row.state,
        settings: settings.as_ref(),
    };
    let replaced = installations::replace(&mut tx, row.tenant_id, row.id, generation, &replacement, now).await?;
    if replaced.is_none() {
        let message = format!("Plugin `{}` was changed by somebody else meanwhile.", row.slug);
        return Err(Refusal::conflict("installation", "generation", message).into());
    }
    history::begin(&mut tx, row.id, row.release_id, now).await?;
    let details = json!({ "release": row.release_id, "mode": row.mode(), "grants": row.grants, "limits": row.limits });
    let entry = audit::Entry {
        actor: &caller.actor.label(),
        action,
        entity: &format!("plugin:{}", row.slug),
        request_id: caller.request_id.as_str(),
        details: &details,
    };
    audit::record(&mut tx, row.tenant_id, &entry, now).await?;
    Ok(tx.commit().await?)
}

/// The settings that are stored, which stay as somebody may change them during an upgrade, with what the new release calls a secret
/// sealed. What it no longer calls one stays sealed until another value is written there.
async fn sealed(install: &Install, tx: &mut Tx, row: &Installation) -> Result<Option<Value>> {
    let Some(stored) = installations::lock(tx, row.tenant_id, row.id).await? else { return Ok(None) };
    let Some(release) = &install.release else { return Ok(None) };
    let services = install.platform.services();
    Ok(settings::sealed(services, row.tenant_id, &release.manifest, &stored.settings, Anew::Plain)?)
}

/// A release that made way again at once did not answer this time. One that had answered before is still kept.
async fn forget(install: &Install, new: &Installation) -> Result<()> {
    let mut tx = install.begin().await?;
    history::forget_last(&mut tx, new.id, new.release_id).await?;
    Ok(tx.commit().await?)
}
