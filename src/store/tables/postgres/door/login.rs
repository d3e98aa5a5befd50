//! How a session begins: a driver says hello, and the platform signs in for it.

use std::io;

use postgres_protocol::{
    authentication::sasl::{ChannelBinding, SCRAM_SHA_256, ScramSha256},
    message::frontend,
};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio_postgres::{error::SqlState, types::private::BytesMut};

use super::frame;
use crate::tables::{Error, postgres::connection::Opening};

/// Numbers in the place of a version, by which a connection asks for something else.
const CANCEL: u32 = 80_877_102;
const TLS: u32 = 80_877_103;
const GSS: u32 = 80_877_104;
/// Longest hello, and longest message before a session begins.
const HELLO_BYTES_MAX: usize = 16 << 10;

/// What a connection is for.
#[derive(Debug)]
pub(super) enum Hello {
    /// A session.
    Session,
    /// Ends a statement of another connection, whose secret is in this message.
    Cancel(Vec<u8>),
}

/// A session that the server has opened.
#[derive(Debug)]
pub(super) struct Welcome {
    /// What the driver is to be told.
    pub(super) messages: Vec<u8>,
    /// A message that ends the statement of the session, to be sent by another connection.
    pub(super) cancel: Vec<u8>,
}

/// Hears what a connection is for. Encryption is refused: nobody else is in reach of the socket.
pub(super) async fn hello(driver: &mut (impl AsyncRead + AsyncWrite + Unpin)) -> io::Result<Hello> {
    loop {
        let length = driver.read_u32().await?;
        let body = frame::body(driver, frame::rest(length)?, HELLO_BYTES_MAX).await?;
        let (code, _) = body.split_first_chunk().ok_or_else(|| frame::broken("a hello without a version"))?;
        match u32::from_be_bytes(*code) {
            TLS | GSS => driver.write_all(b"N").await?,
            CANCEL => {
                let mut message = length.to_be_bytes().to_vec();
                message.extend(&body);
                return Ok(Hello::Cancel(message));
            }
            version if version >> 16 == 3 => return Ok(Hello::Session),
            _ => return Err(frame::broken("an unknown version of the protocol")),
        }
    }
}

/// Signs in as `role`, and runs `setup` before the driver can say anything.
pub(super) async fn sign_in(
    server: &mut (impl AsyncRead + AsyncWrite + Unpin),
    (role, password): (&str, &str),
    database: &str,
    setup: &str,
) -> Result<Welcome, Opening> {
    let mut out = BytesMut::new();
    let who = [("user", role), ("database", database), ("client_encoding", "UTF8"), ("application_name", "mint plugin")];
    frontend::startup_message(who, &mut out).map_err(outage)?;
    let mut scram = ScramSha256::new(password.as_bytes(), ChannelBinding::unsupported());
    let mut welcome = Welcome { messages: Vec::new(), cancel: Vec::new() };
    let mut is_set_up = false;
    loop {
        server.write_all(&out).await.map_err(outage)?;
        out.clear();
        let head = frame::head(server).await.map_err(outage)?.ok_or_else(|| outage(io::ErrorKind::UnexpectedEof.into()))?;
        let body = frame::body(server, head.length, HELLO_BYTES_MAX).await.map_err(outage)?;
        match head.kind {
            b'R' => {
                answer(&body, password, &mut scram, &mut out).map_err(outage)?;
                if body == 0_u32.to_be_bytes() {
                    welcome.messages.extend(frame::whole(b'R', &body));
                }
            }
            b'E' => return Err(refusal(&body)),
            b'S' => welcome.messages.extend(frame::whole(b'S', &body)),
            b'K' => {
                welcome.cancel = cancel(&body);
                welcome.messages.extend(frame::whole(b'K', &body));
            }
            b'Z' if is_set_up => {
                welcome.messages.extend(frame::whole(b'Z', &body));
                return Ok(welcome);
            }
            b'Z' => {
                frontend::query(setup, &mut out).map_err(outage)?;
                is_set_up = true;
            }
            _ => {}
        }
    }
}

/// Answers a question of the server about who this is.
fn answer(body: &[u8], password: &str, scram: &mut ScramSha256, out: &mut BytesMut) -> io::Result<()> {
    let (kind, data) = body.split_first_chunk().ok_or_else(|| frame::broken("a question without a kind"))?;
    match u32::from_be_bytes(*kind) {
        0 => Ok(()),
        3 => frontend::password_message(password.as_bytes(), out),
        10 => frontend::sasl_initial_response(SCRAM_SHA_256, scram.message(), out),
        11 => {
            scram.update(data)?;
            frontend::sasl_response(scram.message(), out)
        }
        12 => scram.finish(data),
        _ => Err(frame::broken("the server asks for a way to sign in that plugins' roles do not have")),
    }
}

/// The message that cancels what runs in a session of this secret.
fn cancel(secret: &[u8]) -> Vec<u8> {
    let length = u32::try_from(secret.len() + 8).unwrap_or(u32::MAX);
    let mut message = length.to_be_bytes().to_vec();
    message.extend(CANCEL.to_be_bytes());
    message.extend(secret);
    message
}

fn refusal(error: &[u8]) -> Opening {
    let code = frame::field(error, b'C').unwrap_or_default();
    let wrong = [SqlState::INVALID_PASSWORD, SqlState::INVALID_AUTHORIZATION_SPECIFICATION];
    if wrong.iter().any(|state| state.code() == code) {
        return Opening::Password;
    }
    Opening::Failed(Error::Outage(frame::field(error, b'M').unwrap_or(code)))
}

fn outage(error: io::Error) -> Opening {
    Opening::Failed(Error::Outage(error.to_string()))
}
