//! Hands one request to a process and brings its response back, streaming both ways.

use std::{borrow::Cow, sync::Arc};

use http::{
    HeaderValue, Request, Response, StatusCode, Uri,
    header::{CONNECTION, CONTENT_LENGTH, HOST, TE},
};
use http_body_util::BodyExt;
use mint_context::{
    Call, PluginAuthority,
    followers::Verdict,
    headers,
    jobs::RunningJob,
    runtime::{Body, Fault, Work, Worked},
    socket::{self, Opened},
};
use tokio::time::{Duration, Instant};

use crate::{
    activity::InUse,
    events::{self, Event},
    exit::Exit,
    jobs,
    link::{Answer, LinkError},
    mld,
    peer::Peer,
    registry::Session,
    response::{self, Kept},
    tunnel,
    upload::{Progress, Stage, Upload},
};

/// After a connection broke, how long to wait for the news that the process ended.
const NEWS_OF_EXIT: Duration = Duration::from_millis(250);

/// What every request of a generation has in common.
#[derive(Debug)]
pub(crate) struct Proxy {
    /// Who is served at the moment.
    pub(crate) session: Arc<Session>,
    /// What the plugin may do and use up.
    pub(crate) authority: Arc<PluginAuthority>,
    /// `/api` and the plugin's prefix.
    pub(crate) forwarded_prefix: HeaderValue,
    /// How the plugin sees the paths of requests.
    pub(crate) paths: Paths,
    /// Whether it reads the headers from before MINT's first release.
    pub(crate) is_mld: bool,
}

/// The public paths of a plugin, and those that its class gives its routes, where the two differ: a bundle of MINT's own
/// format does not say where its routes stand.
#[derive(Debug)]
pub(crate) struct Paths {
    differ: Option<(String, String)>,
}

impl Paths {
    /// From `public` to `own`, both with `/api`.
    pub(crate) fn new(public: &str, own: Option<&str>) -> Self {
        let own = own.filter(|own| *own != public);
        Self { differ: own.map(|own| (public.to_owned(), own.trim_end_matches('/').to_owned())) }
    }

    /// The path and query as the plugin sees them.
    pub(crate) fn seen<'a>(&self, target: &'a str) -> Cow<'a, str> {
        let Some((public, own)) = &self.differ else { return Cow::Borrowed(target) };
        match target.strip_prefix(public.as_str()) {
            Some(rest) if rest.is_empty() || rest.starts_with(['/', '?']) => Cow::Owned(format!("{own}{rest}")),
            Some(_) | None => Cow::Borrowed(target),
        }
    }
}

impl Proxy {
    /// Hands a request to `peer`, which is `in_use` until the response has ended. Its headers are those for a plugin already ([`headers::present`]); what only
    /// processes are told is added here.
    ///
    /// # Errors
    /// A [`Fault`] when there is no response.
    pub(crate) async fn forward(
        &self,
        peer: &Peer,
        in_use: Option<InUse>,
        call: &Call,
        request: Request<Body>,
    ) -> Result<Response<Body>, Fault> {
        self.forward_within(self.wall_time(), peer, in_use, call, request).await
    }

    async fn forward_within(
        &self,
        patience: Duration,
        peer: &Peer,
        in_use: Option<InUse>,
        call: &Call,
        request: Request<Body>,
    ) -> Result<Response<Body>, Fault> {
        let (response, kept) = self.exchange(patience, peer, in_use, call, self.prepare(peer, request)?).await?;
        let response = response::check(response, kept, self.authority.limits().response_body_bytes_max)?;
        Ok(response.map(BodyExt::boxed_unsync))
    }

    /// Hands a request for a WebSocket to `peer`.
    ///
    /// # Errors
    /// A [`Fault`] when there is no response.
    pub(crate) async fn open(
        &self,
        peer: &Arc<Peer>,
        in_use: Option<InUse>,
        call: &Call,
        request: Request<Body>,
    ) -> Result<Opened, Fault> {
        let mut request = self.prepare(peer, request)?;
        // One body less to be of two minds about.
        request.headers_mut().remove(CONTENT_LENGTH);
        request.headers_mut().remove(TE);
        socket::switch(request.headers_mut());
        let (response, kept) = self.exchange(self.wall_time(), peer, in_use, call, request).await?;
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            return tunnel::open(response, kept, Arc::clone(peer), call.deadline).await.map(Opened::Socket);
        }
        let response = response::check(response, kept, self.authority.limits().response_body_bytes_max)?;
        Ok(Opened::Answer(response.map(BodyExt::boxed_unsync)))
    }

    /// Tells `peer` of an event, at `path`.
    ///
    /// # Errors
    /// A [`Fault`] when it gives no answer.
    pub(crate) async fn tell(
        &self,
        peer: &Peer,
        in_use: Option<InUse>,
        path: &'static str,
        call: &Call,
        event: &Event,
    ) -> Result<Verdict, Fault> {
        let mut request = event.request(path, call, self.session.slug(), self.session.name());
        headers::present(request.headers_mut(), call, &self.forwarded_prefix);
        request.headers_mut().extend(events::protocol_headers(self.session.name()));
        let (head, body) = self.forward(peer, in_use, call, request).await?.into_parts();
        match tokio::time::timeout_at(call.deadline, events::read(head.status, body)).await {
            Err(_elapsed) => Err(Fault::Garbage("its answer to an event did not end in time".to_owned())),
            Ok(verdict) => verdict,
        }
    }

    /// Has `peer` do a job, for as long as the call may take.
    ///
    /// # Errors
    /// A [`Fault`] when it gives no answer.
    pub(crate) async fn work(
        &self,
        peer: &Peer,
        in_use: Option<InUse>,
        call: &Call,
        job: &RunningJob,
        work: &Work,
    ) -> Result<Worked, Fault> {
        let mut request = jobs::request(job, work);
        headers::present(request.headers_mut(), call, &self.forwarded_prefix);
        request.headers_mut().extend(events::protocol_headers(self.session.name()));
        let patience = call.deadline.saturating_duration_since(Instant::now());
        let (head, body) = self.forward_within(patience, peer, in_use, call, request).await?.into_parts();
        jobs::read(head.status, body).await
    }

    /// How long a request may take.
    fn wall_time(&self) -> Duration {
        Duration::from_millis(self.authority.limits().wall_ms_max)
    }

    /// Sends a request, and waits for the head of the response for as long as `patience` lasts.
    async fn exchange(
        &self,
        patience: Duration,
        peer: &Peer,
        in_use: Option<InUse>,
        call: &Call,
        request: Request<Upload>,
    ) -> Result<(Response<Answer>, Kept), Fault> {
        let began = Instant::now();
        let deadline = call.deadline.min(began + patience);
        let progress = request.body().progress();
        let acts_for = self.session.enter(&call.actor);
        let pool = peer.pool();
        let sent = tokio::time::timeout_at(deadline, pool.send(request)).await;
        match sent {
            Ok(Ok(response)) => Ok((response, Kept { pool: Arc::clone(pool), _in_use: in_use, progress, acts_for })),
            Ok(Err(error)) => Err(self.explain(peer, error, &progress).await),
            Err(_elapsed) if progress.stage() == Stage::Awaited => {
                Err(Fault::Client(format!("its body did not arrive within {:?}", began.elapsed())))
            }
            Err(_elapsed) => Err(Fault::Timeout(began.elapsed())),
        }
    }

    /// The request as the plugin sees it: same method, path, query and body, and the headers of a process.
    fn prepare(&self, peer: &Peer, request: Request<Body>) -> Result<Request<Upload>, Fault> {
        let (head, body) = request.into_parts();
        let target = head.uri.path_and_query().map_or("/", |target| target.as_str());
        let uri = Uri::try_from(self.paths.seen(target).as_ref())
            .map_err(|error| Fault::Client(format!("its path is malformed: {error}")))?;
        let mut headers = head.headers;
        if self.is_mld {
            headers.extend(mld::identity(&headers));
        }
        headers.extend(peer.token().map(|token| (headers::INTERNAL_TOKEN, token.clone())));
        headers.entry(HOST).or_insert(HeaderValue::from_static("localhost"));
        if headers.contains_key(TE) {
            headers.insert(CONNECTION, HeaderValue::from_static("TE"));
        }
        let mut request = Request::new(Upload::new(body, self.authority.limits().request_body_bytes_max));
        *request.method_mut() = head.method;
        *request.uri_mut() = uri;
        *request.headers_mut() = headers;
        Ok(request)
    }

    async fn explain(&self, peer: &Peer, error: LinkError, progress: &Progress) -> Fault {
        match progress.stage() {
            Stage::BrokenOff => return Fault::Client("the client broke off".to_owned()),
            Stage::TooLarge => {
                let most = self.authority.limits().request_body_bytes_max;
                return Fault::Limit {
                    limit: "request_body_bytes_max",
                    message: format!("The request's body is larger than {most} bytes."),
                };
            }
            Stage::Held | Stage::Awaited | Stage::Done => {}
        }
        if let LinkError::Http(error) = &error
            && error.is_parse()
        {
            return Fault::Garbage(format!("what it answered is not HTTP: {error}"));
        }
        match tokio::time::timeout(NEWS_OF_EXIT, peer.exited()).await {
            Ok(Exit::Crowded { tasks, tasks_max }) => Fault::Limit {
                limit: "processes_max",
                message: format!("The plugin had {tasks} processes and threads; at most {tasks_max} are allowed."),
            },
            Ok(Exit::Overfull { limit, bytes, bytes_max }) => Fault::Limit {
                limit: limit.name(),
                message: format!("The plugin kept {bytes} bytes where its limit is {bytes_max}."),
            },
            Ok(exit) => Fault::Broke(format!("its process {exit}")),
            Err(_elapsed) => match error {
                LinkError::Connect(error) => Fault::Down(format!("it does not accept connections: {error}")),
                LinkError::Http(error) => Fault::Garbage(format!("it closed the connection without an answer: {error}")),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plugin_sees_its_own_paths() {
        let paths = Paths::new("/api/peaks", Some("/api/peak-tools"));
        for (asked, seen) in [
            ("/api/peaks", "/api/peak-tools"),
            ("/api/peaks/a?b=/api/peaks", "/api/peak-tools/a?b=/api/peaks"),
            ("/api/peaks?x", "/api/peak-tools?x"),
            ("/api/peaksandmore", "/api/peaksandmore"),
            ("/__mint/events", "/__mint/events"),
        ] {
            assert_eq!(paths.seen(asked), seen);
        }
        assert_eq!(Paths::new("/api/peaks", Some("/api/peaks")).seen("/api/peaks/a"), "/api/peaks/a");
        assert_eq!(Paths::new("/api/peaks", Some("/api/")).seen("/api/peaks/a"), "/api/a");
    }
}
