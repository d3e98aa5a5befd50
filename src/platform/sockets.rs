//! A WebSocket to a plugin: admitted like a request, and in its place until it ends.

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body as HttpBody;
use mint_context::{
    Incoming, headers,
    runtime::{Body, BodyError},
    socket::{Opened, Socket},
};
use mint_domain::{InstallationId, Refusal};

use crate::{
    Caller, Platform,
    admission::{Admitted, Farewell},
    body,
    dispatch::{self, Turn},
};

/// What a client gets that asked for a WebSocket.
#[derive(Debug)]
pub enum Connected {
    /// The plugin's end, under the head that says so. What makes it a handshake's is for whoever sends it.
    Socket(Response<OpenSocket>),
    /// The plugin did not want to.
    Answer(Response<Body>),
}

/// A plugin's end of a WebSocket, and its place in service.
#[derive(Debug)]
pub struct OpenSocket {
    /// The plugin's end.
    pub socket: Socket,
    /// Its place.
    pub place: Place,
}

/// The place of a WebSocket, given back when dropped.
#[derive(Debug)]
pub struct Place {
    _admitted: Admitted,
    farewell: Farewell,
}

impl Place {
    /// Waits until the WebSocket is to end, because what answers makes way.
    pub async fn over(&self) {
        self.farewell.of_streams().cancelled().await;
    }
}

impl Platform {
    /// Opens a WebSocket under a plugin's prefix; none when no plugin of the tenant, or another than `only`, is installed
    /// there. The caller has checked the handshake.
    ///
    /// # Errors
    /// The refusal for the client.
    pub async fn connect<B>(
        &self,
        caller: &Caller,
        only: Option<InstallationId>,
        request: Request<B>,
    ) -> Option<Result<Connected, Refusal>>
    where
        B: HttpBody<Data = Bytes, Error: Into<BodyError>>,
    {
        let (head, _no_body) = request.into_parts();
        match self.turn(caller, only, &head).await? {
            Ok(turn) => Some(open(turn, Request::from_parts(head, body::empty())).await),
            Err(refusal) => Some(Err(refusal)),
        }
    }
}

async fn open(turn: Turn, request: Request<Body>) -> Result<Connected, Refusal> {
    let Turn { call, active, admitted } = turn;
    active.usage.request();
    let request_id = call.request_id.clone();
    let opened = tokio::select! {
        biased;
        opened = active.plugin.open(call, Incoming::new(request, active.forwarded_prefix.clone())) => opened,
        () = active.admission.over() => return Err(dispatch::cut_off()),
    };
    match opened {
        Ok(Opened::Socket(response)) => {
            let (mut parts, socket) = response.into_parts();
            headers::strip_response(&mut parts.headers);
            Ok(Connected::Socket(Response::from_parts(
                parts,
                OpenSocket { socket, place: Place { _admitted: admitted, farewell: active.admission.farewell() } },
            )))
        }
        Ok(Opened::Answer(response)) => Ok(Connected::Answer(dispatch::outgoing(&active, response, admitted))),
        Err(fault) => Err(dispatch::note(&active, &request_id, &fault)),
    }
}
