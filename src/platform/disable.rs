//! Keeping a plugin from answering, without taking anything from it. Once that is written it is done on every server; an
//! operation that was interrupted goes on from there.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use mint_context::Result;
use mint_domain::{
    Permission, State,
    lifecycle::{Event, Failure},
};
use mint_store::{installations::Installation, operations::Lease};
use serde_json::json;

use crate::{
    Caller, Platform,
    launch::{Begun, Launch},
    lease::Hold,
    operation::{Change, Step, Stop, Work, nothing_to_undo, said},
    state::advance,
};

const DISABLE: Change<Disable> = Change {
    kind: "disable",
    can_stop: false,
    steps: &[
        Step { name: "disable", run: disable, undo: nothing_to_undo, would: would_disable, may_be_cut: false },
        Step {
            name: "stop",
            run: stop,
            undo: nothing_to_undo,
            would: |_| said("stops it on every server; what it holds stays"),
            may_be_cut: false,
        },
    ],
};

/// The disabling of a plugin, and the names of its steps.
pub fn change() -> (&'static str, Vec<&'static str>) {
    DISABLE.names()
}

struct Disable {
    platform: Arc<Platform>,
    caller: Caller,
    lease: Option<Lease>,
    installation: Installation,
}

impl Platform {
    /// Begins to disable a plugin: it finishes what it has begun, and answers nobody until it is enabled.
    ///
    /// # Errors
    /// `PERMISSION_DENIED`, `NOT_FOUND`, `CONFLICT` while another operation on it runs.
    pub async fn disable(self: &Arc<Self>, caller: Caller, slug: &str, dry_run: bool) -> Result<Begun> {
        let _permit = caller.call(self.services()).permit_person(Permission::PluginsInstall)?;
        let (installation, _) = self.find_installation(&caller, slug).await?;
        let state = Disable { platform: self.clone(), caller: caller.clone(), lease: None, installation };
        let (plugin, input) = (slug.to_owned(), json!({}));
        self.launch(&caller, Launch { plugin, input, change: &DISABLE, state, on_failure: failed, dry_run }).await
    }

    /// Finishes what a process that died had begun.
    pub(crate) async fn resume_disable(self: &Arc<Self>, caller: Caller, slug: &str, hold: Hold) -> Result<()> {
        let (installation, _) = self.find_installation(&caller, slug).await?;
        let mut disable = Disable { platform: self.clone(), caller, lease: None, installation };
        self.run_operation(hold, &DISABLE, &mut disable, failed).await.map(drop)
    }
}

impl Work for Disable {
    fn hold(&mut self, lease: Lease) {
        self.lease = Some(lease);
    }
}

fn disable(disable: &mut Disable) -> BoxFuture<'_, Result<String, Stop>> {
    Box::pin(async move {
        let row = &disable.installation;
        let (mut was, now) = ("", disable.platform.services().clock.now());
        let events = |state: &State| {
            was = state.name();
            if *state == State::Disabled { Vec::new() } else { vec![Event::DisableAsked] }
        };
        let mut tx = disable.platform.begin_under(disable.lease).await?;
        advance(&mut tx, row.tenant_id, row.id, events, now).await?;
        disable.caller.note(&mut tx, "plugin.disable", &row.slug, &json!({ "was": was }), now).await?;
        tx.commit().await?;
        Ok(format!("was {was}"))
    })
}

fn would_disable(disable: &mut Disable) -> BoxFuture<'_, Result<String, Stop>> {
    said(format!("lets nobody reach it, at {} or elsewhere, until it is enabled", disable.installation.prefix))
}

fn stop(disable: &mut Disable) -> BoxFuture<'_, Result<String, Stop>> {
    Box::pin(async move {
        let (tenant, id) = (disable.installation.tenant_id, disable.installation.id);
        disable.platform.take_down(tenant, id).await;
        disable.platform.taken_down_everywhere(id).await?;
        Ok("stopped; what it holds stays".to_owned())
    })
}

/// No step of this ends in a plugin's failure.
fn failed(disable: &mut Disable, failure: Failure) -> BoxFuture<'_, ()> {
    tracing::error!(plugin.slug = disable.installation.slug, error = %failure, "a plugin could not be disabled");
    Box::pin(std::future::ready(()))
}
