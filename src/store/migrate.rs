//! The platform's own migrations: same numbers and names for both databases, applied in one transaction under a lock
//! that ends with it, so that N replicas that start together apply each once.

use sqlx::{AssertSqlSafe, Executor as _, migrate::Migrator};
use time::OffsetDateTime;

use crate::{Db, Error, Result, Tx};

static SQLITE: Migrator = sqlx::migrate!("../../migrations/sqlite");
static POSTGRES: Migrator = sqlx::migrate!("../../migrations/postgres");

/// Any constant will do, as long as nothing else in the database uses it.
const LOCK: i64 = 0x6d69_6e74_0001;

/// How the tables of a database stand to this version of the platform.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schema {
    /// `SQLite` or `PostgreSQL`.
    pub kind: &'static str,
    /// The last migration that was applied; none in a new database.
    pub version: Option<i64>,
    /// Migrations that are to be applied.
    pub pending: Vec<String>,
    /// Migrations that this version does not know.
    pub unknown: Vec<i64>,
}

impl Db {
    /// How the tables stand. Changes nothing.
    ///
    /// # Errors
    /// The database's.
    pub async fn schema(&self) -> Result<Schema> {
        let mut tx = self.read().await?;
        let (kind, migrator) = match &tx {
            Tx::Sqlite(_) => ("SQLite", &SQLITE),
            Tx::Postgres(_) => ("PostgreSQL", &POSTGRES),
        };
        let ledger = match &tx {
            Tx::Sqlite(_) => "select count(*) from sqlite_master where name = 'platform_migrations'",
            Tx::Postgres(_) => "select count(*) from pg_catalog.pg_class where oid = to_regclass('platform_migrations')",
        };
        let (is_there,) = rows!(&mut tx, one(i64,), ledger)?;
        let applied = match is_there {
            0 => Vec::new(),
            _ => rows!(&mut tx, all(i64,), "select version from platform_migrations order by version")?,
        };
        let applied: Vec<i64> = applied.into_iter().map(|(version,)| version).collect();
        let is_pending = |version: i64| !applied.contains(&version);
        let pending = migrator.iter().filter(|migration| is_pending(migration.version));
        Ok(Schema {
            kind,
            version: applied.last().copied(),
            pending: pending.map(|migration| format!("{:04} {}", migration.version, migration.description)).collect(),
            unknown: applied.into_iter().filter(|version| !migrator.version_exists(*version)).collect(),
        })
    }

    /// Brings the tables up to date. Several servers that do this at once do each migration once.
    ///
    /// # Errors
    /// [`Error::Migration`]; the database's.
    pub async fn migrate(&self) -> Result<()> {
        run(self).await
    }
}

pub(crate) async fn run(db: &Db) -> Result<()> {
    let mut tx = db.begin().await?;
    let migrator = match &mut tx {
        Tx::Sqlite(_) => &SQLITE,
        Tx::Postgres(tx) => {
            sqlx::query("select pg_advisory_xact_lock($1)").bind(LOCK).persistent(false).execute(&mut **tx).await?;
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
