//! The load: keep-alive connections, each with one request at a time, from one thread.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use bytes::{Bytes, BytesMut};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::{TcpStream, UnixStream},
    runtime,
    task::JoinSet,
};

use crate::{process::Address, response::whole};

/// What to ask, and whom.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) address: Address,
    /// The request as it goes over the wire.
    pub(crate) bytes: Bytes,
}

/// What came of it.
#[derive(Debug, Default)]
pub(crate) struct Answers {
    /// From the first byte sent to the last received, in nanoseconds.
    pub(crate) latencies_ns: Vec<u32>,
    pub(crate) elapsed: Duration,
}

impl Request {
    /// `GET path` with a bearer token.
    pub(crate) fn get(address: impl Into<Address>, path: &str, token: &str) -> Self {
        let text = format!(
            "GET {path} HTTP/1.1\r\nHost: localhost\r\nAccept: application/json\r\nAuthorization: Bearer {token}\r\n\r\n"
        );
        Self { address: address.into(), bytes: text.into() }
    }
}

/// Sends `request` over so many connections for so long.
///
/// # Errors
/// The first answer that is no success.
pub(crate) fn drive(request: &Request, connections: usize, duration: Duration) -> Result<Answers> {
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut clients = JoinSet::new();
        let begun = Instant::now();
        for _ in 0..connections {
            clients.spawn(client(request.clone(), begun + duration));
        }
        let mut latencies_ns = Vec::new();
        while let Some(client) = clients.join_next().await {
            latencies_ns.append(&mut client??);
        }
        Ok(Answers { latencies_ns, elapsed: begun.elapsed() })
    })
}

async fn client(request: Request, until: Instant) -> Result<Vec<u32>> {
    let nobody = || format!("nobody listens at {:?}", request.address);
    match &request.address {
        Address::Tcp(address) => {
            let stream = TcpStream::connect(address).await.with_context(nobody)?;
            stream.set_nodelay(true)?;
            ask(stream, &request.bytes, until).await
        }
        Address::Unix(path) => ask(UnixStream::connect(path).await.with_context(nobody)?, &request.bytes, until).await,
    }
}

async fn ask(mut stream: impl AsyncRead + AsyncWrite + Unpin, request: &[u8], until: Instant) -> Result<Vec<u32>> {
    let mut buffer = BytesMut::with_capacity(16 << 10);
    let mut latencies_ns = Vec::with_capacity(1 << 16);
    loop {
        let begun = Instant::now();
        if begun >= until {
            return Ok(latencies_ns);
        }
        stream.write_all(request).await?;
        buffer.clear();
        let answer = loop {
            if stream.read_buf(&mut buffer).await? == 0 {
                bail!("the connection was closed in the middle of a response");
            }
            if let Some(answer) = whole(&buffer)? {
                break answer;
            }
        };
        latencies_ns.push(u32::try_from(begun.elapsed().as_nanos()).unwrap_or(u32::MAX));
        if answer.status != 200 || answer.bytes != buffer.len() {
            bail!("this is not the answer that is measured:\n{}", String::from_utf8_lossy(&buffer));
        }
    }
}
