//! `wasi:http/outgoing-handler`: out to granted hosts only, to addresses that were checked, one connection per request.
//!
//! No proxy, no redirect, no connection shared with anybody: what a component sends reaches the address that was
//! checked for it, or nothing.

use std::{
    sync::{Arc, LazyLock},
    time::Duration,
};

use http::{Request, Response, Uri, header::HOST, uri::Scheme};
use http_body_util::BodyExt as _;
use hyper::{body::Incoming, client::conn::http1};
use mint_context::{
    Call, Error as ContextError, http_out,
    outbound::{MeasuredBody, Outbound, PatientBody},
};
use mint_domain::Kind;
use rustls::pki_types::ServerName;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::{Instant, timeout_at},
};
use tokio_rustls::TlsConnector;
use wasmtime_wasi_http::{
    DEFAULT_FORBIDDEN_HEADERS, Error, ForbiddenHeaderFilter, RequestOptions, WasiBody, WasiHttpHooks, io::TokioIo,
    p2::bindings::http::types::ErrorCode,
};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const BETWEEN_BYTES_TIMEOUT: Duration = Duration::from_secs(30);
/// Most bytes of one write of a guest to a body, in either direction.
const CHUNK_BYTES_MAX: usize = 64 << 10;

static FORBIDDEN: LazyLock<ForbiddenHeaderFilter> = LazyLock::new(|| Arc::new(|name| DEFAULT_FORBIDDEN_HEADERS.contains(name)));

static TLS: LazyLock<Result<TlsConnector, rustls::Error>> = LazyLock::new(|| {
    let roots = rustls::RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.into() };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(TlsConnector::from(Arc::new(config.with_root_certificates(roots).with_no_client_auth())))
});

/// What `wasi:http` asks of the host, for one store.
#[derive(Debug)]
pub(crate) struct OutgoingHooks {
    egress: Arc<Outbound>,
    call: Arc<Call>,
}

impl OutgoingHooks {
    /// Hooks for a store that serves `call`.
    pub(crate) fn new(egress: Arc<Outbound>, call: Arc<Call>) -> Self {
        Self { egress, call }
    }

    /// Serves another call from now on.
    pub(crate) fn begin(&mut self, call: Arc<Call>) {
        self.call = call;
    }
}

type Sent = Result<(Response<WasiBody>, Box<dyn Future<Output = Result<(), Error>> + Send>), Error>;

impl WasiHttpHooks for OutgoingHooks {
    fn forbidden_header_filter(&mut self) -> ForbiddenHeaderFilter {
        Arc::clone(&FORBIDDEN)
    }

    fn is_forbidden_header(&mut self, name: &http::HeaderName) -> bool {
        DEFAULT_FORBIDDEN_HEADERS.contains(name)
    }

    fn p2_outgoing_body_chunk_size(&mut self) -> usize {
        CHUNK_BYTES_MAX
    }

    fn p2_error_from_hyper(&mut self, error: &hyper::Error) -> ErrorCode {
        tracing::debug!(request.id = %self.call.request_id, error = %error, "an outbound request failed");
        ErrorCode::HttpProtocolError
    }

    fn p2_error_from_connect(&mut self, error: &std::io::Error) -> ErrorCode {
        tracing::debug!(request.id = %self.call.request_id, error = %error, "an outbound connection failed");
        ErrorCode::ConnectionRefused
    }

    fn p2_error_from_tls(&mut self, error: &std::io::Error) -> ErrorCode {
        tracing::debug!(request.id = %self.call.request_id, error = %error, "an outbound TLS handshake failed");
        ErrorCode::TlsProtocolError
    }

    fn send_request(
        &mut self,
        request: Request<WasiBody>,
        options: Option<RequestOptions>,
        _processed: Box<dyn Future<Output = Result<(), Error>> + Send>,
    ) -> Box<dyn Future<Output = Sent> + Send> {
        let (egress, call) = (Arc::clone(&self.egress), Arc::clone(&self.call));
        Box::new(async move {
            let sent = send(&egress, &call, request, options.unwrap_or_default()).await;
            if let Err(error) = &sent {
                tracing::info!(request.id = %call.request_id, tenant.id = %call.tenant, error = %error, "an outbound request was not sent");
            }
            sent
        })
    }
}

async fn send(egress: &Outbound, call: &Call, mut request: Request<WasiBody>, options: RequestOptions) -> Sent {
    let tls = request.uri().scheme() == Some(&Scheme::HTTPS);
    let authority = request.uri().authority().ok_or(Error::HttpRequestUriInvalid)?;
    // A name before an `@` would be sent along in the `Host` header.
    if authority.as_str().contains('@') {
        return Err(Error::HttpRequestUriInvalid);
    }
    if request.method() == http::Method::CONNECT {
        return Err(Error::HttpRequestDenied);
    }
    let port = authority.port_u16().unwrap_or(if tls { 443 } else { 80 });
    let route = http_out::authorise(call, authority.host(), port).map_err(|error| denied(&error))?;
    let on_its_way = Arc::new(egress.begin().map_err(|_limit| Error::ConnectionLimitReached)?);
    let connect_by = call.deadline.min(Instant::now() + options.connect_timeout.unwrap_or(CONNECT_TIMEOUT).min(CONNECT_TIMEOUT));
    let connected = timeout_at(connect_by, async {
        let addresses = http_out::resolve(&route).await.map_err(|error| unresolved(&error))?;
        connect(&addresses, route.host(), tls).await
    });
    let stream = connected.await.map_err(|_| Error::ConnectionTimeout)??;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;

    // The authority has gone into the `Host` header; only proxies are sent whole URIs.
    if !request.headers().contains_key(HOST) {
        return Err(Error::HttpRequestUriInvalid);
    }
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    *request.uri_mut() = path.parse::<Uri>().map_err(|_| Error::HttpRequestUriInvalid)?;

    let head_by = options.first_byte_timeout.map_or(call.deadline, |patience| call.deadline.min(Instant::now() + patience));
    let between_bytes = options.between_bytes_timeout.unwrap_or(BETWEEN_BYTES_TIMEOUT).min(BETWEEN_BYTES_TIMEOUT);
    let too_long = || Error::HttpRequestBodySize(None);
    let request =
        request.map(|body| MeasuredBody::<WasiBody, Error>::new(body, too_long, Arc::clone(&on_its_way)).boxed_unsync());
    let mut connection = Box::pin(connection);
    let response = timeout_at(head_by, async {
        let response = sender.send_request(request);
        tokio::pin!(response);
        tokio::select! {
            biased;
            response = &mut response => response,
            // The connection may be done while its last response is still to be taken.
            ended = &mut connection => match ended {
                Ok(()) => response.await,
                Err(error) => Err(error),
            },
        }
    });
    let response = response.await.map_err(|_| Error::ConnectionReadTimeout)?;
    let response = response.map_err(|error| if on_its_way.is_too_long() { too_long() } else { error.into() })?;
    let body = |incoming| {
        let measured = MeasuredBody::<Incoming, Error>::new(incoming, || Error::HttpResponseBodySize(None), on_its_way);
        PatientBody::<_, Error>::new(measured, between_bytes, || Error::ConnectionReadTimeout).boxed_unsync()
    };
    Ok((response.map(body), Box::new(async move { connection.await.map_err(Error::from) })))
}

fn denied(error: &ContextError) -> Error {
    match error {
        ContextError::Refused(refusal) if refusal.kind == Kind::Invalid => Error::HttpRequestUriInvalid,
        _ => Error::HttpRequestDenied,
    }
}

fn unresolved(error: &ContextError) -> Error {
    match error {
        ContextError::Refused(refusal) if refusal.kind == Kind::Denied => Error::DestinationIpProhibited,
        other => Error::DnsError { rcode: Some(other.to_string()), info_code: None },
    }
}

/// What HTTP is spoken over.
trait Wire: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Wire for T {}

async fn connect(addresses: &[std::net::SocketAddr], host: &str, tls: bool) -> Result<Box<dyn Wire>, Error> {
    let tcp = TcpStream::connect(addresses).await.map_err(Error::Connect)?;
    if !tls {
        return Ok(Box::new(tcp));
    }
    let connector = TLS.as_ref().map_err(|error| Error::InternalError(Some(error.to_string())))?;
    let name = ServerName::try_from(host.to_owned()).map_err(|_| Error::HttpRequestUriInvalid)?;
    Ok(Box::new(connector.connect(name, tcp).await.map_err(Error::Tls)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tls_client_is_sound() {
        assert!(TLS.is_ok());
    }
}
