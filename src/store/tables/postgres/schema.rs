//! The schema of one installation, its transactions and its cursors.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    sync::{Mutex as AsyncMutex, Semaphore},
    time::Instant,
};
use tokio_util::task::TaskTracker;

use super::{
    connection::{Connection, Opening},
    door::SESSIONS_MAX,
    role::Server,
};
use crate::tables::{
    Bounds, Error, Owner, Result, Row, Rows, Value,
    gate::{self, Effect},
    pool::{Lease, Pool},
};

/// Passwords tried before giving up: other processes change it too.
pub(super) const TRIES: usize = 3;

/// The tables of one installation.
#[derive(Debug)]
pub(crate) struct PostgresSchema {
    pub(super) server: Arc<Server>,
    owner: Owner,
    pub(super) name: String,
    /// Places for drivers of its own.
    pub(super) sessions: Semaphore,
    /// Bytes of its tables, and when they were counted.
    size: AsyncMutex<Option<(Instant, u64)>>,
    /// Kept here and nowhere else.
    password: Mutex<Option<String>>,
    pub(super) pool: Arc<Pool<Connection>>,
    tasks: TaskTracker,
}

impl PostgresSchema {
    pub(crate) fn new(server: Arc<Server>, owner: Owner, tasks: TaskTracker) -> Self {
        let name = owner.role(server.database());
        let sessions = Semaphore::new(SESSIONS_MAX);
        Self { server, owner, name, sessions, size: AsyncMutex::default(), password: Mutex::default(), pool: Pool::new(), tasks }
    }

    /// Makes the role and the schema, if they are missing, and connects.
    pub(crate) async fn prepare(&self, bounds: &Bounds) -> Result<()> {
        self.lease(bounds).await?.give_back();
        Ok(())
    }

    /// Closes it for good, and deletes it with its role.
    pub(crate) async fn delete(&self) -> Result<()> {
        self.pool.close().await;
        drop(self.pool.stale(Instant::now()));
        self.server.remove(&self.name).await
    }

    /// Closes what nobody has used since `since`.
    pub(crate) fn rest(&self, since: Instant) {
        drop(self.pool.stale(since));
    }

    pub(crate) fn server(&self) -> &Server {
        &self.server
    }

    /// Of the schema, and of its role.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(super) async fn lease(&self, bounds: &Bounds) -> Result<Lease<Connection>> {
        let (place, idle) = self.pool.place(bounds.statement_ends()).await?;
        if let Some(mut connection) = idle
            && connection.reset(bounds).await.is_ok()
        {
            return Ok(self.pool.lease(place, connection));
        }
        let connection = self.connect(bounds).await?;
        Ok(self.pool.lease(place, connection))
    }

    /// Whether there are tables, or were.
    pub(crate) async fn exists(&self) -> Result<bool> {
        self.server.knows(&self.name).await
    }

    /// Bytes of everything in it.
    pub(crate) async fn size(&self) -> Result<u64> {
        self.server.size(&self.name).await
    }

    /// A connection beside those of the plugin.
    pub(super) async fn connect(&self, bounds: &Bounds) -> Result<Connection> {
        for _ in 0..TRIES {
            let password = self.password().await?;
            let config = self.server.config(&self.name, &password);
            match Connection::open(self.server.address(), &config, &self.name, bounds, &self.tasks).await {
                Ok(mut connection) => {
                    connection.reset(bounds).await?;
                    return Ok(connection);
                }
                Err(Opening::Password) => self.forget_password(&password),
                Err(Opening::Failed(error)) => return Err(error),
            }
        }
        Err(self.password_refused())
    }

    /// Bytes of all its tables, counted not longer than `age` ago. None when they cannot be counted now.
    pub(super) async fn size_lately(&self, age: Duration) -> Option<u64> {
        let mut size = self.size.lock().await;
        match *size {
            Some((at, bytes)) if at.elapsed() < age => Some(bytes),
            _ => {
                let bytes = self.server.size(&self.name).await.inspect_err(|error| {
                    tracing::warn!(role = self.name, error = %error, "the tables of a plugin could not be counted");
                });
                *size = bytes.ok().map(|bytes| (Instant::now(), bytes));
                size.map(|(_, bytes)| bytes)
            }
        }
    }

    /// The server did not take this password: the next is a new one, unless there is one already.
    pub(super) fn forget_password(&self, refused: &str) {
        let mut password = self.password.lock().unwrap_or_else(PoisonError::into_inner);
        if password.as_deref() == Some(refused) {
            *password = None;
        }
    }

    pub(super) fn password_refused(&self) -> Error {
        Error::Outage(format!("the server refuses the password of the role {}: look at its pg_hba.conf", self.name))
    }

    pub(super) async fn password(&self) -> Result<String> {
        let known = self.password.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(password) = known {
            return Ok(password);
        }
        let password = self.server.prepare(&self.name, &self.owner).await?;
        *self.password.lock().unwrap_or_else(PoisonError::into_inner) = Some(password.clone());
        Ok(password)
    }

    pub(crate) async fn run(&self, sql: &str, parameters: &[Value], bounds: &Bounds) -> Result<(Rows, u64)> {
        let effect = gate::look(sql)?;
        let mut lease = self.lease(bounds).await?;
        lease.platform("begin", bounds).await?;
        let done = lease.run(sql, parameters, effect, bounds).await;
        let done = match done {
            Ok(done) => lease.platform("commit", bounds).await.map(|()| done),
            Err(error) if lease.is_usable() => lease.platform("rollback", bounds).await.and(Err(error)),
            Err(error) => return Err(error),
        };
        lease.give_back();
        done
    }

    pub(crate) async fn begin(&self, bounds: &Bounds) -> Result<PostgresTransaction> {
        let mut lease = self.lease(bounds).await?;
        lease.platform("begin", bounds).await?;
        Ok(PostgresTransaction { lease: Some(lease) })
    }

    pub(crate) async fn open(&self, sql: &str, parameters: &[Value], bounds: &Bounds) -> Result<PostgresCursor> {
        let _effect = gate::look(sql)?;
        let mut lease = self.lease(bounds).await?;
        lease.platform("begin isolation level repeatable read read only", bounds).await?;
        let declaration = format!("declare rows no scroll cursor for {sql}");
        lease.run(&declaration, parameters, Effect::Shrinks, bounds).await?;
        // Nothing is read yet, but the names of the columns are known.
        let (none, _) = lease.run("fetch forward 0 from rows", &[], Effect::Shrinks, bounds).await?;
        Ok(PostgresCursor { columns: none.columns, lease: Some(lease) })
    }
}

/// A transaction. Its connection is gone after a statement that failed, or that nobody waited for.
#[derive(Debug)]
pub(crate) struct PostgresTransaction {
    lease: Option<Lease<Connection>>,
}

impl PostgresTransaction {
    fn take(&mut self) -> Result<Lease<Connection>> {
        self.lease.take().ok_or_else(|| Error::Statement("The transaction ended with a statement that failed.".to_owned()))
    }

    pub(crate) async fn run(&mut self, sql: &str, parameters: &[Value], bounds: &Bounds) -> Result<(Rows, u64)> {
        let effect = gate::look(sql)?;
        let mut lease = self.take()?;
        let done = lease.run(sql, parameters, effect, bounds).await?;
        self.lease = Some(lease);
        Ok(done)
    }

    pub(crate) async fn commit(mut self, bounds: &Bounds) -> Result<()> {
        let mut lease = self.take()?;
        lease.platform("commit", bounds).await?;
        lease.give_back();
        Ok(())
    }
}

/// A query that is being read.
#[derive(Debug)]
pub(crate) struct PostgresCursor {
    /// Names of the columns.
    pub(crate) columns: Vec<String>,
    lease: Option<Lease<Connection>>,
}

impl PostgresCursor {
    pub(crate) async fn next(&mut self, rows: u64, bounds: &Bounds) -> Result<Vec<Row>> {
        let lease = self.lease.take();
        let mut lease = lease.ok_or_else(|| Error::Statement("The cursor has ended.".to_owned()))?;
        let (batch, _) = lease.run(&format!("fetch forward {rows} from rows"), &[], Effect::Shrinks, bounds).await?;
        self.lease = Some(lease);
        Ok(batch.rows)
    }
}
