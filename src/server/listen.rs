//! Accepts connections: bounded in number, from everywhere and from one address, in the size of their heads, and in how long
//! those may take.

use std::{
    collections::HashMap,
    convert::Infallible,
    net::IpAddr,
    pin::pin,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::Duration,
};

use http::Request;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use mint_domain::address::network;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    task::JoinSet,
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use crate::{auth::Peer, door, router::Site, socket::Ends};

/// Connections at once; further ones wait to be accepted.
const CONNECTIONS_MAX: usize = 10_000;
/// Those of one address, unless it is a trusted proxy's; further ones are closed, so that others find room.
const CONNECTIONS_OF_AN_ADDRESS_MAX: usize = CONNECTIONS_MAX / 4;
/// Longest time for the head of a request, also between two requests on one connection.
const HEAD_TIMEOUT: Duration = Duration::from_secs(75);
/// Bytes of a request's head.
const HEAD_BYTES_MAX: usize = 64 << 10;
/// How long requests in progress may go on once the server is to end.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(30);

/// Serves until `stop` is cancelled, then lets requests in progress finish.
pub async fn serve(listener: TcpListener, site: Site, stop: CancellationToken) {
    // A head has at most hyper's 100 headers: with a number of our own, each request would allocate room for so many.
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT).max_buf_size(HEAD_BYTES_MAX);
    let slots = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let senders = Arc::new(Senders::default());
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        let Ok(slot) = slots.clone().acquire_owned().await else { break };
        let (stream, peer) = tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, address)) => (stream, Peer(address.ip().to_canonical())),
                Err(error) => {
                    // Out of file descriptors, most likely: others will be given back.
                    tracing::warn!(error = %error, "a connection could not be accepted");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            },
        };
        let Some(place) = senders.place(peer, &site) else { continue };
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(error = %error, "TCP_NODELAY could not be set");
        }
        let connection = serve_connection(http.clone(), (stream, peer), site.clone(), stop.clone());
        connections.spawn(async move {
            connection.await;
            drop((slot, place));
        });
    }
    drop(listener);
    let drained = timeout(DRAIN_TIMEOUT, async { while connections.join_next().await.is_some() {} });
    if drained.await.is_err() {
        tracing::warn!("requests were cut off because they did not end in time");
    }
}

/// Connections of each address.
#[derive(Debug, Default)]
struct Senders(Mutex<HashMap<IpAddr, Crowd>>);

#[derive(Debug, Default)]
struct Crowd {
    connections: usize,
    /// Whether the operator has read of it.
    is_told: bool,
}

/// A place among the connections of an address, until it is dropped; a trusted proxy's has none.
#[derive(Debug)]
struct Place(Option<(Arc<Senders>, IpAddr)>);

impl Senders {
    /// A place for one more; none where the address has as many as it may.
    fn place(self: &Arc<Self>, peer: Peer, site: &Site) -> Option<Place> {
        if site.state.proxies.iter().any(|proxy| proxy.contains(&peer.0)) {
            return Some(Place(None));
        }
        let address = network(peer.0);
        let mut crowds = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let crowd = crowds.entry(address).or_default();
        if crowd.connections >= CONNECTIONS_OF_AN_ADDRESS_MAX {
            if !std::mem::replace(&mut crowd.is_told, true) {
                tracing::warn!(client.address = %address, "further connections of an address that has very many are closed");
            }
            return None;
        }
        crowd.connections += 1;
        Some(Place(Some((Arc::clone(self), address))))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let Some((senders, address)) = &self.0 else { return };
        let mut crowds = senders.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(crowd) = crowds.get_mut(address) {
            crowd.connections -= 1;
            if crowd.connections == 0 {
                crowds.remove(address);
            }
        }
    }
}

/// Serves requests until one side has had enough, then the WebSocket that the last of them may have asked for.
async fn serve_connection(http: http1::Builder, (stream, peer): (TcpStream, Peer), site: Site, stop: CancellationToken) {
    let ends = Arc::new(OnceLock::<Ends>::new());
    let found = Arc::clone(&ends);
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(peer);
        let (site, found) = (site.clone(), Arc::clone(&found));
        async move {
            let mut response = door::enter(site, request).await;
            if let Some(ends) = response.extensions_mut().remove::<Ends>() {
                found.get_or_init(|| ends);
            }
            Ok::<_, Infallible>(response)
        }
    });
    let mut connection = pin!(http.serve_connection(TokioIo::new(stream), service).with_upgrades());
    let served = tokio::select! {
        biased;
        served = connection.as_mut() => served,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    match (served, ends.get()) {
        (Err(error), _) => tracing::debug!(%error, "a connection ended with an error"),
        (Ok(()), None) => {}
        (Ok(()), Some(ends)) => ends.join(&stop).await,
    }
}
