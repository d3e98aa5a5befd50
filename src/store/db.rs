//! The two databases, behind one transaction type. What differs between them lives here, in `migrate.rs` and
//! in `search.rs` only.

use std::{
    ops::{Deref, DerefMut},
    str::FromStr,
    sync::Arc,
    time::Duration,
};

use sqlx::{
    Connection as _, PgConnection, PgPool, Postgres, Sqlite, SqliteConnection, SqlitePool, Transaction,
    postgres::{PgConnectOptions, PgPoolOptions},
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

use crate::{Error, Result, migrate};

/// How long to wait for a connection before saying that the database does not answer.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);
/// Connections to a server, and further ones for tables of plugins where a pooler stands before it.
const CONNECTIONS_MAX: u32 = 16;
const DIRECT_CONNECTIONS_MAX: u32 = 4;
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
    Postgres(PostgresDb),
}

/// A transaction. Dropped without [`Tx::commit`], it is rolled back.
#[derive(Debug)]
pub enum Tx {
    /// On SQLite.
    Sqlite(Transaction<'static, Sqlite>),
    /// On PostgreSQL.
    Postgres(PostgresTx),
}

/// Connections to a server, perhaps by way of a pooler.
#[derive(Clone, Debug)]
pub struct PostgresDb {
    pool: PgPool,
    /// Where plugins' tables are reached; as the pool's where none is given.
    direct: Option<Arc<PgConnectOptions>>,
    /// Whether a statement may be prepared under a name, which a pooler would not find again.
    names: bool,
}

/// A transaction on a server.
#[derive(Debug)]
pub struct PostgresTx {
    tx: Transaction<'static, Postgres>,
    pub(crate) names: bool,
}

/// Where a database is, and what stands before it.
#[derive(Clone, Debug)]
pub struct Place {
    /// `sqlite:<path>` (made when missing) or `postgres://…`.
    pub url: String,
    /// The address of the same PostgreSQL without a pooler, where `url` leads to one that gives each transaction another
    /// connection.
    pub direct_url: Option<String>,
}

impl PostgresDb {
    /// Connections that lead to the server itself.
    pub(crate) fn direct(&self) -> PgPool {
        match &self.direct {
            Some(options) => pool(DIRECT_CONNECTIONS_MAX).connect_lazy_with(PgConnectOptions::clone(options)),
            None => self.pool.clone(),
        }
    }

    async fn begin(&self, statement: &'static str) -> Result<Tx> {
        Ok(Tx::Postgres(PostgresTx { tx: self.pool.begin_with(statement).await?, names: self.names }))
    }
}

impl Deref for PostgresTx {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        &self.tx
    }
}

impl DerefMut for PostgresTx {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.tx
    }
}

fn pool(connections: u32) -> PgPoolOptions {
    PgPoolOptions::new().max_connections(connections).acquire_timeout(ACQUIRE_TIMEOUT)
}

fn postgres(url: &str) -> Result<PgConnectOptions> {
    PgConnectOptions::from_str(url).map_err(|e| Error::Url(e.to_string()))
}

/// Whether a connection can be used again. Where the disk is full, SQLite ends a transaction by itself, and the driver, which
/// fails to end it once more, takes it for open for ever.
async fn is_at_rest(connection: &mut SqliteConnection) -> sqlx::Result<bool> {
    // What was sent before, such as the end of a transaction that was dropped, is done by then.
    connection.ping().await?;
    Ok(!connection.is_in_transaction())
}

impl Db {
    /// Opens a database, and brings its tables up to date.
    ///
    /// # Errors
    /// [`Error::Url`], [`Error::Encoding`], [`Error::Migration`], or what the database says.
    pub async fn open(url: &str) -> Result<Self> {
        Self::open_at(&Place { url: url.to_owned(), direct_url: None }).await
    }

    /// The same, where something may stand before it.
    ///
    /// # Errors
    /// As [`Db::open`].
    pub async fn open_at(place: &Place) -> Result<Self> {
        let db = Self::connect(place).await?;
        migrate::run(&db).await?;
        Ok(db)
    }

    /// Opens a database as it is.
    ///
    /// # Errors
    /// As [`Db::open`].
    pub async fn connect(place: &Place) -> Result<Self> {
        let url = place.url.as_str();
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
                .after_release(|connection, _| Box::pin(is_at_rest(connection)))
                .connect_with(options.clone())
                .await?;
            let readers = SqlitePoolOptions::new()
                .max_connections(8)
                .acquire_timeout(ACQUIRE_TIMEOUT)
                .connect_with(options.read_only(true).create_if_missing(false))
                .await?;
            Ok(Self::Sqlite { writer, readers })
        } else if url.starts_with("postgres:") || url.starts_with("postgresql:") {
            let direct = place.direct_url.as_deref().map(postgres).transpose()?.map(Arc::new);
            let mut options = postgres(url)?;
            let names = direct.is_none();
            if !names {
                // A pooler refuses what it would have to set for each connection.
                options = options.statement_cache_capacity(0).extra_float_digits(None);
            }
            let pool = pool(CONNECTIONS_MAX).connect_with(options).await?;
            let db = PostgresDb { pool, direct, names };
            let mut tx = db.begin("begin").await?;
            let (encoding,) = rows!(&mut tx, one(String,), "select current_setting('server_encoding')")?;
            if encoding != "UTF8" {
                return Err(Error::Encoding(encoding));
            }
            Ok(Self::Postgres(db))
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
            Self::Postgres(db) => db.begin(BEGIN).await,
        }
    }

    /// Begins a transaction that only reads.
    ///
    /// # Errors
    /// No connection in time.
    pub async fn read(&self) -> Result<Tx> {
        match self {
            Self::Sqlite { readers, .. } => Ok(Tx::Sqlite(readers.begin().await?)),
            Self::Postgres(db) => db.begin("begin read only").await,
        }
    }

    /// Begins a transaction that only reads, and to which all is as it was at its first question.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn read_at_one_moment(&self) -> Result<Tx> {
        match self {
            Self::Sqlite { .. } => self.read().await,
            Self::Postgres(db) => db.begin("begin isolation level repeatable read read only").await,
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

    /// What SQLite finds wrong with its file, at most ten things. A server of PostgreSQL looks after that itself.
    ///
    /// # Errors
    /// The database's.
    pub async fn problems(&self) -> Result<Vec<String>> {
        let mut tx = self.read().await?;
        match &tx {
            Tx::Postgres(_) => Ok(Vec::new()),
            Tx::Sqlite(_) => {
                let said = rows!(&mut tx, all(String,), "select integrity_check from pragma_integrity_check limit 10")?;
                let dangling = rows!(&mut tx, all(String,), "select \"table\" from pragma_foreign_key_check limit 10")?;
                let said = said.into_iter().map(|(said,)| said).filter(|said| said != "ok");
                Ok(said.chain(dangling.into_iter().map(|(table,)| format!("a row of {table} refers to none"))).collect())
            }
        }
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
            Self::Postgres(db) => db.pool.close().await,
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
            Self::Postgres(tx) => tx.tx.commit().await?,
        }
        Ok(())
    }
}
