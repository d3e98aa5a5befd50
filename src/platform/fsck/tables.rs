//! Tables of plugins, and the installations that have them.

use std::collections::HashMap;

use mint_context::{Error, Result};
use mint_domain::{Capability, State};
use mint_store::{
    files_home::{self, FilesHome},
    installations,
    tables::Owner,
    tenants,
};

use super::{Finding, Fsck};
use crate::home::mark;

impl Fsck {
    pub(super) async fn tables(&mut self) -> Result<()> {
        let mut tx = self.services.db.read().await?;
        let slugs: HashMap<_, _> = tenants::list(&mut tx).await?.into_iter().map(|tenant| (tenant.id, tenant.slug)).collect();
        let rows = installations::list_all(&mut tx).await?;
        drop(tx);
        let mut owners = Vec::new();
        for row in rows {
            let (Some(tenant), Ok(plugin)) = (slugs.get(&row.tenant_id), row.slug.parse()) else { continue };
            let owner = Owner { tenant: tenant.clone(), plugin };
            // Whoever became ready has tables; others may have failed before they were made.
            let has_tables = row.grants.allow(&Capability::Database) && matches!(row.state, State::Ready);
            if has_tables && !self.services.tables.are_whole(&owner).await.map_err(Error::Tables)? {
                let problem = format!(
                    "they are gone; put a snapshot of `mint plugin snapshots {0}` back, or reload it to begin with none",
                    row.slug
                );
                self.findings.push(Finding::lasting("tables", format!("{tenant}/{}", row.slug), problem));
            }
            owners.push(owner);
        }
        for left in self.services.tables.leftovers(&owners).await.map_err(Error::Tables)? {
            let finding =
                Finding::mendable("tables", &left.name, "no installation has them, and there is nothing in them", "removed");
            let services = self.services.clone();
            self.mend(finding, async move { services.tables.remove_leftover(&left).await.map_err(Error::Tables) }).await?;
        }
        Ok(())
    }

    /// Whether the files of plugins stand in this data directory, where several servers work on one database.
    pub(super) async fn files_home(&mut self) -> Result<()> {
        let known = files_home::get(&mut self.services.db.read().await?).await?;
        let (Some(known), true) = (known, self.services.db.is_shared()) else { return Ok(()) };
        let directory = mark(&self.layout).await?;
        if known.directory == directory {
            return Ok(());
        }
        let problem = format!("they stand in the data directory of the server at {}", known.address);
        let finding = Finding::mendable("files", "files of plugins", problem, "from now on, they stand in this data directory");
        let (services, here) = (self.services.clone(), FilesHome { directory, ..known });
        self.mend(finding, async move {
            let mut tx = services.db.begin().await?;
            files_home::move_to(&mut tx, &here, services.clock.now()).await?;
            Ok(tx.commit().await?)
        })
        .await
    }
}
