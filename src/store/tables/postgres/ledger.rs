//! What was done to the tables of a schema, written down where its role can only read. What belongs to one transaction of
//! the role with the change itself is written by a function of the platform's, for whoever knows its word; the word is a
//! new one for each migration, so that a server whose lock is gone writes nothing.

use std::time::Duration;

use mint_domain::migration::AppliedMigration;
use rand::{Rng as _, distr::Alphanumeric};
use sha2::{Digest as _, Sha256};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, Postgres, Transaction};
use time::format_description::well_known::Rfc3339;

use super::role::{Server, outage};
use crate::tables::{Error, Record, Result, migration::ledger};

/// Characters of a word.
const WORD_CHARS: usize = 40;
/// The function that writes for the role.
pub(super) const NOTE: &str = "plugin_schema_migrations_note";

type LedgerRow = (i32, String, bool, String, String, Option<String>);

/// Makes the table in the schema of a role, as the platform.
pub(super) fn create(role: &str) -> String {
    format!(
        "create table if not exists {role}.{table} ({columns});
         revoke all on {role}.{table} from public;
         grant select on {role}.{table} to {role}",
        table = ledger::TABLE,
        columns = ledger::COLUMNS,
    )
}

impl Server {
    /// Waits until no other server changes the tables of a role, and sees to that until the end of the transaction.
    pub(super) async fn lock(&self, role: &str, patience: Duration) -> Result<Transaction<'static, Postgres>> {
        let mut tx = self.pool().begin().await.map_err(outage)?;
        let settings =
            format!("set local lock_timeout = {}; set local idle_in_transaction_session_timeout = 0", patience.as_millis());
        sqlx::raw_sql(AssertSqlSafe(settings)).execute(&mut *tx).await.map_err(outage)?;
        let locked = sqlx::query("select pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended($1, 1))").bind(role);
        locked.execute(&mut *tx).await.map_err(|error| {
            match error.as_database_error().and_then(|said| said.code()).as_deref() {
                Some("55P03") => Error::Busy("Another server changes the plugin's tables.".to_owned()),
                _ => outage(error),
            }
        })?;
        Ok(tx)
    }

    /// What was tried. Nothing, where there is no such table.
    pub(super) async fn applied(&self, role: &str) -> Result<Vec<AppliedMigration>> {
        let mut connection = self.pool().acquire().await.map_err(outage)?;
        applied(&mut connection, role).await
    }

    /// Lets whoever knows the word that is given write down one migration. Words given before are worth nothing any more.
    pub(super) async fn arm(&self, role: &str) -> Result<String> {
        let word: String = rand::rng().sample_iter(Alphanumeric).take(WORD_CHARS).map(char::from).collect();
        let hash = hex::encode(Sha256::digest(&word));
        let arguments = "text, integer, text, text, text, boolean, boolean";
        let upsert = ledger::upsert(&format!("{role}.{}", ledger::TABLE));
        let values = "p_version, p_name, p_at, p_checksum, p_destructive, true, null";
        let upsert = upsert.replace("$1, $2, $3, $4, $5, $6, $7", values);
        let function = format!(
            "create or replace function {role}.{NOTE} (p_word text, p_version integer, p_name text, p_at text, p_checksum text,
                 p_destructive boolean, p_reverted boolean) returns boolean
             language plpgsql security definer set search_path = pg_catalog, pg_temp as $body$
             begin
                 if encode(sha256(convert_to(p_word, 'UTF8')), 'hex') <> '{hash}' then
                     raise exception 'Another server has begun to change these tables.' using errcode = '40001';
                 end if;
                 if p_reverted then
                     delete from {role}.{table} where version = p_version;
                 else
                     {upsert};
                 end if;
                 return true;
             end $body$;
             revoke all on function {role}.{NOTE} ({arguments}) from public;
             grant execute on function {role}.{NOTE} ({arguments}) to {role}",
            table = ledger::TABLE,
        );
        let mut connection = self.pool().acquire().await.map_err(outage)?;
        let mut tx = connection.begin().await.map_err(outage)?;
        sqlx::raw_sql(AssertSqlSafe(function)).execute(&mut *tx).await.map_err(outage)?;
        tx.commit().await.map_err(outage)?;
        Ok(word)
    }

    /// Writes down what was tried, beside any transaction of the role.
    pub(super) async fn record(&self, role: &str, record: &Record) -> Result<()> {
        let mut connection = self.pool().acquire().await.map_err(outage)?;
        match record {
            Record::Tried(tried) => insert(&mut connection, role, tried).await,
            Record::Adopted(adopted) => {
                for tried in adopted {
                    insert(&mut connection, role, tried).await?;
                }
                Ok(())
            }
            Record::Reverted(reverted) => {
                let sql = AssertSqlSafe(format!("delete from {role}.{} where version = $1", ledger::TABLE));
                let deleted = sqlx::query(sql).bind(version(*reverted)).execute(&mut *connection).await;
                deleted.map(|_| ()).map_err(outage)
            }
        }
    }

    /// Writes down what was done to tables that were put in the place of others, in the place of what was done since.
    pub(super) async fn rewrite(&self, role: &str, migrations: &[AppliedMigration]) -> Result<()> {
        let mut connection = self.pool().acquire().await.map_err(outage)?;
        let mut tx = connection.begin().await.map_err(outage)?;
        sqlx::raw_sql(AssertSqlSafe(create(role))).execute(&mut *tx).await.map_err(outage)?;
        let cleared = AssertSqlSafe(format!("delete from {role}.{}", ledger::TABLE));
        sqlx::query(cleared).execute(&mut *tx).await.map_err(outage)?;
        for tried in migrations {
            insert(&mut tx, role, tried).await?;
        }
        tx.commit().await.map_err(outage)
    }
}

async fn insert(connection: &mut PgConnection, role: &str, tried: &AppliedMigration) -> Result<()> {
    let written = sqlx::query(AssertSqlSafe(ledger::upsert(&format!("{role}.{}", ledger::TABLE))))
        .bind(version(tried.migration.version))
        .bind(&tried.migration.name)
        .bind(tried.applied_at.format(&Rfc3339).unwrap_or_default())
        .bind(&tried.migration.checksum)
        .bind(tried.migration.destructive)
        .bind(tried.error.is_none())
        .bind(&tried.error)
        .execute(&mut *connection)
        .await;
    written.map(|_| ()).map_err(outage)
}

/// Versions are checked to fit when they are declared.
pub(super) fn version(version: u32) -> i32 {
    i32::try_from(version).unwrap_or(i32::MAX)
}

pub(super) async fn applied(connection: &mut PgConnection, role: &str) -> Result<Vec<AppliedMigration>> {
    let table = format!("{role}.{}", ledger::TABLE);
    let there: bool = sqlx::query_scalar("select pg_catalog.to_regclass($1) is not null")
        .bind(&table)
        .fetch_one(&mut *connection)
        .await
        .map_err(outage)?;
    if !there {
        return Ok(Vec::new());
    }
    let sql = AssertSqlSafe(format!("select {} from {table} order by version", ledger::SELECTED));
    let rows: Vec<LedgerRow> = sqlx::query_as(sql).fetch_all(&mut *connection).await.map_err(outage)?;
    let known = rows.into_iter().map(|(version, name, destructive, checksum, at, error)| {
        ledger::entry((version.into(), name, destructive, checksum, at, error))
    });
    known.collect()
}
