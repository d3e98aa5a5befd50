//! Accepts connections: bounded in number, in the size of their heads, and in how long those may take.

use std::{
    convert::Infallible,
    pin::pin,
    sync::{Arc, OnceLock},
    time::Duration,
};

use http::Request;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
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
/// Longest time for the head of a request, also between two requests on one connection.
const HEAD_TIMEOUT: Duration = Duration::from_secs(75);
/// Headers of a request.
const HEADERS_MAX: usize = 100;
/// Bytes of a request's head.
const HEAD_BYTES_MAX: usize = 64 << 10;
/// How long requests in progress may go on once the server is to end.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(30);

/// Serves until `stop` is cancelled, then lets requests in progress finish.
pub async fn serve(listener: TcpListener, site: Site, stop: CancellationToken) {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT).max_headers(HEADERS_MAX).max_buf_size(HEAD_BYTES_MAX);
    let slots = Arc::new(Semaphore::new(CONNECTIONS_MAX));
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
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(error = %error, "TCP_NODELAY could not be set");
        }
        let connection = serve_connection(http.clone(), (stream, peer), site.clone(), stop.clone());
        connections.spawn(async move {
            connection.await;
            drop(slot);
        });
    }
    drop(listener);
    let drained = timeout(DRAIN_TIMEOUT, async { while connections.join_next().await.is_some() {} });
    if drained.await.is_err() {
        tracing::warn!("requests were cut off because they did not end in time");
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
