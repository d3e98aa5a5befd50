//! The file of one installation, its transactions and its cursors. SQLite runs on threads that may block.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use tokio::{
    sync::{mpsc, oneshot},
    task::JoinHandle,
    time::Instant,
};

use super::{
    connection::{Connection, Watch},
    copy, statement,
};
use crate::tables::{
    Bounds, Error, Result, Row, Rows, Value, gate,
    pool::{Lease, Pool},
    saved::{Parts, SavedTables},
    value::Collected,
};

/// How much longer than its time a statement may take to notice that it is over.
const GRACE: Duration = Duration::from_secs(1);

/// The tables of one installation.
#[derive(Debug)]
pub(crate) struct SqliteFile {
    path: PathBuf,
    pool: Arc<Pool<Connection>>,
}

/// A file that a process of the plugin's own may open. Dropped, the server has it for itself again.
#[derive(Debug)]
pub struct LentFile {
    path: PathBuf,
    pool: Arc<Pool<Connection>>,
}

impl LentFile {
    /// Where it is; nothing else stands in its directory.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for LentFile {
    fn drop(&mut self) {
        self.pool.let_in(false);
    }
}

/// Cancels what runs when nobody waits for it any more.
struct Waiting(Option<Arc<Watch>>);

impl Drop for Waiting {
    fn drop(&mut self) {
        if let Some(watch) = &self.0 {
            watch.cancel();
        }
    }
}

/// Does `work` where it may block. The connection comes back when `work` has ended in time.
pub(super) async fn blocking<T, W>(lease: Lease<Connection>, bounds: Bounds, work: W) -> Result<(Lease<Connection>, Result<T>)>
where
    T: Send + 'static,
    W: FnOnce(&Connection) -> Result<T> + Send + 'static,
{
    let ends = bounds.statement_ends();
    lease.watch.until(ends.into_std());
    let mut waiting = Waiting(Some(Arc::clone(&lease.watch)));
    let task = tokio::task::spawn_blocking(move || {
        let patience = ends.saturating_duration_since(Instant::now());
        let done = lease.patience(patience).and_then(|()| work(&lease));
        (lease, done)
    });
    let done = tokio::time::timeout_at(ends + GRACE, task).await.map_err(|_| bounds.too_long())?;
    waiting.0 = None;
    done.map_err(|error| Error::Outage(error.to_string()))
}

impl SqliteFile {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path, pool: Pool::new() }
    }

    pub(crate) fn exists(&self) -> bool {
        self.path.exists()
    }

    /// Its directory, in which nothing else stands.
    pub(crate) fn home(&self) -> PathBuf {
        self.path.parent().unwrap_or(&self.path).to_owned()
    }

    /// A directory beside its own.
    pub(crate) fn beside(&self, name: &str) -> PathBuf {
        self.home().with_file_name(name)
    }

    /// Closes it for good.
    pub(crate) async fn close(&self) -> Result<()> {
        self.pool.close().await;
        let idle = self.pool.stale(Instant::now());
        let closed = tokio::task::spawn_blocking(move || idle.into_iter().for_each(Connection::close));
        closed.await.map_err(|error| Error::Outage(error.to_string()))
    }

    /// Closes what nobody has used since `since`.
    pub(crate) fn rest(&self, since: Instant) {
        drop(self.pool.stale(since));
    }

    async fn lease(&self, bounds: &Bounds) -> Result<Lease<Connection>> {
        let (place, idle) = self.pool.place(bounds.statement_ends()).await?;
        let connection = match idle {
            Some(connection) => connection,
            None => self.connect(bounds).await?,
        };
        Ok(self.pool.lease(place, connection))
    }

    /// A connection that no other use will see.
    pub(super) async fn fresh(&self, bounds: &Bounds) -> Result<Lease<Connection>> {
        let (place, idle) = self.pool.place(bounds.statement_ends()).await?;
        drop(idle);
        Ok(self.pool.lease(place, self.connect(bounds).await?))
    }

    async fn connect(&self, bounds: &Bounds) -> Result<Connection> {
        let (path, bounds) = (self.path.clone(), *bounds);
        let opened = tokio::task::spawn_blocking(move || Connection::open(&path, &bounds)).await;
        opened.map_err(|error| Error::Outage(error.to_string()))?
    }

    /// Lends it to a process of the plugin's own. Until that is dropped, it is opened here for single uses only.
    pub(crate) fn lend(&self) -> LentFile {
        self.pool.let_in(true);
        self.rest(Instant::now());
        LentFile { path: self.path.clone(), pool: Arc::clone(&self.pool) }
    }

    /// Whether a process of the plugin's own may have it open.
    pub(crate) fn is_lent(&self) -> bool {
        self.pool.has_others()
    }

    /// Closes it for good, and deletes it with its directory.
    pub(crate) async fn delete(&self) -> Result<()> {
        self.pool.close().await;
        let (idle, path) = (self.pool.stale(Instant::now()), self.path.clone());
        let deleted = tokio::task::spawn_blocking(move || {
            idle.into_iter().for_each(Connection::close);
            match path.parent().map(std::fs::remove_dir_all) {
                Some(Err(error)) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
                _ => Ok(()),
            }
        });
        let deleted = deleted.await.map_err(|error| Error::Outage(error.to_string()))?;
        deleted.map_err(|error| Error::Outage(format!("{}: {error}", self.path.display())))
    }

    /// Hands a copy of it to `parts`.
    pub(crate) async fn save(&self, scratch: &Path, parts: &Parts) -> Result<SavedTables> {
        let (file, scratch, parts) = (self.path.clone(), scratch.to_owned(), parts.clone());
        let saved = tokio::task::spawn_blocking(move || copy::save(&file, &scratch, &parts)).await;
        saved.map_err(|error| Error::Outage(error.to_string()))?
    }

    /// Closes it for good, and puts another in its place.
    pub(crate) async fn replace(&self, new: Option<PathBuf>) -> Result<()> {
        self.pool.close().await;
        let (idle, file) = (self.pool.stale(Instant::now()), self.path.clone());
        let replaced = tokio::task::spawn_blocking(move || {
            idle.into_iter().for_each(Connection::close);
            copy::replace(&file, new.as_deref())
        });
        replaced.await.map_err(|error| Error::Outage(error.to_string()))?
    }

    /// Bytes on the disk.
    pub(crate) fn size(&self) -> u64 {
        let bytes = |end: &str| {
            let mut file = self.path.clone().into_os_string();
            file.push(end);
            std::fs::metadata(file).map_or(0, |metadata| metadata.len())
        };
        bytes("") + bytes("-wal")
    }

    pub(crate) async fn run(&self, sql: String, parameters: Vec<Value>, bounds: Bounds) -> Result<(Rows, u64)> {
        let lease = self.lease(&bounds).await?;
        let work = move |connection: &Connection| {
            let done = statement::run(connection, &sql, &parameters, &bounds);
            if done.is_err() && !connection.get()?.is_autocommit() {
                connection.platform("rollback", &bounds)?;
            }
            done
        };
        let (lease, done) = blocking(lease, bounds, work).await?;
        lease.give_back();
        done
    }

    pub(crate) async fn begin(&self, bounds: Bounds) -> Result<SqliteTransaction> {
        let lease = self.lease(&bounds).await?;
        // Taking the lock at once avoids the dead end of two readers that turn writers.
        let (lease, begun) = blocking(lease, bounds, move |connection| connection.platform("begin immediate", &bounds)).await?;
        begun?;
        Ok(SqliteTransaction { lease: Some(lease) })
    }

    pub(crate) async fn open(&self, sql: String, parameters: Vec<Value>, bounds: Bounds) -> Result<SqliteCursor> {
        let _effect = gate::look(&sql)?;
        let lease = self.lease(&bounds).await?;
        let watch = Arc::clone(&lease.watch);
        watch.until(bounds.statement_ends().into_std());
        let (asking, asked) = mpsc::channel(1);
        let (opened, columns) = oneshot::channel();
        let task = tokio::task::spawn_blocking(move || {
            if let Err(error) = serve(&lease, &sql, &parameters, &bounds, opened, asked) {
                tracing::debug!(error = %error, "a cursor of a plugin ended");
            }
            // A statement that was cut short leaves nothing behind, but its watch may be cancelled by now.
            drop(lease);
        });
        let mut cursor = SqliteCursor { columns: Vec::new(), asking, _waiting: Waiting(Some(watch)), _task: task };
        cursor.columns = columns.await.map_err(|_| Error::Outage("the cursor broke".to_owned()))??;
        Ok(cursor)
    }
}

/// A transaction. Its connection is gone after a statement that failed, or that nobody waited for.
#[derive(Debug)]
pub(crate) struct SqliteTransaction {
    lease: Option<Lease<Connection>>,
}

impl SqliteTransaction {
    fn take(&mut self) -> Result<Lease<Connection>> {
        self.lease.take().ok_or_else(|| Error::Statement("The transaction ended with a statement that failed.".to_owned()))
    }

    pub(crate) async fn run(&mut self, sql: String, parameters: Vec<Value>, bounds: Bounds) -> Result<(Rows, u64)> {
        let work = move |connection: &Connection| statement::run(connection, &sql, &parameters, &bounds);
        let (lease, done) = blocking(self.take()?, bounds, work).await?;
        let done = done?;
        self.lease = Some(lease);
        Ok(done)
    }

    pub(crate) async fn commit(mut self, bounds: Bounds) -> Result<()> {
        let (lease, done) = blocking(self.take()?, bounds, move |connection| connection.platform("commit", &bounds)).await?;
        done?;
        lease.give_back();
        Ok(())
    }
}

type Batch = oneshot::Sender<Result<Vec<Row>>>;

/// A query that is being read.
pub(crate) struct SqliteCursor {
    /// Names of the columns.
    pub(crate) columns: Vec<String>,
    asking: mpsc::Sender<(u64, Bounds, Batch)>,
    _waiting: Waiting,
    _task: JoinHandle<()>,
}

impl SqliteCursor {
    pub(crate) async fn next(&mut self, rows: u64, bounds: Bounds) -> Result<Vec<Row>> {
        let (reply, batch) = oneshot::channel();
        let over = || Error::Statement("The cursor has ended.".to_owned());
        self.asking.send((rows, bounds, reply)).await.map_err(|_| over())?;
        let ends = bounds.statement_ends() + GRACE;
        tokio::time::timeout_at(ends, batch).await.map_err(|_| bounds.too_long())?.map_err(|_| over())?
    }
}

/// Reads row after row, as they are asked for, until the last or until nobody asks any more.
fn serve(
    lease: &Connection,
    sql: &str,
    parameters: &[Value],
    bounds: &Bounds,
    opened: oneshot::Sender<Result<Vec<String>>>,
    mut asked: mpsc::Receiver<(u64, Bounds, Batch)>,
) -> Result<()> {
    let prepared = statement::prepare(lease, sql, parameters, bounds).and_then(|statement| {
        if statement.readonly() { Ok(statement) } else { Err(Error::Statement("A cursor only reads.".to_owned())) }
    });
    let mut statement = match prepared {
        Ok(statement) => statement,
        Err(error) => {
            // Who asked has gone, if this finds nobody.
            let _gone = opened.send(Err(error));
            return Ok(());
        }
    };
    let (columns, booleans) = statement::columns(&statement);
    let _gone = opened.send(Ok(columns));
    let mut rows = statement.raw_query();
    while let Some((rows_max, bounds, reply)) = asked.blocking_recv() {
        lease.watch.until(bounds.statement_ends().into_std());
        let mut collected = Collected::new(&bounds);
        let batch = loop {
            if collected.rows.len() as u64 >= rows_max {
                break Ok(collected.rows);
            }
            match rows.next() {
                Ok(None) => break Ok(collected.rows),
                Ok(Some(row)) => {
                    if let Err(error) = statement::read(row, &booleans, &bounds).and_then(|row| collected.push(row)) {
                        break Err(error);
                    }
                }
                Err(error) => break Err(statement::failed(error, &bounds)),
            }
        };
        let over = batch.is_err();
        let _gone = reply.send(batch);
        if over {
            break;
        }
    }
    Ok(())
}
