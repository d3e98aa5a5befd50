//! What to say of a plugin that is installed, but does not answer.

use mint_domain::{InstallationId, Kind, Permission, Refusal, State, lifecycle::Failure};
use mint_store::installations::{self, Installation};
use serde_json::json;
use time::OffsetDateTime;

use crate::{Caller, Platform, routes};

/// When to ask again while a plugin is being started, in seconds.
const RETRY_AFTER_S: u32 = 2;

impl Platform {
    /// The refusal for a path whose plugin does not answer now; none when no plugin, or another than `only`, is installed
    /// there, or the person may not use plugins.
    pub(crate) async fn not_ready(&self, caller: &Caller, only: Option<InstallationId>, path: &str) -> Option<Refusal> {
        let _permit = caller.call(self.services()).permit_person(Permission::PluginsUse).ok()?;
        let installed = async {
            let mut tx = self.services().db.read().await?;
            installations::list(&mut tx, caller.tenant).await
        };
        match installed.await {
            Ok(installed) => {
                let longest = installed
                    .into_iter()
                    .filter(|installation| routes::is_below(path, &format!("/api{}", installation.prefix)))
                    .max_by_key(|installation| installation.prefix.len())
                    .filter(|longest| only.is_none_or(|only| only == longest.id))
                    .filter(|longest| caller.actor.sees_plugin(&longest.slug))?;
                Some(refusal(&longest, self.failure_here(&longest), self.services().clock.now()))
            }
            Err(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "it could not be found out which plugin should answer");
                Some(mint_context::Error::from(error).public())
            }
        }
    }

    /// Why a plugin that is to run could not be started on this server.
    pub(crate) fn failure_here(&self, row: &Installation) -> Option<Failure> {
        let here = self.failed_here().get(&row.id).cloned()?;
        (here.generation == row.generation && row.state.serves()).then_some(here.failure)
    }
}

/// The refusal for a plugin that an administrator does not want to answer.
pub(crate) fn disabled(slug: &str) -> Refusal {
    let message = format!("The plugin `{slug}` is disabled. An administrator can enable it again.");
    Refusal::new(Kind::Unavailable, "plugin.disabled", message).with(json!({ "plugin": slug, "state": State::Disabled.name() }))
}

fn refusal(installation: &Installation, here: Option<Failure>, now: OffsetDateTime) -> Refusal {
    let slug = &installation.slug;
    let details = json!({ "plugin": slug, "state": installation.state.name() });
    let say = |message: String| Refusal::new(Kind::Unavailable, "plugin.not_ready", message).with(details);
    if let Some(failure) = here {
        let words = format!("The plugin `{slug}` could not be started on this server, which tries again. {failure}");
        return say(words).retry_after(RETRY_AFTER_S);
    }
    match &installation.state {
        State::Failed(failure) => {
            let said = say(format!("The plugin `{slug}` failed. {failure}"));
            match &failure.quarantine {
                Some(quarantine) => {
                    let seconds = (quarantine.next_probe_at - now).whole_seconds().max(1);
                    said.retry_after(u32::try_from(seconds).unwrap_or(u32::MAX))
                }
                None => said,
            }
        }
        State::Disabled => disabled(slug),
        State::Uninstalling => say(format!("The plugin `{slug}` is being removed.")),
        // Ready in the database: it is about to be, here.
        State::Ready | State::Upgrading => {
            say(format!("The plugin `{slug}` is being started. Try again in a moment.")).retry_after(RETRY_AFTER_S)
        }
        State::Registered | State::Installing | State::Migrating | State::Initializing => {
            say(format!("The plugin `{slug}` is {}. Try again in a moment.", installation.state.name()))
                .retry_after(RETRY_AFTER_S)
        }
    }
}
