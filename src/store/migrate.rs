//! The platform's own migrations: same numbers and names for both databases, applied in one transaction under a lock
//! that ends with it, so that N replicas that start together apply each once.

use sqlx::{AssertSqlSafe, Executor as _, migrate::Migrator};
use time::OffsetDateTime;

use crate::{Db, Error, Result, Tx};

static SQLITE: Migrator = sqlx::migrate!("../../migrations/sqlite");
static POSTGRES: Migrator = sqlx::migrate!("../../migrations/postgres");

/// Any constant will do, as long as nothing else in the database uses it.
const LOCK: i64 = 0x6d69_6e74_0001;

pub(crate) async fn run(db: &Db) -> Result<()> {
    let mut tx = db.begin().await?;
    let migrator = match &mut tx {
        Tx::Sqlite(_) => &SQLITE,
        Tx::Postgres(tx) => {
            sqlx::query("select pg_advisory_xact_lock($1)").bind(LOCK).execute(&mut **tx).await?;
            &POSTGRES
        }
    };
    execute!(
        &mut tx,
        "create table if not exists platform_migrations
            (version bigint primary key, name text not null, sha384 text not null, applied_at text not null)"
    )?;
    let applied = rows!(&mut tx, all(i64, String), "select version, sha384 from platform_migrations order by version")?;
    if let Some((version, _)) = applied.iter().find(|(version, _)| !migrator.version_exists(*version)) {
        return Err(Error::Migration(format!(
            "The database has migration {version}, which this version of mint does not know. Start the version that made it."
        )));
    }
    for migration in migrator.iter() {
        let checksum: String = migration.checksum.iter().map(|byte| format!("{byte:02x}")).collect();
        match applied.iter().find(|(version, _)| *version == migration.version) {
            Some((_, known)) if *known == checksum => {}
            Some(_) => {
                return Err(Error::Migration(format!(
                    "Migration {} was changed after it was applied to this database.",
                    migration.version
                )));
            }
            None => {
                let sql = AssertSqlSafe(migration.sql.as_str().to_owned());
                match &mut tx {
                    Tx::Sqlite(tx) => tx.execute(sqlx::raw_sql(sql)).await.map(|_| ())?,
                    Tx::Postgres(tx) => tx.execute(sqlx::raw_sql(sql)).await.map(|_| ())?,
                }
                execute!(
                    &mut tx,
                    "insert into platform_migrations (version, name, sha384, applied_at) values ($1, $2, $3, $4)",
                    migration.version,
                    migration.description.to_string(),
                    checksum,
                    applied_at(),
                )?;
            }
        }
    }
    tx.commit().await
}

#[expect(clippy::disallowed_methods, reason = "a note for operators in a ledger; nothing is decided by it")]
fn applied_at() -> String {
    OffsetDateTime::now_utc().to_string()
}
