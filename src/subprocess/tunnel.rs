//! A connection to a process after it was switched to a WebSocket.

use std::{io::Cursor, sync::Arc};

use http::Response;
use mint_context::{
    runtime::Fault,
    socket::{self, Socket},
};
use tokio::{io::AsyncReadExt as _, time::Instant};

use crate::{
    link::Answer,
    peer::Peer,
    response::{self, Kept},
};

/// Checks a response with the status 101, and takes its connection.
///
/// # Errors
/// [`Fault::Garbage`] for what does not answer the handshake.
pub(crate) async fn open(
    response: Response<Answer>,
    kept: Kept,
    peer: Arc<Peer>,
    deadline: Instant,
) -> Result<Response<Socket>, Fault> {
    response::check_size(response.headers())?;
    let garbage = |why: &str| Fault::Garbage(format!("its answer to the handshake of a WebSocket is none: {why}"));
    socket::check_answer(response.status(), response.headers()).map_err(garbage)?;
    let (parts, answer) = response.into_parts();
    let left = tokio::time::timeout_at(deadline, answer.into_link().into_left()).await;
    let left = left.ok().flatten().ok_or_else(|| garbage("the connection broke"))?;
    let (reader, writer) = tokio::io::split(left.io.into_inner());
    let socket = Socket {
        reader: Box::new(Cursor::new(left.read_buf).chain(reader)),
        writer: Box::new(writer),
        ended: Box::pin(async move {
            peer.exited().await;
            drop(kept);
        }),
    };
    let mut head = Response::new(socket);
    *head.status_mut() = parts.status;
    *head.headers_mut() = parts.headers;
    Ok(head)
}
