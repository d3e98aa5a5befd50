//! The end of a laboratory: first every plugin, by the same change as any uninstall, then what they left, then the rows.
//!
//! Nothing of this is remembered but in the rows: whichever server looks next goes on with what is still there.

use std::{collections::HashMap, io, sync::Arc, time::Duration};

use mint_context::{Error, Result};
use mint_domain::TenantId;
use mint_store::{
    installations, operations,
    tenants::{self, Tenant},
};
use tokio::time::Instant;

use crate::{Caller, Platform, uninstall::DataAction};

/// Time between two looks at what is left of a laboratory. Longer than any server believes a credential without looking.
const INTERVAL: Duration = Duration::from_secs(3);

/// When this server last looked at a laboratory that is being deleted.
#[derive(Debug, Default)]
pub(crate) struct Deletions(HashMap<TenantId, Instant>);

impl Platform {
    /// Goes on with every deletion that was begun.
    ///
    /// # Errors
    /// The database's.
    pub(crate) async fn delete_tenants(self: &Arc<Self>, deletions: &mut Deletions) -> Result<()> {
        let leaving = tenants::leaving(&mut self.services().db.read().await?).await?;
        deletions.0.retain(|id, _| leaving.iter().any(|tenant| tenant.id == *id));
        for tenant in leaving {
            let looked = deletions.0.entry(tenant.id).or_insert_with(Instant::now);
            if looked.elapsed() < INTERVAL {
                continue;
            }
            *looked = Instant::now();
            if let Err(error) = self.go_on_deleting(&tenant).await {
                tracing::warn!(tenant.id = %tenant.slug, error = &error as &dyn std::error::Error,
                    "a laboratory could not be deleted yet; it will be tried again");
            }
        }
        Ok(())
    }

    async fn go_on_deleting(self: &Arc<Self>, tenant: &Tenant) -> Result<()> {
        let caller = Caller::system(tenant.id, tenant.slug.clone(), self.fresh_request_id());
        let mut tx = self.services().db.read().await?;
        let installed = installations::list(&mut tx, tenant.id).await?;
        let is_changing = operations::under_way(&mut tx).await?.iter().any(|operation| operation.tenant_id == tenant.id);
        drop(tx);
        for row in &installed {
            match self.uninstall(caller.clone(), &row.slug, DataAction::Purge, &row.slug, false).await {
                Ok(_) => {}
                // Another change of it is under way, or its files stand at another server, which removes it.
                Err(Error::Refused(refusal)) => {
                    tracing::debug!(plugin.slug = row.slug, refusal = refusal.message, "a plugin is not removed now");
                }
                Err(error) => return Err(error),
            }
        }
        if is_changing || !installed.is_empty() {
            return Ok(());
        }
        self.services().tables.delete_of_tenant(&tenant.slug).await.map_err(Error::Tables)?;
        let files = self.layout().plugin_data_of(&tenant.slug);
        match tokio::fs::remove_dir_all(&files).await {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
            Ok(()) | Err(_) => {}
        }
        let mut tx = self.services().db.begin().await?;
        tenants::delete(&mut tx, tenant.id, self.services().clock.now()).await?;
        tx.commit().await?;
        tracing::info!(tenant.id = %tenant.slug, "a laboratory is deleted");
        Ok(())
    }
}
