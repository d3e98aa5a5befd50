//! Installing a plugin with what an earlier installation of it left behind: its tables, files and settings have their
//! names again, and are the new installation's.

use futures_util::future::BoxFuture;
use mint_context::{Error, Result, secrets::Anew, settings};
use mint_domain::{ArchiveName, Refusal};
use mint_store::{
    archives::{self, Archive},
    installations,
};
use serde_json::{Value, json};

use super::{Install, approve, failed, frontend, migrate, out_of_order, plan, register, stage, start, switch, verify};
use crate::{
    Caller, Platform,
    archives::archive_of,
    lease::Hold,
    operation::{Change, Step, Stop},
};

const ADOPT: Step<Install> = Step { name: "adopt", run, undo, would, may_be_cut: false };

/// As an install.
pub(super) const INSTALL_WITH: Change<Install> = Change {
    kind: "adopt",
    can_stop: true,
    steps: &[
        verify::STEP,
        frontend::STEP,
        plan::STEP,
        approve::STEP,
        register::STEP,
        ADOPT,
        stage::STEP,
        migrate::STEP,
        start::STEP,
        switch::STEP,
    ],
};

/// What is left of it once there is an installation.
const REST: Change<Install> =
    Change { kind: "adopt", can_stop: false, steps: &[ADOPT, stage::STEP, migrate::STEP, start::STEP, switch::STEP] };

impl Platform {
    /// Finishes an install with an archive whose process died.
    pub(crate) async fn resume_adopt(
        self: &std::sync::Arc<Self>,
        caller: Caller,
        slug: &str,
        input: &Value,
        hold: Hold,
    ) -> Result<()> {
        let mut install = Install::resume(self.clone(), caller, slug).await?;
        install.decision.adopt = archive_of(input);
        self.run_operation(hold, &REST, &mut install, failed).await.map(drop)
    }
}

fn name(install: &Install) -> Result<ArchiveName, Stop> {
    install.decision.adopt.clone().ok_or_else(|| out_of_order("archive"))
}

/// The archive, if it is there, whose settings fit the release.
async fn fitting(install: &Install, name: &ArchiveName) -> Result<Option<Archive>, Stop> {
    let services = install.platform.services();
    let found = archives::find(&mut services.db.read().await?, install.caller.tenant, name).await?;
    let Some(archive) = found else { return Ok(None) };
    let manifest = &install.release()?.manifest;
    let (services, tenant) = (&**services, install.caller.tenant);
    settings::fit(services, tenant, manifest, &archive.settings).map_err(|refusal| {
        let message = format!(
            "The archived settings do not fit {}: {} Install {} with them, change them, and upgrade.",
            manifest.plugin.version, refusal.message, archive.version
        );
        Refusal { message, ..refusal }
    })?;
    Ok(Some(archive))
}

fn would(install: &mut Install) -> BoxFuture<'_, Result<String, Stop>> {
    Box::pin(async move {
        let name = name(install)?;
        let version = fitting(install, &name).await?.map(|archive| archive.version).unwrap_or_default();
        Ok(format!("gives it the tables, files and settings of {name}, which are of {version}"))
    })
}

fn run(install: &mut Install) -> BoxFuture<'_, Result<String, Stop>> {
    Box::pin(async move {
        let (platform, name) = (install.platform.clone(), name(install)?);
        let (tenant, row) = (install.caller.tenant, install.installation()?.clone());
        // It was done before the server died.
        let Some(archive) = fitting(install, &name).await? else { return Ok(format!("{name} is its own again")) };
        // From here on there is something to undo.
        install.adopted = Some(archive.clone());
        platform.take_out(&install.caller, &name).await?;
        let (services, manifest) = (platform.services(), install.release()?.manifest.clone());
        let sealed = settings::sealed(services, tenant, &manifest, &archive.settings, Anew::Plain);
        let stored = sealed.map_err(Error::from)?.unwrap_or_else(|| archive.settings.clone());
        let now = services.clock.now();
        let mut tx = install.begin().await?;
        installations::swap_settings(&mut tx, tenant, row.id, &row.settings, &stored, now).await?;
        archives::delete(&mut tx, tenant, &name).await?;
        install.caller.note(&mut tx, "plugin.adopt", &row.slug, &json!({ "archive": name }), now).await?;
        tx.commit().await?;
        if let Some(installation) = &mut install.installation {
            installation.settings = stored;
        }
        Ok(format!("{name} is its own again"))
    })
}

fn undo(install: &mut Install) -> BoxFuture<'_, ()> {
    Box::pin(async move {
        let Some(archive) = install.adopted.take() else { return };
        let put_away = async {
            // First the row: whoever finds this interrupted adopts it once more.
            let mut tx = install.begin().await?;
            archives::insert(&mut tx, &archive).await?;
            tx.commit().await?;
            install.platform.put_away(&install.caller, &archive.name).await
        };
        if let Err(error) = put_away.await {
            tracing::error!(archive = %archive.name, error = &error as &dyn std::error::Error,
                "what was adopted could not be archived again; it stays as data that the plugin has");
        }
    })
}
