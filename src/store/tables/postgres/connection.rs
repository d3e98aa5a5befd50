//! A connection as the role of an installation.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures_util::TryStreamExt as _;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpStream, UnixStream},
};
use tokio_postgres::{Client, Config, Error as PgError, NoTls, error::SqlState, types::Type};
use tokio_util::task::{AbortOnDropHandle, TaskTracker};

use super::{value::type_of, wire::Bounded};
use crate::tables::{Bounds, Error, Result, Rows, Value, gate::Effect, value::Collected};

/// How long to wait for the server.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// What a message has besides a row's bytes.
const MESSAGE_BYTES_MORE: u64 = 64 << 10;
/// Of all its tables, with their indexes and what was moved out of their rows.
pub(super) const SIZE: &str = "select coalesce(sum(pg_catalog.pg_total_relation_size(oid)), 0)::bigint from pg_catalog.pg_class \
                    where relkind in ('r', 'm') and relnamespace in \
                    (select oid from pg_catalog.pg_namespace where nspname = $1)";

/// Where the server is.
#[derive(Clone, Debug)]
pub(super) enum Address {
    /// A socket of this machine.
    Unix(PathBuf),
    /// Host and port.
    Tcp(String, u16),
}

/// Bytes in both directions.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

impl Address {
    /// Connects, without a word.
    pub(super) async fn connect(&self) -> std::io::Result<Box<dyn Stream>> {
        Ok(match self {
            Self::Unix(path) => Box::new(UnixStream::connect(path).await?),
            Self::Tcp(host, port) => Box::new(TcpStream::connect((host.as_str(), *port)).await?),
        })
    }
}

/// A connection. Dropped while a statement runs, it has the server cancel that.
#[derive(Debug)]
pub(super) struct Connection {
    client: Client,
    schema: String,
    address: Address,
    broke: Arc<AtomicBool>,
    /// Whether a statement was sent whose end was not seen.
    busy: bool,
    /// Whether the server ended the last statement with an error.
    refused: AtomicBool,
    tasks: TaskTracker,
    _driver: AbortOnDropHandle<()>,
}

impl Connection {
    /// Connects as the role, whose schema has the same name.
    pub(super) async fn open(
        address: &Address,
        config: &Config,
        schema: &str,
        bounds: &Bounds,
        tasks: &TaskTracker,
    ) -> Result<Self, Opening> {
        let outage = |error: &dyn std::fmt::Display| Opening::Failed(Error::Outage(error.to_string()));
        let max = usize::try_from(bounds.memory_bytes_max + MESSAGE_BYTES_MORE).unwrap_or(usize::MAX);
        let broke = Arc::new(AtomicBool::new(false));
        let connecting = async {
            let stream = address.connect().await.map_err(|error| outage(&error))?;
            let stream = Bounded::new(stream, max, Arc::clone(&broke));
            config.connect_raw(stream, NoTls).await.map_err(|error| match error.code() {
                Some(code) if *code == SqlState::INVALID_PASSWORD || *code == SqlState::INVALID_AUTHORIZATION_SPECIFICATION => {
                    Opening::Password
                }
                _ => outage(&chain(&error)),
            })
        };
        let connected = tokio::time::timeout(CONNECT_TIMEOUT, connecting).await;
        let (client, driver) = connected.map_err(|_| outage(&"the server does not answer"))??;
        let driver = AbortOnDropHandle::new(tasks.spawn(async move {
            if let Err(error) = driver.await {
                tracing::debug!(error = %error, "a connection of a plugin broke");
            }
        }));
        let address = address.clone();
        Ok(Self {
            client,
            schema: schema.to_owned(),
            address,
            broke,
            busy: false,
            refused: AtomicBool::new(false),
            tasks: tasks.clone(),
            _driver: driver,
        })
    }

    /// Puts the session into its first state, whatever was done in it.
    pub(super) async fn reset(&mut self, bounds: &Bounds) -> Result<()> {
        let milliseconds = bounds.statement.as_millis();
        let reset = format!(
            "close all; set session authorization default; reset all; unlisten *; select pg_catalog.pg_advisory_unlock_all(); \
             discard plans; discard temp; discard sequences; set search_path = {}; set statement_timeout = {milliseconds}; \
             set lock_timeout = {milliseconds}; set idle_in_transaction_session_timeout = '60s'; set client_connection_check_interval = '2s'",
            self.schema
        );
        self.platform(&reset, bounds).await
    }

    /// Runs statements of the platform's.
    pub(super) async fn platform(&mut self, sql: &str, bounds: &Bounds) -> Result<()> {
        self.busy = true;
        let done = tokio::time::timeout_at(bounds.statement_ends(), self.client.batch_execute(sql)).await;
        let done = done.map_err(|_| bounds.too_long())?.map_err(|error| self.failed(&error, bounds));
        self.busy = false;
        done
    }

    /// Runs a statement and gives its rows, and how many it changed; then looks whether the tables became too large.
    pub(super) async fn run(&mut self, sql: &str, parameters: &[Value], effect: Effect, bounds: &Bounds) -> Result<(Rows, u64)> {
        self.busy = true;
        let running = self.run_unbounded(sql, parameters, effect, bounds);
        let done = match tokio::time::timeout_at(bounds.statement_ends(), running).await {
            Ok(done) => done,
            // Dropped with this mark, the connection cancels the statement.
            Err(_) => return Err(bounds.too_long()),
        };
        self.busy = done.is_err() && !self.refused.swap(false, Ordering::Relaxed);
        done
    }

    /// For statements of the platform's own: what runs when it is dropped before [`Connection::settled`] is cancelled.
    pub(super) fn client(&mut self) -> &Client {
        self.busy = true;
        &self.client
    }

    /// Nothing runs any more.
    pub(super) fn settled(&mut self) {
        self.busy = false;
    }

    /// Whether another statement can follow.
    pub(super) fn is_usable(&self) -> bool {
        !self.busy && !self.client.is_closed()
    }

    async fn run_unbounded(&self, sql: &str, parameters: &[Value], effect: Effect, bounds: &Bounds) -> Result<(Rows, u64)> {
        let types: Vec<Type> = parameters.iter().map(type_of).collect();
        let failed = |error: PgError| self.failed(&error, bounds);
        let statement = self.client.prepare_typed(sql, &types).await.map_err(failed)?;
        if statement.params().len() != parameters.len() {
            let (most, given) = (statement.params().len(), parameters.len());
            return Err(Error::Statement(format!("The statement has {most} parameters, and {given} values were given.")));
        }
        let columns: Vec<String> = statement.columns().iter().map(|column| column.name().to_owned()).collect();
        let stream = self.client.query_raw(&statement, parameters).await.map_err(failed)?;
        let mut stream = std::pin::pin!(stream);
        let mut collected = Collected::new(bounds);
        while let Some(row) = stream.try_next().await.map_err(failed)? {
            collected.push((0..columns.len()).map(|index| row.try_get(index)).collect::<Result<_, _>>().map_err(failed)?)?;
        }
        let changed = if matches!(effect, Effect::Reads) { 0 } else { stream.rows_affected().unwrap_or(0) };
        // A query without columns is one that makes a table.
        if effect == Effect::Grows || (effect == Effect::Reads && columns.is_empty()) {
            let size: i64 = self.client.query_one(SIZE, &[&self.schema]).await.map_err(failed)?.try_get(0).map_err(failed)?;
            if size.unsigned_abs() > bounds.bytes_max {
                return Err(bounds.full());
            }
        }
        Ok((Rows { columns, rows: collected.rows }, changed))
    }

    /// What the server said, as what it means for a plugin.
    fn failed(&self, error: &PgError, bounds: &Bounds) -> Error {
        if self.broke.load(Ordering::Relaxed) {
            return bounds.too_large();
        }
        let Some(said) = error.as_db_error() else {
            return if error.is_closed() || std::error::Error::source(error).is_some_and(|cause| cause.is::<std::io::Error>()) {
                Error::Outage(chain(error))
            } else {
                Error::Statement(chain(error))
            };
        };
        self.refused.store(true, Ordering::Relaxed);
        let message = said.detail().map_or_else(|| said.message().to_owned(), |detail| format!("{}: {detail}", said.message()));
        let code = said.code().code();
        match (code.get(..2).unwrap_or_default(), code) {
            (_, "57014") => bounds.too_long(),
            (_, "42501") => Error::Denied(format!("Plugins may not do this: {message}.")),
            (_, "55P03" | "40P01" | "40001" | "25P03") => Error::Busy(format!("Another transaction is in the way: {message}.")),
            (_, "53100" | "53400") => bounds.full(),
            (_, "42601") if message.contains("multiple commands") => Error::Statement("One statement at a time.".to_owned()),
            ("23", _) => Error::Constraint(message),
            ("08" | "53" | "57" | "58" | "F0" | "XX", _) => Error::Outage(message),
            _ => Error::Statement(message),
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if !self.busy || tokio::runtime::Handle::try_current().is_err() {
            return;
        }
        let (token, address) = (self.client.cancel_token(), self.address.clone());
        self.tasks.spawn(async move {
            let cancelling = async {
                let stream = address.connect().await.map_err(|error| error.to_string())?;
                token.cancel_query_raw(stream, NoTls).await.map_err(|error| error.to_string())
            };
            if let Ok(Err(error)) = tokio::time::timeout(CONNECT_TIMEOUT, cancelling).await {
                tracing::warn!(error, "a statement of a plugin could not be cancelled");
            }
        });
    }
}

/// Why a connection did not open.
#[derive(Debug)]
pub(super) enum Opening {
    /// The password is not that which the server knows: another process changed it.
    Password,
    /// Anything else.
    Failed(Error),
}

/// What the server said to the platform.
pub(super) fn explain(error: &PgError) -> Error {
    match error.as_db_error() {
        Some(said) => match said.code().code().get(..2) {
            Some("08" | "53" | "57" | "58" | "F0" | "XX") => Error::Outage(chain(error)),
            Some("55" | "40") => Error::Busy(format!("Another transaction is in the way: {}.", said.message())),
            _ => {
                let place = said.where_().map(|place| format!(" ({place})")).unwrap_or_default();
                Error::Unsaveable(format!("{}{place}.", said.message()))
            }
        },
        None => Error::Outage(chain(error)),
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
