//! The two databases, behind one transaction type. What differs between them lives here, in `migrate.rs` and
//! in `search.rs` only.

use std::{str::FromStr, time::Duration};

use sqlx::{
    PgPool, Postgres, Sqlite, SqlitePool, Transaction,
    postgres::{PgConnectOptions, PgPoolOptions},
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

use crate::{Error, Result, migrate};

/// How long to wait for a connection before saying that the database does not answer.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);
/// How long SQLite waits for another writer.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// A process that was frozen, or went away without a word, holds its locks no longer than this; nobody waits for them for
/// ever. Settings of a transaction, since a pooler may give the next one another connection.
const BEGIN: &str = "begin; set local idle_in_transaction_session_timeout = '15s'; set local lock_timeout = '20s'";

/// A database.
#[derive(Clone, Debug)]
pub enum Db {
    /// One file in WAL mode: one writer, many readers.
    Sqlite {
        /// The connection that writes.
        writer: SqlitePool,
        /// Those that read.
        readers: SqlitePool,
    },
    /// A server.
    Postgres(PgPool),
}

/// A transaction. Dropped without [`Tx::commit`], it is rolled back.
#[derive(Debug)]
pub enum Tx {
    /// On SQLite.
    Sqlite(Transaction<'static, Sqlite>),
    /// On PostgreSQL.
    Postgres(Transaction<'static, Postgres>),
}

impl Db {
    /// Opens `sqlite:<path>` (made when missing) or `postgres://…`, and brings its tables up to date.
    ///
    /// # Errors
    /// [`Error::Url`], [`Error::Encoding`], [`Error::Migration`], or what the database says.
    pub async fn open(url: &str) -> Result<Self> {
        let db = Self::connect(url).await?;
        migrate::run(&db).await?;
        Ok(db)
    }

    async fn connect(url: &str) -> Result<Self> {
        if url.starts_with("sqlite:") {
            let options = SqliteConnectOptions::from_str(url)
                .map_err(|e| Error::Url(e.to_string()))?
                .create_if_missing(true)
                .journal_mode(SqliteJournalMode::Wal)
                .synchronous(SqliteSynchronous::Full)
                .foreign_keys(true)
                .busy_timeout(BUSY_TIMEOUT);
            let writer = SqlitePoolOptions::new()
                .max_connections(1)
                .acquire_timeout(ACQUIRE_TIMEOUT)
                .connect_with(options.clone())
                .await?;
            let readers = SqlitePoolOptions::new()
                .max_connections(8)
                .acquire_timeout(ACQUIRE_TIMEOUT)
                .connect_with(options.read_only(true).create_if_missing(false))
                .await?;
            Ok(Self::Sqlite { writer, readers })
        } else if url.starts_with("postgres:") || url.starts_with("postgresql:") {
            let options = PgConnectOptions::from_str(url).map_err(|e| Error::Url(e.to_string()))?;
            let pool = PgPoolOptions::new().max_connections(16).acquire_timeout(ACQUIRE_TIMEOUT).connect_with(options).await?;
            let (encoding,): (String,) = sqlx::query_as("select current_setting('server_encoding')").fetch_one(&pool).await?;
            if encoding != "UTF8" {
                return Err(Error::Encoding(encoding));
            }
            Ok(Self::Postgres(pool))
        } else {
            Err(Error::Url(format!("`{url}` must begin with `sqlite:` or `postgres://`")))
        }
    }

    /// Begins a transaction that may write.
    ///
    /// # Errors
    /// No connection in time.
    pub async fn begin(&self) -> Result<Tx> {
        match self {
            // Taking the write lock at once avoids the dead end of a reader that turns writer.
            Self::Sqlite { writer, .. } => Ok(Tx::Sqlite(writer.begin_with("begin immediate").await?)),
            Self::Postgres(pool) => Ok(Tx::Postgres(pool.begin_with(BEGIN).await?)),
        }
    }

    /// Begins a transaction that only reads.
    ///
    /// # Errors
    /// No connection in time.
    pub async fn read(&self) -> Result<Tx> {
        match self {
            Self::Sqlite { readers, .. } => Ok(Tx::Sqlite(readers.begin().await?)),
            Self::Postgres(pool) => Ok(Tx::Postgres(pool.begin().await?)),
        }
    }

    /// Whether the database answers.
    ///
    /// # Errors
    /// What it said instead.
    pub async fn ping(&self) -> Result<()> {
        let mut tx = self.read().await?;
        rows!(&mut tx, one(i32,), "select 1").map(|_| ())
    }

    /// Whether other servers may work on it at the same time.
    pub fn is_shared(&self) -> bool {
        matches!(self, Self::Postgres(_))
    }

    /// Waits until every connection is given back, and closes them.
    pub async fn close(&self) {
        match self {
            Self::Sqlite { writer, readers } => {
                readers.close().await;
                writer.close().await;
            }
            Self::Postgres(pool) => pool.close().await,
        }
    }
}

impl Tx {
    /// Makes the changes last.
    ///
    /// # Errors
    /// What the database says; then nothing was changed, or that is unknown because the connection broke.
    pub async fn commit(self) -> Result<()> {
        match self {
            Self::Sqlite(tx) => tx.commit().await?,
            Self::Postgres(tx) => tx.commit().await?,
        }
        Ok(())
    }
}
