//! Which snapshots there are, and how long.

use std::{collections::HashSet, time::Duration};

use bytes::Bytes;
use futures_util::{Stream, TryStreamExt as _};
use mint_context::Result;
use mint_domain::{Digest, InstallationId, Permission, Refusal, SnapshotId, TenantId};
use mint_store::{
    installations::{self, Installation},
    operations,
    snapshots::{self, Snapshot},
};
use serde::Serialize;
use time::OffsetDateTime;

use crate::{Caller, Platform};

/// How old an archive must be that no row names before it is a leftover.
const LEFTOVER_AGE: Duration = Duration::from_secs(60 * 60);

/// Why there is a snapshot that was not taken here.
pub(super) const UPLOADED: &str = "uploaded";

/// Which snapshots of an installation are kept.
#[derive(Clone, Copy, Debug)]
pub struct Policy {
    /// So many, the latest.
    pub kept: usize,
    /// For so long.
    pub age: Duration,
}

/// A snapshot, as people see it.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct ShownSnapshot {
    /// Identifier.
    #[schema(value_type = i64)]
    pub id: SnapshotId,
    /// The operation that took it.
    pub operation: Option<i64>,
    /// Version of the release that the data are of.
    pub version: String,
    /// Why it was taken: `asked`, `upgrade`, `rollback`, `restore` or `uploaded`.
    pub reason: String,
    /// Who asked for what it was taken for.
    pub taken_by: String,
    /// Bytes of the archive.
    pub size: i64,
    /// Digest of the archive.
    #[schema(value_type = String)]
    pub digest: Digest,
    /// When it was taken.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
}

impl From<Snapshot> for ShownSnapshot {
    fn from(row: Snapshot) -> Self {
        let Snapshot { id, operation_id: operation, version, reason, taken_by, size, sha256: digest, created_at, .. } = row;
        Self { id, operation, version, reason, taken_by, size, digest, created_at }
    }
}

impl Platform {
    /// The snapshots of a plugin, the latest first.
    ///
    /// # Errors
    /// `PERMISSION_DENIED`, `NOT_FOUND`.
    pub async fn list_snapshots(&self, caller: &Caller, slug: &str) -> Result<Vec<ShownSnapshot>> {
        let _permit = caller.call(self.services()).permit_person(Permission::PluginsView)?;
        let (installation, _) = self.find_installation(caller, slug).await?;
        let mut tx = self.services().db.read().await?;
        let rows = snapshots::list(&mut tx, caller.tenant, installation.id).await?;
        Ok(rows.into_iter().map(ShownSnapshot::from).collect())
    }

    /// The archive of a snapshot, for somebody who may take everything out of a plugin.
    ///
    /// # Errors
    /// `PERMISSION_DENIED`, `NOT_FOUND`.
    pub async fn snapshot_file(
        &self,
        caller: &Caller,
        slug: &str,
        id: SnapshotId,
    ) -> Result<(ShownSnapshot, impl Stream<Item = Result<Bytes>> + Send + use<>)> {
        let _permit = caller.call(self.services()).permit_person(Permission::PluginsInstall)?;
        let (installation, _) = self.find_installation(caller, slug).await?;
        let row = self.snapshot(&installation, id).await?;
        let bytes = self.services().snapshots.read(&row.file).await?;
        Ok((row.into(), bytes))
    }

    /// Deletes a snapshot.
    ///
    /// # Errors
    /// `PERMISSION_DENIED`, `NOT_FOUND`, `CONFLICT` while an operation on the plugin runs, which may need it.
    pub async fn delete_snapshot(&self, caller: &Caller, slug: &str, id: SnapshotId) -> Result<()> {
        let _permit = caller.call(self.services()).permit_person(Permission::PluginsInstall)?;
        let (installation, _) = self.find_installation(caller, slug).await?;
        let row = self.snapshot(&installation, id).await?;
        let mut tx = self.services().db.read().await?;
        if let Some(running) = operations::running(&mut tx, caller.tenant, slug).await? {
            let message =
                format!("The operation {} ({}) on plugin `{slug}` runs. Wait until it has ended.", running.id, running.kind);
            return Err(Refusal::conflict("operation", "plugin", message).into());
        }
        drop(tx);
        self.forget_snapshot(caller.tenant, installation.id, &row).await
    }

    /// A snapshot of an installation.
    pub(crate) async fn snapshot(&self, installation: &Installation, id: SnapshotId) -> Result<Snapshot> {
        let mut tx = self.services().db.read().await?;
        let row = snapshots::get(&mut tx, installation.tenant_id, installation.id, id).await?;
        Ok(row.ok_or_else(|| Refusal::not_found("snapshot", id))?)
    }

    /// The row goes first: an archive that no row names is swept.
    pub(crate) async fn forget_snapshot(&self, tenant: TenantId, installation: InstallationId, row: &Snapshot) -> Result<()> {
        let mut tx = self.services().db.begin().await?;
        snapshots::delete(&mut tx, tenant, installation, row.id).await?;
        mint_store::releases::delete_unused(&mut tx, row.release_id).await?;
        tx.commit().await?;
        self.services().snapshots.delete(&row.file).await
    }

    /// Deletes the snapshots of an installation beyond what the policy keeps.
    pub(crate) async fn prune_snapshots(&self, tenant: TenantId, installation: InstallationId) -> Result<()> {
        let mut tx = self.services().db.read().await?;
        let rows = snapshots::list(&mut tx, tenant, installation).await?;
        drop(tx);
        let oldest = self.services().clock.now() - self.snapshot_policy().age;
        for (at, row) in rows.iter().enumerate() {
            if at >= self.snapshot_policy().kept || row.created_at < oldest {
                self.forget_snapshot(tenant, installation, row).await?;
            }
        }
        Ok(())
    }

    /// Deletes snapshots that are too old, and what no row names.
    pub(crate) async fn tidy_snapshots(&self) -> Result<usize> {
        let mut tx = self.services().db.read().await?;
        let all = installations::list_all(&mut tx).await?;
        let mut idle = Vec::new();
        for row in all {
            if operations::running(&mut tx, row.tenant_id, &row.slug).await?.is_none() {
                idle.push(row);
            }
        }
        drop(tx);
        for row in idle {
            self.prune_snapshots(row.tenant_id, row.id).await?;
        }
        let mut tx = self.services().db.read().await?;
        let known: HashSet<String> = snapshots::files(&mut tx).await?.into_iter().collect();
        drop(tx);
        let (archives, oldest) = (&self.services().snapshots, self.services().clock.now() - LEFTOVER_AGE);
        let mut listed = std::pin::pin!(archives.list());
        let mut removed = 0;
        while let Some(stored) = listed.try_next().await? {
            if stored.written_at < oldest && !known.contains(&stored.name) {
                archives.delete(&stored.name).await?;
                removed += 1;
            }
        }
        Ok(removed)
    }
}
