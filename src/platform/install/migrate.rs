//! Brings the plugin's tables to what the release wants, before it starts: all that code of before could go on with, and
//! the rest too where there is none.

use futures_util::future::BoxFuture;
use mint_domain::{
    Capability, InstallationId, Kind, Refusal,
    migration::{self, Migration, Pending},
};
use mint_store::history;
use serde_json::json;

use super::Install;
use crate::{
    migrations::{History, refused},
    operation::{Step, Stop, nothing_to_undo},
    progress::Meter,
    start::Terms,
};

pub(super) const STEP: Step<Install> = Step { name: "migrate", run, undo: nothing_to_undo, would, may_be_cut: true };

fn run(install: &mut Install) -> BoxFuture<'_, Result<String, Stop>> {
    Box::pin(async move {
        let note = match find(install).await? {
            None => "no tables to change".to_owned(),
            Some(mut history) => {
                let pending = history.pending().map_err(|mismatch| Stop::Failed(refused(&mismatch)))?;
                let may_contract = install.decision.allow_destructive || is_alone(install).await?;
                let pending = if may_contract { pending.at_once() } else { pending };
                apply(&mut history, &pending, &install.meter()).await?
            }
        };
        install.advance(|state| state.toward_start()).await?;
        Ok(note)
    })
}

/// As [`STEP`], while the release of before answers: what it cannot go on with waits, and needs the administrator's word.
pub(super) async fn beside(install: &mut Install) -> Result<String, Stop> {
    let Some(mut history) = find(install).await? else { return Ok("no tables to change".to_owned()) };
    let pending = history.pending().and_then(|pending| migration::can_wait(&pending).map(|()| pending));
    let pending = pending.map_err(|mismatch| Stop::Failed(refused(&mismatch)))?;
    if !pending.contract.is_empty() && !install.decision.allow_destructive {
        return Err(Stop::Refused(unallowed(&pending.contract)));
    }
    apply(&mut history, &pending, &install.meter()).await
}

/// As [`STEP`], of tables that were put back while nothing answers.
pub(super) async fn restored(install: &mut Install) -> Result<String, Stop> {
    let Some(mut history) = find(install).await? else { return Ok("no tables to change".to_owned()) };
    let pending = history.pending().map_err(|mismatch| Stop::Failed(refused(&mismatch)))?;
    if install.decision.allow_destructive {
        return apply(&mut history, &pending.at_once(), &install.meter()).await;
    }
    match migration::can_wait(&pending) {
        Ok(()) => apply(&mut history, &pending, &install.meter()).await,
        Err(_) => Err(Stop::Refused(unallowed(&pending.contract))),
    }
}

fn would(install: &mut Install) -> BoxFuture<'_, Result<String, Stop>> {
    Box::pin(async move {
        let Some(pending) = pending(install).await? else { return Ok(unknown(install)) };
        let may_contract = install.decision.allow_destructive || install.installation.is_none() || is_alone(install).await?;
        Ok(words(&if may_contract { pending.at_once() } else { pending }))
    })
}

/// As [`would`], while the release of before answers.
pub(super) async fn would_beside(install: &mut Install) -> Result<String, Stop> {
    let Some(pending) = pending(install).await? else { return Ok(unknown(install)) };
    migration::can_wait(&pending).map_err(|mismatch| Stop::Failed(refused(&mismatch)))?;
    if !pending.contract.is_empty() && !install.decision.allow_destructive {
        return Err(Stop::Refused(unallowed(&pending.contract)));
    }
    Ok(words(&pending))
}

/// What is missing in the tables, so far as that can be known before anything is made of the release but what the cache keeps:
/// compiled code, or what its process runs from.
pub(super) async fn pending(install: &Install) -> Result<Option<Pending>, Stop> {
    let (plan, release, platform) = (install.plan()?, install.release()?, &install.platform);
    if !install.grants.allow(&Capability::Database) {
        return Ok(Some(Pending::default()));
    }
    if plan.findings.builds_component || install.decision.adopt.is_some() {
        return Ok(None);
    }
    platform.runtime(plan.mode).stage(release, &install.grants).await.map_err(Stop::Failed)?;
    let prefix = release.manifest.prefix().map_err(|error| Refusal::invalid(error.to_string()))?;
    let none = json!({});
    let laboratory = platform.laboratory_limits(install.caller.tenant).await.map_err(Stop::Failed)?;
    let terms = match &install.installation {
        Some(installation) => Terms { grants: &install.grants, ..Terms::of(installation, &laboratory) },
        None => Terms {
            id: InstallationId(0),
            prefix: prefix.as_str(),
            grants: &install.grants,
            limits: &install.decision.limits,
            laboratory: &laboratory,
            settings: &none,
            generation: 0,
            revision: 0,
        },
    };
    platform.foresee_migrations(&install.caller, &terms, plan.mode, release).await.map_err(Stop::Failed)
}

/// For a release that tells its migrations only when it can run.
fn unknown(install: &Install) -> String {
    let version = install.release.as_ref().map(|release| release.manifest.plugin.version.clone()).unwrap_or_default();
    format!("applies those migrations of {version} that its tables do not have, if there are any")
}

fn words(pending: &Pending) -> String {
    let mut words = match pending.expand.is_empty() {
        true => "no tables to change".to_owned(),
        false => format!("applies {}", names(&pending.expand)),
    };
    if !pending.contract.is_empty() {
        words.push_str(&format!("; later {}", names(&pending.contract)));
    }
    words
}

async fn find(install: &Install) -> Result<Option<History>, Stop> {
    let history = install.platform.history(&install.caller, install.installation()?, install.release()?).await;
    let mut history = history.map_err(Stop::Failed)?;
    if let Some(history) = &mut history {
        history.look().await.map_err(Stop::Failed)?;
    }
    Ok(history)
}

async fn apply(history: &mut History, pending: &Pending, meter: &Meter) -> Result<String, Stop> {
    let count = history.apply(&pending.expand, meter).await.map_err(Stop::Failed)?;
    let mut note = match pending.expand.last() {
        None => "the tables are as they are to be".to_owned(),
        Some(last) => format!("{count} applied, to revision {}", last.version),
    };
    if !pending.contract.is_empty() {
        note.push_str(&format!("; {} for later: {}", pending.contract.len(), names(&pending.contract)));
    }
    Ok(note)
}

/// Whether no other release ever answered, that somebody could go back to.
async fn is_alone(install: &Install) -> Result<bool, Stop> {
    let installation = install.installation()?;
    let mut tx = install.platform.services().db.read().await?;
    let reigns = history::list(&mut tx, installation.id).await?;
    Ok(reigns.iter().all(|reign| reign.release_id == installation.release_id))
}

fn unallowed(migrations: &[Migration]) -> Refusal {
    let message = format!(
        "The new release takes something away from the tables that the old one may use: {}. Once that is done, going back to the old \
         one needs `mint plugin reset`. Allow it with --allow-destructive (`allow_destructive`).",
        names(migrations)
    );
    Refusal::new(Kind::Conflict, "plugin.destructive_migrations", message).with(json!({ "migrations": migrations }))
}

/// Migrations in a line.
pub(crate) fn names(migrations: &[Migration]) -> String {
    let names: Vec<_> = migrations.iter().map(|one| format!("{} ({})", one.version, one.name)).collect();
    names.join(", ")
}
