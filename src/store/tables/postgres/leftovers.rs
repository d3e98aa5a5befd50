//! Roles and schemas of this database that are named like those of plugins.

use sqlx::AssertSqlSafe;

use super::role::{Server, outage};
use crate::tables::{Result, migration::ledger};

/// Schemas of this database, and roles that may connect to it: roles are shared by all databases of a server.
const NAMES: &str = "select nspname::text from pg_catalog.pg_namespace where nspname ~ $1 union \
    select r.rolname::text from pg_catalog.pg_database d, pg_catalog.aclexplode(d.datacl) a, pg_catalog.pg_roles r \
    where d.datname = current_database() and a.grantee = r.oid and r.rolname ~ $1 order by 1";

/// How a name of ours looks.
const NAME: &str = "^mint_[a-z0-9_]+_[0-9a-f]{16}$";

/// Whatever is in a schema, but for the note of migrations and for what belongs to something else there.
const OBJECTS: &str = "select count(*) from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace \
    where n.nspname = $1 and c.relname <> $2 and c.relkind in ('r', 'p', 'v', 'm', 'f', 'S')";

impl Server {
    /// Names of roles and schemas for plugins in this database.
    pub(crate) async fn names(&self) -> Result<Vec<String>> {
        sqlx::query_scalar(NAMES).bind(NAME).fetch_all(self.pool()).await.map_err(outage)
    }

    /// Whether a schema is there, with a role of its name.
    pub(crate) async fn is_whole(&self, name: &str) -> Result<bool> {
        Ok(self.has_schema(name).await? && self.knows(name).await?)
    }

    /// Whether there is nothing in a schema, or no such schema.
    pub(crate) async fn is_empty(&self, name: &str) -> Result<bool> {
        let objects: i64 =
            sqlx::query_scalar(OBJECTS).bind(name).bind(ledger::TABLE).fetch_one(self.pool()).await.map_err(outage)?;
        if objects > 0 {
            return Ok(false);
        }
        let note = format!("{name}.{}", ledger::TABLE);
        let has_note: bool = sqlx::query_scalar("select pg_catalog.to_regclass($1) is not null")
            .bind(&note)
            .fetch_one(self.pool())
            .await
            .map_err(outage)?;
        if !has_note {
            return Ok(true);
        }
        // A name of ours is letters, digits and `_`.
        let rows = AssertSqlSafe(format!("select count(*) from {note}"));
        let noted: i64 = sqlx::query_scalar(rows).fetch_one(self.pool()).await.map_err(outage)?;
        Ok(noted == 0)
    }

    async fn has_schema(&self, name: &str) -> Result<bool> {
        let known: Option<i32> = sqlx::query_scalar("select 1 from pg_catalog.pg_namespace where nspname = $1")
            .bind(name)
            .fetch_optional(self.pool())
            .await
            .map_err(outage)?;
        Ok(known.is_some())
    }
}
