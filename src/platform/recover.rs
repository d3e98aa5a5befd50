//! Takes up operations whose owner is gone: another process, this one before its restart, or this one when it lost its hold.

use std::{collections::HashMap, sync::Arc};

use mint_context::Result;
use mint_store::{installations, operations, tenants};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::{Caller, Platform, lease::Hold};

impl Platform {
    /// Takes up what was interrupted. It goes on after this returns.
    pub(crate) async fn take_up_operations(self: &Arc<Self>) -> Result<()> {
        let now = self.services().clock.now();
        let mut tx = self.services().db.read().await?;
        let abandoned = operations::abandoned(&mut tx, self.process_id(), now).await?;
        if abandoned.is_empty() {
            return Ok(());
        }
        let slugs: HashMap<_, _> = tenants::list(&mut tx).await?.into_iter().map(|tenant| (tenant.id, tenant.slug)).collect();
        drop(tx);
        for operation in abandoned {
            let Some(slug) = slugs.get(&operation.tenant_id) else { continue };
            if self.operations_here().contains_key(&operation.id) {
                continue;
            }
            let taken = Instant::now();
            let mut tx = self.services().db.begin().await?;
            let lease = operations::take_over(&mut tx, operation.id, self.process_id(), self.lease_until(), now).await?;
            let Some(lease) = lease else { continue };
            let hold = self.hold(lease, taken, operation.tenant_id, &operation.plugin);
            tx.commit().await?;
            tracing::info!(operation.id = %operation.id, kind = operation.kind, plugin.slug = operation.plugin, "taking up an interrupted operation");
            let caller = Caller::system(operation.tenant_id, slug.clone(), self.fresh_request_id());
            let platform = self.clone();
            self.track(async move { platform.recover(caller, operation, hold).await });
        }
        Ok(())
    }

    /// Ends an operation, or goes on with it, by what is written of it.
    async fn recover(self: &Arc<Self>, caller: Caller, operation: operations::Operation, hold: Hold) {
        let id = operation.id;
        if let Err(error) = self.go_on(caller, operation, hold).await {
            tracing::warn!(operation.id = %id, error = &error as &dyn std::error::Error,
                "an interrupted operation could not be taken up; it will be tried again");
        }
    }

    async fn go_on(self: &Arc<Self>, caller: Caller, operation: operations::Operation, hold: Hold) -> Result<()> {
        let (plugin, input) = (operation.plugin.as_str(), operation.input);
        let mut tx = self.services().db.read().await?;
        let is_present = installations::find(&mut tx, operation.tenant_id, plugin).await?.is_some();
        drop(tx);
        let (status, mut outcome) = match (operation.kind.as_str(), is_present) {
            ("uninstall", true) => {
                return self.resume_uninstall(caller, plugin, input, hold).await;
            }
            ("purge", _) => return self.resume_purge(caller, &input, hold).await,
            ("adopt", true) => return self.resume_adopt(caller, plugin, &input, hold).await,
            ("restore", true) => self.end_restore(&caller, plugin, input, hold.lease).await?,
            ("snapshot", true) => {
                self.forget_snapshot_before(&caller, plugin, hold.lease.operation).await?;
                let message = "The server stopped before the snapshot was taken.";
                ("undone", json!({ "code": "plugin.interrupted", "message": message }))
            }
            ("upgrade" | "rollback", true) => self.end_upgrade(&caller, plugin, input, hold.lease).await?,
            ("configure", true) => {
                let ended = self.end_configure(&caller, plugin, &input).await?;
                (ended.status(), ended.outcome())
            }
            ("disable", true) => return self.resume_disable(caller, plugin, hold).await,
            ("enable", true) => return self.resume_enable(caller, plugin, hold).await,
            ("reset", true) => return self.resume_reset(caller, plugin, &input, hold).await,
            (_, true) => return self.resume_install(caller, plugin, hold).await,
            ("uninstall", false) => ("done", json!({ "changed": true })),
            (_, false) => {
                let message = "The server stopped before anything was installed. Install it again.";
                ("undone", json!({ "code": "plugin.interrupted", "message": message }))
            }
        };
        let why = self.let_go_of().remove(&hold.lease.operation);
        if let (Some(why), Some(Value::String(message))) = (why, outcome.get_mut("message")) {
            *message = format!("{why} {message}");
        }
        self.end_operation(hold.lease, status, &outcome).await
    }
}
