//! Removing a plugin. Its results and objects belong to the experiments and stay; its own files and tables stay unless
//! purged.

use std::{io, sync::Arc};

use futures_util::future::BoxFuture;
use mint_context::{Result, database};
use mint_domain::{
    OperationId, Permission, State,
    lifecycle::{Event, Failure},
};
use mint_store::{
    Tx, audit, history,
    installations::{self, Installation},
    operations::Lease,
    releases,
};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{
    Caller, Platform,
    lease::Hold,
    operation::{Change, Step, Stop, Subject, Work, nothing_to_undo},
    state::advance,
};

const UNINSTALL: Change<Uninstall> = Change {
    kind: "uninstall",
    can_stop: false,
    steps: &[
        Step { name: "stop", run: stop, undo: nothing_to_undo, may_be_cut: false },
        Step { name: "files", run: files, undo: nothing_to_undo, may_be_cut: false },
        Step { name: "remove", run: remove, undo: nothing_to_undo, may_be_cut: false },
    ],
};

/// The removal of an installation, and the names of its steps.
pub fn change() -> (&'static str, Vec<&'static str>) {
    UNINSTALL.names()
}

/// What becomes of the plugin's own files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DataAction {
    /// They stay, and are there again when the plugin is installed again.
    #[default]
    Keep,
    /// They are deleted.
    Purge,
}

struct Uninstall {
    platform: Arc<Platform>,
    caller: Caller,
    lease: Option<Lease>,
    installation: Installation,
    data: DataAction,
}

impl Platform {
    /// Begins to remove a plugin.
    ///
    /// # Errors
    /// `PERMISSION_DENIED`, `NOT_FOUND`, `CONFLICT` while another operation on it runs.
    pub async fn uninstall(self: &Arc<Self>, caller: Caller, slug: &str, data: DataAction) -> Result<OperationId> {
        let _permit = caller.call(self.services()).permit_person(Permission::PluginsInstall)?;
        let (installation, _) = self.find_installation(&caller, slug).await?;
        if data == DataAction::Purge {
            self.expect_files(&installation.grants).await?;
        }
        let input = json!({ "data": data });
        let hold = self.begin_operation(&caller, &Subject { plugin: slug, kind: UNINSTALL.kind, input }).await?;
        let id = hold.lease.operation;
        let mut uninstall = Uninstall { platform: self.clone(), caller, lease: None, installation, data };
        let platform = self.clone();
        self.track(async move { platform.run_operation(hold, &UNINSTALL, &mut uninstall, failed).await });
        Ok(id)
    }

    /// Finishes an uninstall whose process died.
    pub(crate) async fn resume_uninstall(
        self: &Arc<Self>,
        caller: Caller,
        slug: &str,
        data: DataAction,
        hold: Hold,
    ) -> Result<()> {
        let (installation, _) = self.find_installation(&caller, slug).await?;
        let mut uninstall = Uninstall { platform: self.clone(), caller, lease: None, installation, data };
        self.run_operation(hold, &UNINSTALL, &mut uninstall, failed).await;
        Ok(())
    }
}

impl Uninstall {
    /// Begins a transaction that counts only while this process has the operation in hand.
    async fn begin(&self) -> Result<Tx> {
        let lease = self.lease.ok_or_else(|| io::Error::other("a step ran without a lease"))?;
        self.platform.begin_under(lease).await
    }
}

impl Work for Uninstall {
    fn hold(&mut self, lease: Lease) {
        self.lease = Some(lease);
    }

    fn let_go(&mut self) -> BoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }
}

fn stop(uninstall: &mut Uninstall) -> BoxFuture<'_, Result<String, Stop>> {
    Box::pin(async move {
        let (tenant, id) = (uninstall.installation.tenant_id, uninstall.installation.id);
        let events = |state: &State| if *state == State::Uninstalling { Vec::new() } else { vec![Event::UninstallBegan] };
        let mut tx = uninstall.begin().await?;
        advance(&mut tx, tenant, id, events, uninstall.platform.services().clock.now()).await?;
        tx.commit().await?;
        uninstall.platform.take_down(tenant, id, None).await;
        uninstall.platform.taken_down_everywhere(id).await?;
        Ok("stopped".to_owned())
    })
}

fn files(uninstall: &mut Uninstall) -> BoxFuture<'_, Result<String, Stop>> {
    Box::pin(async move {
        if uninstall.data == DataAction::Keep {
            return Ok("the plugin's own files and tables are kept".to_owned());
        }
        let (tenant, services) = (&uninstall.caller.tenant_slug, uninstall.platform.services());
        database::delete(services, tenant, &uninstall.installation.slug).await?;
        let directory = uninstall.platform.layout().plugin_data(&uninstall.caller.tenant_slug, &uninstall.installation.slug);
        match tokio::fs::remove_dir_all(&directory).await {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error.into()),
            Ok(()) | Err(_) => Ok("the plugin's own files and tables are deleted".to_owned()),
        }
    })
}

fn remove(uninstall: &mut Uninstall) -> BoxFuture<'_, Result<String, Stop>> {
    Box::pin(async move {
        let (caller, installation) = (&uninstall.caller, &uninstall.installation);
        let mut tx = uninstall.begin().await?;
        let kept = history::list(&mut tx, installation.id).await?;
        installations::delete(&mut tx, installation.tenant_id, installation.id).await?;
        for reign in kept {
            releases::delete_unused(&mut tx, reign.release_id).await?;
        }
        let entity = format!("plugin:{}", installation.slug);
        let now = uninstall.platform.services().clock.now();
        let details = json!({ "data": uninstall.data });
        audit::record(
            &mut tx,
            caller.tenant,
            &audit::Entry {
                actor: &caller.actor.label(),
                action: "plugin.uninstall",
                entity: &entity,
                request_id: caller.request_id.as_str(),
                details: &details,
            },
            now,
        )
        .await?;
        tx.commit().await?;
        Ok("removed".to_owned())
    })
}

/// No step of an uninstall ends in a plugin's failure.
fn failed(uninstall: &mut Uninstall, failure: Failure) -> BoxFuture<'_, ()> {
    tracing::error!(plugin.slug = uninstall.installation.slug, error = %failure, "an uninstall failed");
    Box::pin(std::future::ready(()))
}
