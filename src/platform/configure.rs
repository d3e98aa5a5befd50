//! Changing the settings of a plugin, as people do it. A plugin that refuses the new ones, or is unhealthy with them, keeps the
//! old ones, stored and running alike.
//!
//! What a plugin stores of its own (`settings:write`) is one transaction, which knows the new settings already: there is nothing
//! to undo, to resume or to watch, so it takes no lease and leaves no journal. It and a change that runs here see each other by
//! comparing what is stored.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use mint_context::{
    Call, Error, Result,
    runtime::HealthStatus,
    settings::{self, Proposal, Snapshot},
};
use mint_domain::{InstallationId, Kind, Manifest, OperationId, Permission, Refusal, Unsealed, lifecycle::Failure};
use mint_store::operations::Lease;
use serde_json::{Value, json};
use tokio::sync::oneshot;

use crate::{
    Caller, Platform,
    ended::Ended,
    launch::Foreseen,
    operation::{Change, Step, Stop, Subject, Work, nothing_to_undo, said},
};

const CONFIGURE: Change<Configure> = Change {
    kind: "configure",
    can_stop: false,
    steps: &[
        Step { name: "check", run: check, undo: nothing_to_undo, would: check, may_be_cut: false },
        Step { name: "apply", run: apply, undo: take_back, would: would_apply, may_be_cut: false },
        Step {
            name: "switch",
            run: switch,
            undo: store_back,
            would: |_| said("stores them; other servers hand them over within seconds"),
            may_be_cut: false,
        },
        Step {
            name: "trial",
            run: trial,
            undo: nothing_to_undo,
            would: |_| said("asks the plugin how it is; the old ones come back if it is unhealthy, and was not before"),
            may_be_cut: false,
        },
    ],
};

/// The change of a plugin's settings, and the names of its steps.
pub fn change() -> (&'static str, Vec<&'static str>) {
    CONFIGURE.names()
}

/// New settings.
#[derive(Clone, Debug)]
pub struct NewSettings {
    /// The revision of those that they take the place of.
    pub revision: String,
    /// A JSON object: what is stored from now on.
    pub values: Unsealed,
}

/// What came of new settings.
#[derive(Clone, Debug)]
pub enum Configured {
    /// They are in force. The operation is none for a plugin that is being developed.
    Now(Snapshot, Option<OperationId>),
    /// It was only asked what would be done.
    Would(Foreseen),
}

struct Configure {
    platform: Arc<Platform>,
    caller: Caller,
    lease: Option<Lease>,
    slug: String,
    installation: InstallationId,
    manifest: Arc<Manifest>,
    new: NewSettings,
    proposal: Option<Proposal>,
    was_unhealthy: bool,
    /// Whether the plugin has the new settings, and whether they are stored.
    handed: bool,
    stored: bool,
}

impl Platform {
    /// The settings of a plugin.
    ///
    /// # Errors
    /// `NOT_FOUND`, `PERMISSION_DENIED`.
    pub async fn plugin_settings(&self, caller: &Caller, slug: &str) -> Result<Snapshot> {
        let call = caller.call(self.services());
        // Who may not look is not told either whether there is such a plugin.
        let _permit = call.permit_person(Permission::PluginsView)?;
        let (installation, manifest) = self.whose_settings(caller, slug).await?;
        settings::inspect(&call, installation, &manifest).await
    }

    /// Replaces the stored settings of a plugin, if they are still at the revision that is given. Waits until that is done, which
    /// it is also when nobody waits any more.
    ///
    /// # Errors
    /// `CONFLICT`, also while another operation on the plugin runs, `VALIDATION_ERROR`, `NOT_FOUND`, `PERMISSION_DENIED`.
    pub async fn configure_plugin(
        self: &Arc<Self>,
        caller: &Caller,
        slug: &str,
        new: NewSettings,
        dry_run: bool,
    ) -> Result<Configured> {
        let call = caller.call(self.services());
        let _permit = call.permit_person(Permission::PluginsConfigure)?;
        let (installation, manifest) = self.whose_settings(caller, slug).await?;
        let mut configure = Configure {
            platform: self.clone(),
            caller: caller.clone(),
            lease: None,
            slug: slug.to_owned(),
            installation,
            manifest: manifest.clone(),
            new,
            proposal: None,
            was_unhealthy: false,
            handed: false,
            stored: false,
        };
        if dry_run {
            return Ok(Configured::Would(self.foresee(caller, slug.to_owned(), &CONFIGURE, &mut configure).await?));
        }
        if self.is_developed(installation) {
            let NewSettings { revision, values } = configure.new;
            return Ok(Configured::Now(settings::configure(&call, installation, &manifest, &revision, &values).await?, None));
        }
        self.run_configure(caller, configure).await
    }

    async fn run_configure(self: &Arc<Self>, caller: &Caller, mut configure: Configure) -> Result<Configured> {
        let (tell, told) = oneshot::channel();
        let input = json!({ "from": configure.new.revision });
        let subject = Subject { plugin: &configure.slug, kind: CONFIGURE.kind, input };
        let hold = self.begin_operation(caller, &subject).await?;
        let (id, platform) = (hold.lease.operation, self.clone());
        self.track(async move {
            let ended = platform.run_operation(hold, &CONFIGURE, &mut configure, failed).await;
            let settings = ended.and_then(Ended::into_result).and_then(|()| configure.settings());
            // Whoever asked may have gone.
            let _heard = tell.send(settings);
        });
        let settings = told.await.unwrap_or_else(|_| Err(mint_store::Error::LeaseLost.into()))?;
        Ok(Configured::Now(settings, Some(id)))
    }

    /// Tells what became of a change whose process died: nothing, if what was stored is still there.
    pub(crate) async fn end_configure(&self, caller: &Caller, slug: &str, input: &Value) -> Result<Ended> {
        let (installation, release) = self.find_installation(caller, slug).await?;
        let present = settings::inspect(&caller.call(self.services()), installation.id, &release.manifest).await?;
        if input.get("from").and_then(Value::as_str) != Some(present.revision.as_str()) {
            return Ok(Ended::Done(None));
        }
        let message = "The server stopped before the settings were stored. The old ones are in force; change them again.";
        Ok(Ended::Undone(Refusal::new(Kind::Unavailable, "plugin.interrupted", message)))
    }
}

impl Configure {
    fn call(&self) -> Call {
        self.caller.call(self.platform.services())
    }

    fn proposal(&self) -> Result<&Proposal> {
        let missing = || Error::from(std::io::Error::other("settings were changed before they were checked"));
        self.proposal.as_ref().ok_or_else(missing)
    }

    /// As they are once they are stored.
    fn settings(&self) -> Result<Snapshot> {
        Ok(self.proposal()?.stored(&self.call(), &self.manifest))
    }

    /// Names of what would change, never values: they may be secrets.
    fn changed(&self) -> Vec<&String> {
        self.proposal.as_ref().map(Proposal::changed).unwrap_or_default()
    }

    /// Whether it runs here, and says that it does not work.
    async fn is_unhealthy(&self) -> Option<String> {
        let active = self.platform.running().get(self.installation)?;
        let health = self.platform.check_health(&active).await;
        let unhealthy = health.status == HealthStatus::Unhealthy;
        unhealthy.then(|| health.message.unwrap_or_else(|| "it does not say why.".to_owned()))
    }

    /// Gives the plugin what is stored, if it has something else.
    async fn give_back(&mut self) {
        if std::mem::take(&mut self.handed) {
            settings::take_back(&self.call(), self.installation, &self.manifest).await;
        }
    }
}

impl Work for Configure {
    fn hold(&mut self, lease: Lease) {
        self.lease = Some(lease);
    }

    fn let_go(&mut self) -> BoxFuture<'_, ()> {
        Box::pin(self.give_back())
    }
}

fn check(configure: &mut Configure) -> BoxFuture<'_, Result<String, Stop>> {
    Box::pin(async move {
        let NewSettings { revision, values } = configure.new.clone();
        let call = configure.call();
        let proposal = settings::propose(&call, configure.installation, &configure.manifest, &revision, &values).await?;
        configure.proposal = Some(proposal);
        let changed: Vec<_> = configure.changed().into_iter().map(|name| format!("`{name}`")).collect();
        Ok(if changed.is_empty() { "nothing differs".to_owned() } else { format!("to change: {}", changed.join(", ")) })
    })
}

fn apply(configure: &mut Configure) -> BoxFuture<'_, Result<String, Stop>> {
    Box::pin(async move {
        if configure.platform.running().get(configure.installation).is_none() {
            return Ok("it does not run here".to_owned());
        }
        configure.was_unhealthy = configure.is_unhealthy().await.is_some();
        configure.proposal()?.hand_over(&configure.call(), configure.installation, &configure.manifest).await?;
        configure.handed = true;
        Ok("taken by the plugin".to_owned())
    })
}

fn would_apply(configure: &mut Configure) -> BoxFuture<'_, Result<String, Stop>> {
    said(match configure.platform.running().get(configure.installation) {
        Some(_) => "hands them to the plugin; what it refuses changes nothing",
        None => "does nothing: the plugin does not run here",
    })
}

fn take_back(configure: &mut Configure) -> BoxFuture<'_, ()> {
    Box::pin(configure.give_back())
}

fn switch(configure: &mut Configure) -> BoxFuture<'_, Result<String, Stop>> {
    Box::pin(async move {
        write(configure, true).await?;
        configure.stored = true;
        Ok("stored".to_owned())
    })
}

fn store_back(configure: &mut Configure) -> BoxFuture<'_, ()> {
    Box::pin(async move {
        if !std::mem::take(&mut configure.stored) {
            return;
        }
        if let Err(stop) = write(configure, false).await {
            tracing::error!(plugin.slug = configure.slug, error = ?stop,
                "settings with which a plugin is unhealthy could not be taken back; change them");
        }
    })
}

/// Stores the new settings, or the old ones again. It fails where others stand there by now.
async fn write(configure: &Configure, new: bool) -> Result<(), Stop> {
    let (call, caller, proposal) = (configure.call(), &configure.caller, configure.proposal()?.clone());
    let proposal = if new { proposal } else { proposal.reversed() };
    let mut tx = configure.platform.begin_under(configure.lease).await?;
    proposal.store(&mut tx, &call, configure.installation).await?;
    let details = json!({ "settings": configure.changed(), "undone": !new });
    caller.note(&mut tx, "plugin.configure", &configure.slug, &details, call.services.clock.now()).await?;
    Ok(tx.commit().await?)
}

fn trial(configure: &mut Configure) -> BoxFuture<'_, Result<String, Stop>> {
    Box::pin(async move {
        match configure.is_unhealthy().await {
            Some(words) if configure.handed && !configure.was_unhealthy => {
                let words = configure.proposal()?.scrubbed(&configure.call(), &configure.manifest, &words);
                let message = format!("With these settings the plugin is unhealthy, and has the old ones again: {words}");
                let refusal = Refusal::new(Kind::Unprocessable, "plugin.settings_unfit", message);
                Err(Stop::Refused(refusal.with(json!({ "plugin": configure.slug }))))
            }
            Some(_) => Ok("as unhealthy as before".to_owned()),
            None => Ok("not unhealthy".to_owned()),
        }
    })
}

/// No step of this ends in a plugin's failure.
fn failed(configure: &mut Configure, failure: Failure) -> BoxFuture<'_, ()> {
    tracing::error!(plugin.slug = configure.slug, error = %failure, "the settings of a plugin could not be changed");
    Box::pin(std::future::ready(()))
}
