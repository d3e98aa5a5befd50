//! The servers, as people of a laboratory see them.

use std::collections::HashMap;

use mint_context::Result;
use mint_domain::{Digest, InstallationId, Permission};
use mint_store::{installations, releases, replicas::Replica};
use serde::Serialize;
use time::OffsetDateTime;

use crate::{Caller, Platform};

/// A server.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct ServerStatus {
    /// Names it, as in leases.
    pub id: String,
    /// Version of the platform.
    pub version: String,
    /// Where it listens.
    pub address: String,
    /// Whether it is the one that answers.
    pub answers: bool,
    /// Since when it runs.
    #[serde(with = "time::serde::rfc3339")]
    pub started_at: OffsetDateTime,
    /// When it last said that it is there.
    #[serde(with = "time::serde::rfc3339")]
    pub seen_at: OffsetDateTime,
    /// Plugins of the laboratory that answer there.
    pub serves: Vec<ServedPlugin>,
}

/// A plugin that answers at a server.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct ServedPlugin {
    /// Slug.
    pub name: String,
    /// Version; null for a release that is not known any more.
    pub version: Option<String>,
    /// Which start it is.
    pub generation: i64,
}

impl Platform {
    /// The servers that are there.
    ///
    /// # Errors
    /// `PERMISSION_DENIED`; the database's.
    pub async fn servers(&self, caller: &Caller) -> Result<Vec<ServerStatus>> {
        let _permit = caller.call(self.services()).permit_person(Permission::PluginsInstall)?;
        let replicas = self.replicas().await?;
        let mut tx = self.services().db.read().await?;
        let rows = installations::list(&mut tx, caller.tenant).await?;
        let slugs: HashMap<InstallationId, String> = rows.into_iter().map(|row| (row.id, row.slug)).collect();
        let versions: HashMap<Digest, String> = releases::versions(&mut tx).await?.into_iter().collect();
        let status = |replica: Replica| ServerStatus {
            answers: replica.id == self.process_id(),
            serves: replica
                .serves
                .into_iter()
                .filter_map(|served| {
                    let version = served.release.and_then(|release| versions.get(&release).cloned());
                    Some(ServedPlugin { name: slugs.get(&served.installation)?.clone(), version, generation: served.generation })
                })
                .collect(),
            id: replica.id,
            version: replica.version,
            address: replica.address,
            started_at: replica.started_at,
            seen_at: replica.seen_at,
        };
        Ok(replicas.into_iter().map(status).collect())
    }
}
