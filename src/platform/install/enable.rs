//! Starting a plugin again that was disabled. It stays disabled where that is not possible for a reason of the platform's.

use futures_util::future::BoxFuture;
use mint_context::Result;
use mint_domain::{Permission, State, lifecycle::Event};

use super::{Install, Reload, failed, migrate, stage, start, switch};
use crate::{
    Caller, Platform,
    launch::Begun,
    lease::Hold,
    operation::{Change, Step, Stop},
    state::advance,
};

pub(super) const ENABLE: Change<Install> = Change {
    kind: "enable",
    can_stop: false,
    steps: &[
        Step { name: "enable", run: enable, undo: disable_again, would: would_enable, may_be_cut: false },
        stage::STEP,
        migrate::STEP,
        start::STEP,
        switch::STEP,
    ],
};

impl Platform {
    /// Begins to start a plugin that was disabled.
    ///
    /// # Errors
    /// `PERMISSION_DENIED`, `NOT_FOUND`, `CONFLICT` while another operation on it runs.
    pub async fn enable(self: &std::sync::Arc<Self>, caller: Caller, slug: &str, dry_run: bool) -> Result<Begun> {
        let _permit = caller.call(self.services()).permit_person(Permission::PluginsInstall)?;
        self.start_again(caller, slug, &ENABLE, Event::EnableAsked, Reload { dry_run, ..Reload::default() }).await
    }

    /// Finishes what a process that died had begun.
    pub(crate) async fn resume_enable(self: &std::sync::Arc<Self>, caller: Caller, slug: &str, hold: Hold) -> Result<()> {
        let mut install = Install::resume(self.clone(), caller, slug).await?;
        install.asked = Event::EnableAsked;
        self.run_operation(hold, &ENABLE, &mut install, failed).await.map(drop)
    }
}

fn enable(install: &mut Install) -> BoxFuture<'_, Result<String, Stop>> {
    Box::pin(async move {
        let (row, platform) = (install.installation()?.clone(), install.platform.clone());
        let (mut is_on, now) = (false, platform.services().clock.now());
        let events = |state: &State| match state {
            State::Disabled => vec![Event::EnableAsked],
            // It was begun before.
            State::Migrating | State::Initializing => Vec::new(),
            _ => {
                is_on = true;
                Vec::new()
            }
        };
        let mut tx = install.begin().await?;
        let state = advance(&mut tx, row.tenant_id, row.id, events, now).await?;
        if is_on {
            return Err(nothing(&row.slug));
        }
        install.caller.note(&mut tx, "plugin.enable", &row.slug, &serde_json::json!({}), now).await?;
        tx.commit().await?;
        if let (Some(installation), Some(state)) = (&mut install.installation, state) {
            installation.state = state;
        }
        Ok("it may answer again".to_owned())
    })
}

fn would_enable(install: &mut Install) -> BoxFuture<'_, Result<String, Stop>> {
    Box::pin(async move {
        let row = install.installation()?;
        match row.state {
            State::Disabled => Ok("lets it answer again, once it has started".to_owned()),
            _ => Err(nothing(&row.slug)),
        }
    })
}

fn nothing(slug: &str) -> Stop {
    Stop::Nothing(format!("{slug} is not disabled; nothing was changed."))
}

fn disable_again(install: &mut Install) -> BoxFuture<'_, ()> {
    Box::pin(async move {
        let events = |state: &State| match state {
            State::Migrating | State::Initializing => vec![Event::DisableAsked],
            _ => Vec::new(),
        };
        if let Err(stop) = install.advance(events).await {
            tracing::error!(error = ?stop, "a plugin that could not be enabled could not be disabled again");
        }
    })
}
