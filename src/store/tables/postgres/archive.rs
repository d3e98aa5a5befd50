//! A schema and its role under the names of an archive, and back.

use mint_domain::ArchiveName;
use sha2::{Digest as _, Sha256};
use sqlx::{AssertSqlSafe, Connection as _};
use tokio::time::Instant;

use super::{
    role::{ENDED, Server, change_alone, outage},
    schema::PostgresSchema,
};
use crate::tables::Result;

/// PostgreSQL cuts longer names off: `archived_`, 17 digits, 16 digits of a digest, and what lies between.
const READABLE_CHARS: usize = 19;

impl PostgresSchema {
    /// Closes it for good, and gives schema and role the names of an archive, or takes them `back`.
    pub(crate) async fn rename(&self, back: bool, name: &ArchiveName) -> Result<bool> {
        self.pool.close().await;
        drop(self.pool.stale(Instant::now()));
        let archived = self.archived(name);
        match back {
            true => self.server.rename(&archived, &self.name).await,
            false => self.server.rename(&self.name, &archived).await,
        }
    }

    /// Deletes an archive of it.
    pub(crate) async fn delete_archived(&self, name: &ArchiveName) -> Result<()> {
        self.server.remove(&self.archived(name)).await
    }

    /// Whether there is an archive of it by this name.
    pub(crate) async fn is_archived(&self, name: &ArchiveName) -> Result<bool> {
        self.server.knows(&self.archived(name)).await
    }

    /// The name of an archive of it. Roles are shared by all databases of a server, like its own.
    fn archived(&self, name: &ArchiveName) -> String {
        archived_role(&self.name, name)
    }
}

/// The name of an archive of what belonged to `role`.
pub(crate) fn archived_role(role: &str, name: &ArchiveName) -> String {
    let readable: String = name.plugin().as_str().chars().take(READABLE_CHARS).collect();
    let digest: String = hex::encode(Sha256::digest(role)).chars().take(16).collect();
    format!("archived_{}_{}_{digest}", name.stamp(), readable.replace('-', "_"))
}

impl Server {
    /// Schemas with names of archives.
    pub(crate) async fn archived(&self) -> Result<Vec<String>> {
        let known = "select nspname::text from pg_catalog.pg_namespace where nspname ~ '^archived_[0-9]{17}_' order by 1";
        sqlx::query_scalar(known).fetch_all(self.pool()).await.map_err(outage)
    }

    /// Gives a role, its schema and what they own other names; nobody signs in as it meanwhile. False when there is neither.
    async fn rename(&self, from: &str, to: &str) -> Result<bool> {
        if !self.knows(from).await? {
            return self.knows(to).await;
        }
        let mut connection = self.pool().acquire().await.map_err(outage)?;
        let mut tx = connection.begin().await.map_err(outage)?;
        for role in [from, to] {
            change_alone(&mut tx, role).await.map_err(outage)?;
        }
        let closed = AssertSqlSafe(format!("alter role {from} nologin; grant {from} to current_user"));
        sqlx::raw_sql(closed).execute(&mut *tx).await.map_err(outage)?;
        sqlx::query(ENDED).bind(from).execute(&mut *tx).await.map_err(outage)?;
        let renamed = AssertSqlSafe(format!("alter schema {from} rename to {to}; alter role {from} rename to {to}"));
        sqlx::raw_sql(renamed).execute(&mut *tx).await.map_err(outage)?;
        tx.commit().await.map_err(outage)?;
        Ok(true)
    }
}
