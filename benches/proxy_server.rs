//! What a proxy costs that does nothing else: hyper at both ends, in front of the executable that the platform runs too.

use std::{
    env,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    http::{StatusCode, Uri},
    response::{IntoResponse as _, Response},
};
use hyper_util::{
    client::legacy::Client,
    rt::{TokioExecutor, TokioIo},
};
use tokio::net::UnixStream;
use tower::service_fn;

use crate::{axum_server, process::Server};

const UPSTREAM: &str = "MINT_BENCH_UPSTREAM";

/// Serves until it is ended.
pub(crate) fn serve() -> Result<()> {
    let upstream = PathBuf::from(env::var_os(UPSTREAM).context("no upstream is named")?);
    let client = Client::builder(TokioExecutor::new()).build(service_fn(move |_: Uri| {
        let upstream = upstream.clone();
        Box::pin(async { UnixStream::connect(upstream).await.map(TokioIo::new) })
    }));
    let forward = async |State(client): State<Client<_, Body>>, mut request: Request| -> Response {
        let target = request.uri().path_and_query().map_or("/", |target| target.as_str());
        let Ok(uri) = format!("http://localhost{target}").parse() else { return StatusCode::BAD_REQUEST.into_response() };
        *request.uri_mut() = uri;
        client
            .request(request)
            .await
            .map_or_else(|_error| StatusCode::BAD_GATEWAY.into_response(), |response| response.map(Body::new))
    };
    axum_server::listen(Router::new().fallback(forward).with_state(client))
}

/// Starts this program again as that server, in front of the one that listens at `upstream`.
pub(crate) fn start(upstream: &Path, dir: &Path) -> Result<Server> {
    let (mut command, address) = axum_server::command("proxy")?;
    command.env(UPSTREAM, upstream);
    Server::start(command, address, dir)
}
