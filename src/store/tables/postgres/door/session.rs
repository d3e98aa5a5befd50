//! One session: what passes in both directions, and the clock that ends it.

use std::{
    io,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader, BufWriter},
    time::{Instant, timeout},
};

use super::{
    admit::{self, Refused},
    frame::{self, Head},
    login::{self, Hello, Welcome},
    prepared::{self, Growing},
    progress::Progress,
};
use crate::tables::{
    Bounds, Error, Result,
    gate::{Effect, STATEMENT_BYTES_MAX},
    postgres::{
        connection::{CONNECT_TIMEOUT, Opening, Stream},
        schema::{PostgresSchema, TRIES},
    },
};

/// Longest wait of a driver for a session of its installation to end.
const PATIENCE: Duration = Duration::from_secs(5);
/// Pause between two looks at the clock.
const TICK: Duration = Duration::from_millis(200);
/// How much longer than its time a statement may take to notice that it is over, before its session ends.
const GRACE: Duration = Duration::from_secs(5);
/// Longest transaction in which nothing happens.
const REST_MAX: Duration = Duration::from_secs(60);
/// How old the size of the tables may be that decides about the next statement.
const SIZE_AGE_MAX: Duration = Duration::from_secs(1);
/// A statement's text, with the name that it gets and the types of its parameters.
const TEXT_BYTES_MAX: usize = STATEMENT_BYTES_MAX + (256 << 10);
/// Longest error of a server that is looked into.
const ERROR_BYTES_MAX: usize = 1 << 20;
/// Longest names of a statement and of its use.
const NAMES_BYTES_MAX: usize = 1 << 10;

/// A session in progress.
struct Session<'a> {
    schema: &'a PostgresSchema,
    bounds: &'a Bounds,
    progress: Mutex<Progress>,
    /// What the next error means, which the platform has provoked.
    refused: Mutex<Option<Refused>>,
    cancel: Vec<u8>,
}

impl PostgresSchema {
    /// Serves a connection of a driver of the installation's own, until either side ends it.
    pub(crate) async fn carry<S>(&self, mut driver: S, bounds: &Bounds) -> Result<()>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin,
    {
        let outage = |error: io::Error| Error::Outage(error.to_string());
        let hello = timeout(CONNECT_TIMEOUT, login::hello(&mut driver)).await;
        match hello.map_err(|_| outage(io::ErrorKind::TimedOut.into()))?.map_err(outage)? {
            Hello::Cancel(message) => return self.send_alone(&message).await.map_err(outage),
            Hello::Session => {}
        }
        let Ok(Ok(_place)) = timeout(PATIENCE, self.sessions.acquire()).await else {
            let words = format!("The plugin has {} sessions already. Close some.", super::SESSIONS_MAX);
            return driver.write_all(&frame::error("FATAL", "53300", &words)).await.map_err(outage);
        };
        let (server, Welcome { messages, cancel }) = match self.open_session(bounds).await {
            Ok(opened) => opened,
            Err(error) => {
                let words = "The database of the platform does not take connections at the moment.";
                driver.write_all(&frame::error("FATAL", "57P03", words)).await.map_err(outage)?;
                return Err(error);
            }
        };
        driver.write_all(&messages).await.map_err(outage)?;
        let (progress, refused) = (Mutex::new(Progress::new()), Mutex::default());
        let session = Session { schema: self, bounds, progress, refused, cancel };
        session.run(driver, server).await.map_err(outage)
    }

    async fn open_session(&self, bounds: &Bounds) -> Result<(Box<dyn Stream>, Welcome)> {
        let milliseconds = bounds.statement.as_millis();
        let setup = format!(
            "set statement_timeout = {milliseconds}; set lock_timeout = {milliseconds}; set client_connection_check_interval = '2s'"
        );
        for _ in 0..TRIES {
            let password = self.password().await?;
            let opening = async {
                let failed = |error: io::Error| Opening::Failed(Error::Outage(error.to_string()));
                let mut server = self.server.address().connect().await.map_err(failed)?;
                let role = (self.name.as_str(), password.as_str());
                let welcome = login::sign_in(&mut server, role, self.server.database(), &setup).await?;
                Ok((server, welcome))
            };
            match timeout(CONNECT_TIMEOUT, opening).await {
                Ok(Ok(opened)) => return Ok(opened),
                Ok(Err(Opening::Password)) => self.forget_password(&password),
                Ok(Err(Opening::Failed(error))) => return Err(error),
                Err(_) => return Err(Error::Outage("the server does not answer".to_owned())),
            }
        }
        Err(self.password_refused())
    }

    /// Sends a message by a connection of its own.
    async fn send_alone(&self, message: &[u8]) -> io::Result<()> {
        let sending = async {
            let mut server = self.server.address().connect().await?;
            server.write_all(message).await?;
            server.shutdown().await
        };
        timeout(CONNECT_TIMEOUT, sending).await.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
    }
}

impl Session<'_> {
    async fn run<S>(&self, driver: S, server: Box<dyn Stream>) -> io::Result<()>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin,
    {
        let (from_driver, to_driver) = tokio::io::split(driver);
        let (from_server, to_server) = tokio::io::split(server);
        let ended = tokio::select! {
            ended = self.carry_in(BufReader::new(from_driver), BufWriter::new(to_server)) => ended,
            ended = self.carry_out(BufReader::new(from_server), BufWriter::new(to_driver)) => ended,
            ended = self.watch() => ended,
        };
        if self.progress().works_for().is_some() {
            self.schema.send_alone(&self.cancel).await?;
        }
        ended
    }

    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn refused(&self) -> MutexGuard<'_, Option<Refused>> {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the driver sends.
    async fn carry_in<R, W>(&self, mut from: BufReader<R>, mut to: BufWriter<W>) -> io::Result<()>
    where
        R: AsyncRead + Unpin,
        W: AsyncWrite + Unpin,
    {
        let mut growing = Growing::default();
        while let Some(head) = frame::head(&mut from).await? {
            self.progress().asked(head.kind)?;
            match head.kind {
                b'Q' | b'P' => {
                    let body = frame::body(&mut from, head.length, TEXT_BYTES_MAX).await?;
                    let admitted = self.admitted(head.kind, body, &mut growing).await?;
                    to.write_all(&frame::whole(head.kind, &admitted)).await?;
                }
                b'B' => self.carry_parameters(&mut from, head, &growing, &mut to).await?,
                b'C' => {
                    let body = frame::body(&mut from, head.length, NAMES_BYTES_MAX).await?;
                    if let Some((b'S', name)) = body.split_first() {
                        growing.closed(frame::text(name)?.0);
                    }
                    to.write_all(&frame::whole(head.kind, &body)).await?;
                }
                b'F' => return Err(frame::broken("functions are called in statements")),
                _ => frame::carry(&mut from, head, &[], &mut to).await?,
            }
            if from.buffer().is_empty() {
                to.flush().await?;
            }
        }
        Ok(())
    }

    /// The message as it goes on, with a statement of its own or with one that no server takes.
    async fn admitted(&self, kind: u8, body: Vec<u8>, growing: &mut Growing) -> io::Result<Vec<u8>> {
        let is_prepared = kind == b'P';
        let (name, rest) = if is_prepared { frame::text(&body)? } else { (&[][..], body.as_slice()) };
        let (text, types) = frame::text(rest)?;
        let refused = match admit::look(&String::from_utf8_lossy(text), !is_prepared) {
            Err(refused) => Some(refused),
            Ok(effect) if is_prepared => {
                growing.prepared(name, effect)?;
                None
            }
            Ok(Effect::Grows) => self.full().await,
            Ok(_) => None,
        };
        let Some(refused) = refused else { return Ok(body) };
        *self.refused() = Some(refused);
        let named: &[&[u8]] = if is_prepared { &[name, &[0]] } else { &[] };
        Ok([&named.concat(), prepared::NONE, &[0], types].concat())
    }

    /// A prepared statement is put to use.
    async fn carry_parameters<R, W>(
        &self,
        from: &mut BufReader<R>,
        head: Head,
        growing: &Growing,
        to: &mut BufWriter<W>,
    ) -> io::Result<()>
    where
        R: AsyncRead + Unpin,
        W: AsyncWrite + Unpin,
    {
        let begun = frame::body(from, head.length.min(NAMES_BYTES_MAX), NAMES_BYTES_MAX).await?;
        let (statement, _) = frame::text(frame::text(&begun)?.1)?;
        let refused = if growing.has(statement) { self.full().await } else { None };
        if refused.is_none() {
            return frame::carry(from, head, &begun, to).await;
        }
        *self.refused() = refused;
        frame::rest_of(from, head, &begun, &mut tokio::io::sink()).await?;
        to.write_all(&frame::whole(head.kind, prepared::BIND_NONE)).await
    }

    /// Why the tables must not grow, if so.
    async fn full(&self) -> Option<Refused> {
        let bytes = self.schema.size_lately(SIZE_AGE_MAX).await?;
        (bytes > self.bounds.bytes_max).then(|| Refused { code: "53100", words: self.bounds.full().to_string() })
    }

    /// What the server answers.
    async fn carry_out<R, W>(&self, mut from: BufReader<R>, mut to: BufWriter<W>) -> io::Result<()>
    where
        R: AsyncRead + Unpin,
        W: AsyncWrite + Unpin,
    {
        while let Some(head) = frame::head(&mut from).await? {
            match head.kind {
                b'E' => self.carry_error(&mut from, head, &mut to).await?,
                b'Z' => {
                    let body = frame::body(&mut from, head.length, 1).await?;
                    self.progress().answered(b'Z', body.first().copied());
                    *self.refused() = None;
                    to.write_all(&frame::whole(b'Z', &body)).await?;
                }
                kind => {
                    self.progress().answered(kind, None);
                    frame::carry(&mut from, head, &[], &mut to).await?;
                }
            }
            if from.buffer().is_empty() {
                to.flush().await?;
            }
        }
        to.flush().await
    }

    async fn carry_error<R, W>(&self, from: &mut BufReader<R>, head: Head, to: &mut BufWriter<W>) -> io::Result<()>
    where
        R: AsyncRead + Unpin,
        W: AsyncWrite + Unpin,
    {
        let body = frame::body(from, head.length, ERROR_BYTES_MAX).await?;
        self.progress().answered(b'E', None);
        let refused = self.refused().take();
        let told = match refused {
            Some(Refused { code, words }) => frame::error("ERROR", code, &words),
            None => frame::whole(b'E', &body),
        };
        to.write_all(&told).await
    }

    /// Ends statements that take too long, and the session with those that do not end.
    async fn watch(&self) -> io::Result<()> {
        let mut cancelled_at: Option<Instant> = None;
        loop {
            tokio::time::sleep(TICK).await;
            let (works, rests) = self.progress().pause();
            if rests.is_some_and(|rests| rests > REST_MAX) {
                return Err(frame::broken("a transaction of a plugin was left open"));
            }
            let is_over = works.is_some_and(|works| works > self.bounds.statement + TICK);
            match cancelled_at {
                _ if !is_over => cancelled_at = None,
                None => {
                    cancelled_at = Some(Instant::now());
                    self.schema.send_alone(&self.cancel).await?;
                }
                Some(at) if at.elapsed() > GRACE => return Err(frame::broken("a statement of a plugin does not end")),
                Some(_) => {}
            }
        }
    }
}
