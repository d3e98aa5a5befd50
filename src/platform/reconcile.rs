//! Makes what runs in this process equal what the rows want. Takes no input; runs at start and then by polling, so that
//! a change made through another replica arrives here too.

use std::{collections::HashMap, sync::Arc, time::Duration};

use futures_util::StreamExt as _;
use mint_context::{Result, objects};
use mint_domain::{InstallationId, OperationId, State, lifecycle::Failure};
use mint_store::{
    installations::{self, Installation},
    operations, tenants,
};
use rand::Rng as _;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::{Caller, Platform, operation::Here, uninstall::DataAction};

/// Time between two looks, before jitter.
const INTERVAL: Duration = Duration::from_secs(2);
/// Time between two looks for what nobody uses.
const TIDY_INTERVAL: Duration = Duration::from_secs(24 * 60 * 60);
/// Plugins started at once.
const STARTS_AT_ONCE: usize = 2;

impl Platform {
    /// Starts what should run and takes up what was interrupted, and goes on looking until the platform ends.
    pub fn reconcile(self: &Arc<Self>) {
        let platform = self.clone();
        self.spawn(async move {
            let mut tidied = None;
            loop {
                if let Err(error) = platform.look_again().await {
                    tracing::warn!(error = &error as &dyn std::error::Error, "the platform could not be reconciled");
                }
                if tidied.is_none_or(|at: Instant| at.elapsed() > TIDY_INTERVAL) {
                    tidied = Some(Instant::now());
                    platform.tidy().await;
                }
                let jitter = INTERVAL.mul_f64(rand::rng().random_range(0.8..1.2));
                tokio::time::sleep(jitter).await;
            }
        });
    }

    async fn look_again(self: &Arc<Self>) -> Result<()> {
        self.take_up_operations().await?;
        objects::sweep(self.services()).await?;
        self.look().await
    }

    /// Starts, restarts and stops until this process runs what the rows want.
    async fn look(self: &Arc<Self>) -> Result<()> {
        let mut tx = self.services().db.read().await?;
        let slugs: HashMap<_, _> = tenants::list(&mut tx).await?.into_iter().map(|tenant| (tenant.id, tenant.slug)).collect();
        let wanted = installations::list_all(&mut tx).await?;
        drop(tx);

        // What an operation of this process is changing is the operation's to start and stop.
        let changing: Vec<_> = self.operations_here().values().cloned().collect();
        let changing = |row: &Installation| changing.iter().any(|here| here.tenant == row.tenant_id && here.plugin == row.slug);
        let known: HashMap<InstallationId, &Installation> = wanted.iter().map(|row| (row.id, row)).collect();
        // What a developer runs has no row, and ends with its developer.
        for active in self.running().all().into_iter().filter(|active| active.developed.is_none()) {
            let (tenant, id) = (active.authority.tenant, active.authority.installation);
            // Another process may be changing it in a way that nobody may answer through.
            if known.get(&id).is_none_or(|row| !row.state.serves() && !changing(row)) {
                self.take_down(tenant, id, Some(active.generation)).await;
            }
        }
        let now = self.services().clock.now();
        let starts = wanted.iter().filter(|row| !changing(row)).cloned().filter_map(|row| {
            let caller = Caller::system(row.tenant_id, slugs.get(&row.tenant_id)?.clone(), self.fresh_request_id());
            let running = self.running().get(row.id).map(|active| active.generation);
            match &row.state {
                State::Ready if running != Some(row.generation) => Some((caller, row, false)),
                State::Failed(Failure { quarantine: Some(quarantine), .. }) if quarantine.next_probe_at <= now => {
                    Some((caller, row, true))
                }
                _ => None,
            }
        });
        futures_util::stream::iter(starts)
            .for_each_concurrent(STARTS_AT_ONCE, |(caller, row, probe)| async move {
                if probe {
                    if let Err(error) = self.probe(caller, &row.slug).await {
                        tracing::warn!(plugin.slug = row.slug, error = %error, "a quarantined plugin could not be probed");
                    }
                } else {
                    self.catch_up(&caller, row).await;
                }
            })
            .await;
        Ok(())
    }

    /// Starts an installation that is Ready but does not run here at its present generation.
    pub(crate) async fn catch_up(self: &Arc<Self>, caller: &Caller, mut row: Installation) {
        let started = async {
            let (_, release) = self
                .find_installation(caller, &row.slug)
                .await
                .map_err(|error| Failure::new("start", error.public().message, "Reload the plugin."))?;
            self.obey_configuration(&mut row, &release).await?;
            self.runtime(row.mode()).stage(&release, &row.grants).await?;
            self.start(caller, &row, &release).await
        };
        match started.await {
            Ok(active) => {
                if let Some(old) = self.put_up(&Arc::new(active)) {
                    self.drain(old).await;
                }
            }
            Err(failure) => {
                tracing::error!(tenant.id = %caller.tenant_slug, plugin.slug = row.slug, error = %failure, "a plugin could not be started");
                self.fault(row.tenant_id, row.id, failure).await;
            }
        }
    }

    /// Resumes or ends operations whose owner is gone: another process, or this one before its restart.
    async fn take_up_operations(self: &Arc<Self>) -> Result<()> {
        #[derive(Default, Deserialize)]
        struct UninstallInput {
            #[serde(default)]
            data: DataAction,
        }
        let now = self.services().clock.now();
        let mut tx = self.services().db.read().await?;
        let abandoned = operations::abandoned(&mut tx, self.process_id(), now).await?;
        let slugs: HashMap<_, _> = tenants::list(&mut tx).await?.into_iter().map(|tenant| (tenant.id, tenant.slug)).collect();
        drop(tx);
        for operation in abandoned {
            if self.operations_here().contains_key(&operation.id) {
                continue;
            }
            let Some(slug) = slugs.get(&operation.tenant_id) else { continue };
            let mut tx = self.services().db.begin().await?;
            let until = now + Duration::from_secs(30);
            let taken = operations::take_over(&mut tx, operation.id, self.process_id(), until, now).await?;
            let present = installations::find(&mut tx, operation.tenant_id, &operation.plugin).await?.is_some();
            tx.commit().await?;
            if !taken {
                continue;
            }
            let here = Here { tenant: operation.tenant_id, plugin: operation.plugin.clone(), cancel: None };
            self.operations_here().insert(operation.id, here);
            tracing::info!(operation.id = %operation.id, kind = operation.kind, plugin.slug = operation.plugin, "taking up an interrupted operation");
            let caller = Caller::system(operation.tenant_id, slug.clone(), self.fresh_request_id());
            match (operation.kind.as_str(), present) {
                ("uninstall", true) => {
                    let input: UninstallInput = serde_json::from_value(operation.input).unwrap_or_default();
                    self.resume_uninstall(caller, &operation.plugin, input.data, operation.id).await?;
                }
                ("upgrade" | "rollback", true) => {
                    let (status, outcome) = self.end_upgrade(&caller, &operation.plugin, operation.id, operation.input).await?;
                    self.settle(operation.id, status, &outcome).await?;
                }
                ("restore", true) => {
                    let (status, outcome) = self.end_restore(&caller, &operation.plugin, operation.id, operation.input).await?;
                    self.settle(operation.id, status, &outcome).await?;
                }
                ("snapshot", true) => {
                    self.forget_snapshot_before(&caller, &operation.plugin, operation.id).await?;
                    let outcome =
                        json!({ "code": "plugin.interrupted", "message": "The server stopped before the snapshot was taken." });
                    self.settle(operation.id, "undone", &outcome).await?;
                }
                (_, true) => self.resume_install(caller, &operation.plugin, operation.id).await?,
                ("uninstall", false) => self.settle(operation.id, "done", &json!({ "changed": true })).await?,
                (_, false) => {
                    let outcome = json!({ "code": "plugin.interrupted", "message": "The server stopped before anything was installed. Install it again." });
                    self.settle(operation.id, "undone", &outcome).await?;
                }
            }
        }
        Ok(())
    }

    async fn settle(&self, id: OperationId, status: &str, outcome: &Value) -> Result<()> {
        let ended = self.end_operation(id, status, outcome).await;
        self.operations_here().remove(&id);
        ended
    }
}
