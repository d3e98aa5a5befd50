//! How other servers are asked: never by a redirect, within seconds, and for so many bytes.

use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_rustls::HttpsConnector;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use openidconnect::{AsyncHttpClient, HttpRequest, HttpResponse};

/// From a request to the end of its response.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);
/// Longest response. Key sets of large organisations have some ten keys.
const BODY_BYTES_MAX: usize = 1 << 20;

/// Asks other servers.
#[derive(Clone, Debug)]
pub(super) struct Asker {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    allows_plain: bool,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoAnswer {
    /// Whoever listens would know what passes.
    #[error("`{0}` is not https")]
    Plain(String),
    /// It takes too long.
    #[error("it did not answer within {} seconds", ANSWER_TIMEOUT.as_secs())]
    Late,
    /// It cannot be reached.
    #[error("it cannot be reached")]
    Unreachable(#[source] hyper_util::client::legacy::Error),
    /// The answer breaks off, or is too long.
    #[error("its answer cannot be read: {0}")]
    Broken(Box<dyn std::error::Error + Send + Sync>),
}

impl Asker {
    /// Asks by https; by http only who is on this machine.
    pub(super) fn new(connector: HttpsConnector<HttpConnector>, allows_plain: bool) -> Self {
        let client =
            Client::builder(TokioExecutor::new()).pool_timer(TokioTimer::new()).pool_idle_timeout(IDLE_TIMEOUT).build(connector);
        Self { client, allows_plain }
    }

    /// Asks, and waits for the whole answer.
    async fn ask(&self, request: HttpRequest) -> Result<HttpResponse, NoAnswer> {
        if request.uri().scheme_str() != Some("https") && !self.allows_plain {
            return Err(NoAnswer::Plain(request.uri().to_string()));
        }
        tokio::time::timeout(ANSWER_TIMEOUT, self.whole(request)).await.map_err(|_| NoAnswer::Late)?
    }

    async fn whole(&self, request: HttpRequest) -> Result<HttpResponse, NoAnswer> {
        let response = self.client.request(request.map(|body| Full::new(body.into()))).await.map_err(NoAnswer::Unreachable)?;
        let (head, body) = response.into_parts();
        let body = Limited::new(body, BODY_BYTES_MAX).collect().await.map_err(NoAnswer::Broken)?;
        Ok(HttpResponse::from_parts(head, body.to_bytes().into()))
    }
}

impl<'a> AsyncHttpClient<'a> for Asker {
    type Error = NoAnswer;
    type Future = BoxFuture<'a, Result<HttpResponse, NoAnswer>>;

    fn call(&'a self, request: HttpRequest) -> Self::Future {
        Box::pin(self.ask(request))
    }
}
