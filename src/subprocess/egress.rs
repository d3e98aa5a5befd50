//! The way out of processes that were granted hosts: a proxy of the platform's own, and nothing beside it.
//!
//! A process finds it by the variables that HTTP clients read, with a credential of its start. What it asks for goes the way of
//! components: the host is compared with the grants of the moment, every address of its name is checked, the connection goes
//! to a checked address, and it is counted. A redirect is another request of the process's, and is checked as such.

mod forward;
mod refused;
mod tunnel;

use std::{
    fmt, io,
    net::{Ipv4Addr, SocketAddr},
    os::fd::OwnedFd,
    sync::Arc,
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, Uri, header::PROXY_AUTHORIZATION, uri::Authority};
use http_body_util::combinators::UnsyncBoxBody;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use mint_context::{
    PluginAuthority, http_out,
    logs::PluginLog,
    outbound::{OnItsWay, Outbound},
    runtime::{Activation, BodyError},
};
use mint_domain::Capability;
use subtle::ConstantTimeEq as _;
use tokio::{
    net::{TcpListener, TcpStream},
    time::timeout,
};
use tokio_util::task::AbortOnDropHandle;

use self::{refused::Refused, tunnel::Tunnel};
use crate::{
    SubprocessConfig, accept,
    registry::{Session, Token},
    sandbox::{Network, Sandbox},
    task,
};

/// Connections of one process at once.
const CONNECTIONS_MAX: usize = 256;
/// Longest time for the head of a request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
const HEAD_BYTES_MAX: usize = 64 << 10;
/// Longest time for a name, and for a connection to one of its addresses.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// The name beside the credential.
const USER: &str = "mint";

type Answer = Response<UnsyncBoxBody<Bytes, BodyError>>;

/// The way out of the processes of one generation.
struct Egress {
    session: Arc<Session>,
    outbound: Outbound,
    credential: Token,
    /// What `Proxy-Authorization` has to say.
    expected: String,
    /// Host and port at which processes find the platform, and where it is for the proxy.
    platform: (Authority, Arc<str>),
}

/// Where a connection leads, and its place among those of the plugin; the platform takes none.
struct Reached {
    stream: TcpStream,
    on_its_way: Option<Arc<OnItsWay>>,
}

impl Egress {
    /// The way out of what `authority` is about. Processes know the platform as `platform`, and it is at `address`.
    fn new(
        session: Arc<Session>,
        (authority, log): (Arc<PluginAuthority>, Arc<PluginLog>),
        platform: Authority,
        address: Arc<str>,
    ) -> Self {
        let credential = Token::random();
        let expected = format!("Basic {}", STANDARD.encode(format!("{USER}:{}", credential.as_str())));
        Self { session, outbound: Outbound::new(authority, log), credential, expected, platform: (platform, address) }
    }

    /// The variables by which a process finds it at `port`.
    fn variables(&self, port: u16) -> Vec<(&'static str, String)> {
        let url = format!("http://{USER}:{}@127.0.0.1:{port}", self.credential.as_str());
        let grants = self.session.call().plugin.as_ref().map(|plugin| plugin.grants()).unwrap_or_default();
        let is_granted = |host: &str| grants.iter().any(|grant| matches!(grant, Capability::Http(target) if target.host == host));
        // Its own servers are at its own loopback, unless what was granted has that name; the platform is reached either way.
        let own = ["127.0.0.1", "localhost", "::1"].into_iter().filter(|host| !is_granted(host)).map(str::to_owned);
        let direct = std::iter::once(self.platform.0.to_string()).chain(own).collect::<Vec<_>>().join(",");
        let mut variables = vec![("NODE_USE_ENV_PROXY", "1".to_owned())];
        variables.extend(["HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"].map(|name| (name, url.clone())));
        variables.extend(["NO_PROXY", "no_proxy"].map(|name| (name, direct.clone())));
        variables
    }

    /// Serves a listener until what is given is dropped.
    ///
    /// # Errors
    /// When the listener is none.
    fn serve(self: &Arc<Self>, listener: OwnedFd) -> io::Result<AbortOnDropHandle<()>> {
        let listener = TcpListener::from_std(listener.into())?;
        let egress = Arc::clone(self);
        let serve = move |from| serve_connection(from, Arc::clone(&egress));
        Ok(task::owned(accept::each(listener, CONNECTIONS_MAX, "its way out", serve)))
    }

    /// Answers one request; a tunnel begins when the answer has been sent.
    async fn answer(&self, request: Request<Incoming>) -> (Answer, Option<Tunnel>) {
        let answered = match self.check(&request) {
            Ok(()) if request.method() == Method::CONNECT => self.connect(request).await,
            Ok(()) => forward::forward(self, request).await.map(|answer| (answer, None)),
            Err(refused) => Err(refused),
        };
        answered.unwrap_or_else(|refused| {
            let plugin = self.session.slug();
            tracing::info!(plugin.slug = %plugin, why = %refused, "an outbound request of a process was refused");
            (refused.answer(), None)
        })
    }

    fn check(&self, request: &Request<Incoming>) -> Result<(), Refused> {
        let said = request.headers().get(PROXY_AUTHORIZATION).map(HeaderValue::as_bytes).unwrap_or_default();
        if bool::from(said.ct_eq(self.expected.as_bytes())) { Ok(()) } else { Err(Refused::NoCredential) }
    }

    async fn connect(&self, mut request: Request<Incoming>) -> Result<(Answer, Option<Tunnel>), Refused> {
        let authority = authority_of(request.uri())?;
        let port = authority.port_u16().ok_or(Refused::NotAHost)?;
        let reached = self.reach(authority.host(), port).await?;
        let tunnel = Tunnel::new(hyper::upgrade::on(&mut request), reached.stream, reached.on_its_way);
        Ok((Response::new(refused::text("")), Some(tunnel)))
    }

    /// Connects to a host that the plugin may speak with.
    async fn reach(&self, host: &str, port: u16) -> Result<Reached, Refused> {
        let (name, address) = &self.platform;
        if host == name.host() && Some(port) == name.port_u16() {
            let stream = TcpStream::connect(&**address).await.map_err(Refused::Unreachable)?;
            return Ok(Reached { stream, on_its_way: None });
        }
        let route = http_out::authorise(self.session.call(), host, port).map_err(Refused::Denied)?;
        let on_its_way = self.outbound.begin().map_err(Refused::Limit)?;
        let connected = timeout(CONNECT_TIMEOUT, async {
            let addresses: Vec<SocketAddr> = http_out::resolve(&route).await.map_err(Refused::Denied)?;
            TcpStream::connect(&*addresses).await.map_err(Refused::Unreachable)
        });
        let stream = connected.await.map_err(|_elapsed| Refused::TooSlow)??;
        stream.set_nodelay(true).map_err(Refused::Unreachable)?;
        Ok(Reached { stream, on_its_way: Some(Arc::new(on_its_way)) })
    }
}

/// The proxy of a generation, and where its processes find it.
#[derive(Debug)]
pub(crate) struct WayOut {
    egress: Arc<Egress>,
    port: u16,
    /// Where processes share the machine's network.
    _on_loopback: Option<AbortOnDropHandle<()>>,
}

impl WayOut {
    /// Opens one for what was granted hosts; none for what was not.
    ///
    /// # Errors
    /// When there is no port for it.
    pub(crate) fn open(
        config: &SubprocessConfig,
        sandbox: &Sandbox,
        activation: &Activation,
        session: &Arc<Session>,
    ) -> io::Result<Option<Self>> {
        let authority = Arc::clone(&activation.authority);
        let own_port = sandbox.own_proxy_port();
        let network = Network::of(&authority.grants(), own_port.unwrap_or_default());
        if network == Network::Platform {
            return Ok(None);
        }
        let url = sandbox.own_platform_url(&network).unwrap_or_else(|| config.platform_url.clone());
        let platform = url.parse::<Uri>().ok().and_then(|uri| uri.authority().cloned()).ok_or(io::ErrorKind::InvalidInput)?;
        let whose = (authority, Arc::clone(&activation.log));
        let egress = Arc::new(Egress::new(Arc::clone(session), whose, platform, Arc::clone(sandbox.platform())));
        let (port, on_loopback) = match own_port {
            Some(port) => (port, None),
            None => {
                let (listener, port) = on_loopback()?;
                (port, Some(egress.serve(listener)?))
            }
        };
        Ok(Some(Self { egress, port, _on_loopback: on_loopback }))
    }

    /// Where it stands, at loopback.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// The variables by which a process finds it.
    pub(crate) fn variables(&self) -> Vec<(&'static str, String)> {
        self.egress.variables(self.port)
    }

    /// Serves the listener of a process that has a network of its own, until what is given is dropped.
    ///
    /// # Errors
    /// When the listener is none.
    pub(crate) fn serve(&self, listener: OwnedFd) -> io::Result<AbortOnDropHandle<()>> {
        self.egress.serve(listener)
    }
}

impl fmt::Debug for Egress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Egress").field("plugin", self.session.slug()).finish_non_exhaustive()
    }
}

/// A listener for a process that shares the machine's network.
fn on_loopback() -> io::Result<(OwnedFd, u16)> {
    let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    listener.set_nonblocking(true)?;
    let port = listener.local_addr()?.port();
    Ok((listener.into(), port))
}

/// What a request names, without a name or a password before an `@`.
fn authority_of(uri: &Uri) -> Result<&Authority, Refused> {
    uri.authority().filter(|authority| !authority.as_str().contains('@')).ok_or(Refused::NotAHost)
}

async fn serve_connection(from: TcpStream, egress: Arc<Egress>) {
    let found = Arc::new(std::sync::Mutex::new(None));
    let tunnels = Arc::clone(&found);
    let service = service_fn(move |request| {
        let (egress, tunnels) = (Arc::clone(&egress), Arc::clone(&tunnels));
        async move {
            let (answer, tunnel) = egress.answer(request).await;
            *tunnels.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = tunnel;
            Ok::<_, std::convert::Infallible>(answer)
        }
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT).max_buf_size(HEAD_BYTES_MAX);
    let served = http.serve_connection(TokioIo::new(from), service).with_upgrades().await;
    let tunnel = found.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
    match (served, tunnel) {
        (Ok(()), Some(tunnel)) => tunnel.carry().await,
        (Ok(()), None) => {}
        (Err(error), _) => tracing::debug!(%error, "a plugin's connection to its way out broke"),
    }
}
