//! What plugins that were removed left behind, and its rows.

use std::collections::{HashMap, HashSet};

use mint_context::Result;
use mint_domain::{ArchiveName, Slug, TenantId};
use mint_store::{
    archives::{self, Archive},
    operations,
    tables::{Owner, archived},
    tenants,
};

use super::{Finding, Fsck};
use crate::archives::archive_of;

impl Fsck {
    pub(super) async fn archives(&mut self) -> Result<()> {
        let mut tx = self.services.db.read().await?;
        let rows = archives::list_all(&mut tx).await?;
        let tenants: HashMap<TenantId, Slug> =
            tenants::list(&mut tx).await?.into_iter().map(|tenant| (tenant.id, tenant.slug)).collect();
        // What is being archived or adopted stands under either name until its operation has been taken up.
        let moving = operations::under_way(&mut tx).await?;
        drop(tx);
        let moving = moving.iter().filter_map(|operation| Some((operation.tenant_id, archive_of(&operation.input)?)));
        let moving: HashSet<(TenantId, ArchiveName)> = moving.collect();
        for row in &rows {
            let Some(tenant) = tenants.get(&row.tenant_id) else { continue };
            if !moving.contains(&(row.tenant_id, row.name.clone())) {
                self.archive(row, tenant).await?;
            }
        }
        let known = rows.iter().map(|row| (row.tenant_id, row.name.clone())).chain(moving);
        let known: Vec<(Owner, ArchiveName)> = known
            .filter_map(|(tenant, name)| {
                Some((Owner { tenant: tenants.get(&tenant)?.clone(), plugin: name.plugin().clone() }, name))
            })
            .collect();
        let mut strays = self.services.tables.stray_archives(&known).await.map_err(std::io::Error::other)?;
        let is_known = |tenant: &str, name: &str| {
            known.iter().any(|(owner, known)| owner.tenant.as_str() == tenant && known.to_string() == name)
        };
        let files = archived(&self.layout.all_plugin_data())?;
        let files = files.into_iter().filter(|(tenant, name)| !is_known(tenant, name));
        strays.extend(files.map(|(tenant, name)| format!("{tenant}/{name}")));
        strays.dedup();
        let problem = "no row names it; whoever wants its data gives it the name of the plugin's own";
        self.findings.extend(strays.into_iter().map(|name| Finding::lasting("archive", name, problem)));
        Ok(())
    }

    async fn archive(&mut self, row: &Archive, tenant: &Slug) -> Result<()> {
        let owner = Owner { tenant: tenant.clone(), plugin: row.name.plugin().clone() };
        let tables = self.services.tables.exist_archived(&owner, &row.name).await.map_err(std::io::Error::other)?;
        // Where several servers share a database, the files stand at the one that archived them.
        let files = self.services.db.is_shared() || self.layout.plugin_data(tenant, &row.name.to_string()).is_dir();
        let problem = match (row.has_tables && !tables, row.has_files && !files) {
            (true, true) => "its tables and files are gone",
            (true, false) => "its tables are gone",
            (false, true) => "its files are gone",
            (false, false) => return Ok(()),
        };
        self.findings.push(Finding::lasting("archive", row.name.to_string(), problem));
        Ok(())
    }
}
