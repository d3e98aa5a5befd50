//! `mint:plugin/migrations` of a component: asked, and called with the tables in its hands.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use mint_context::{Call, migration_ops::MigrationOps, runtime};
use mint_domain::{
    lifecycle::Failure,
    migration::{Direction, Migration},
};
use tokio::time::Instant;
use wasmtime::component::Resource;

use crate::{guest::Guests, host::v1::migration_ops::Ops, runtime::said};

/// Longest time for a component to tell its history.
const LIST_TIMEOUT: Duration = Duration::from_secs(30);

/// The history of a component.
#[derive(Debug)]
pub(crate) struct Migrations {
    guests: Arc<Guests>,
    call: Call,
}

impl Migrations {
    /// The history of what `guests` run; none where it has none.
    pub(crate) fn of(guests: Arc<Guests>, call: Call) -> Option<Self> {
        guests.instances.exports.migrations.is_some().then_some(Self { guests, call })
    }

    fn call(&self, patience: Duration) -> Call {
        Call { deadline: Instant::now() + patience, ..self.call.clone() }
    }
}

#[async_trait]
impl runtime::Migrations for Migrations {
    async fn list(&self) -> Result<Vec<Migration>, Failure> {
        let instances = Arc::clone(&self.guests.instances);
        let listed = self.guests.run(self.call(LIST_TIMEOUT), LIST_TIMEOUT, move |instance| {
            Box::pin(async move {
                let Some(exported) = &instances.exports.migrations else { return Ok(Vec::new()) };
                exported.load(&mut instance.store, &instance.inner)?.call_list(&mut instance.store).await
            })
        });
        let listed = listed.await.map_err(|fault| {
            let mut failure = Failure::new("migrate", said(&fault), "Look at its log, or install another release.");
            failure.log_excerpt = self.guests.instances.plugin.log.recent();
            failure
        })?;
        let migration = |one: crate::bindings::exports::mint::plugin::migrations::Migration| Migration {
            version: one.version,
            name: one.name,
            destructive: one.destructive,
            checksum: one.checksum,
            named: false,
        };
        Ok(listed.into_iter().map(migration).collect())
    }

    async fn apply(&self, migration: &Migration, direction: Direction, ops: MigrationOps) -> Result<(), String> {
        let (instances, version) = (Arc::clone(&self.guests.instances), migration.version);
        let patience = Duration::from_millis(instances.plugin.authority.limits().migration_ms_max);
        let done = self.guests.run(self.call(patience), patience, move |instance| {
            Box::pin(async move {
                let Some(exported) = &instances.exports.migrations else { return Ok(Ok(())) };
                let exported = exported.load(&mut instance.store, &instance.inner)?;
                let ops = instance.store.data_mut().table.push(Ops(ops))?;
                let lent = Resource::new_borrow(ops.rep());
                let done = match direction {
                    Direction::Up => exported.call_upgrade(&mut instance.store, version, lent).await,
                    Direction::Down => exported.call_downgrade(&mut instance.store, version, lent).await,
                };
                instance.store.data_mut().table.delete(ops)?;
                done
            })
        });
        done.await.unwrap_or_else(|fault| Err(said(&fault)))
    }
}
