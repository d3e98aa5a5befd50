//! `mint:plugin/exchange`: the request under way and the way back, as resources of `wasi:http`.

use std::sync::{Arc, OnceLock};

use http::{HeaderName, HeaderValue, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use mint_context::{
    Call, Incoming, headers, identity,
    runtime::{Body, Fault},
};
use tokio::sync::oneshot;
use wasmtime::component::Resource;
use wasmtime_wasi_http::{
    Error, WasiHttpView as _,
    p2::{
        bindings::http::types::{ErrorCode, Scheme},
        body::HyperOutgoingBody,
        types::{HostIncomingRequest, HostResponseOutparam},
    },
};

use crate::{
    bindings::{exports::mint::plugin::routes, mint::plugin::exchange::Host},
    fault::NoAnswer,
    store::State,
};

/// What becomes of a request: a response, or the reason of a guest that has none.
pub(crate) type Head = Result<Response<HyperOutgoingBody>, ErrorCode>;

/// What became of the body of a request. A guest that stumbles over one that broke off is not to blame.
#[derive(Clone, Debug, Default)]
pub(crate) struct Upload(Arc<OnceLock<String>>);

impl Upload {
    fn broke(&self, error: &dyn std::error::Error) -> Error {
        // Whoever reads on after the first error gets the same reason.
        Error::InternalError(Some(self.0.get_or_init(|| error.to_string()).clone()))
    }

    /// Why it broke off, if it did.
    pub(crate) fn reason(&self) -> Option<&str> {
        self.0.get().map(String::as_str)
    }

    /// The fault of a guest that came to `fault`, whoever is to blame.
    pub(crate) fn blame(&self, fault: Fault) -> Fault {
        match self.reason() {
            Some(reason) => Fault::Client(reason.to_owned()),
            None => fault,
        }
    }
}

/// A request that a guest answers, and the way back.
#[derive(Debug)]
pub(crate) struct Exchange {
    request: Option<Incoming>,
    upload: Upload,
    answer: Option<oneshot::Sender<Head>>,
}

impl Exchange {
    /// The exchange about `request`, whose answer goes to `answer`.
    pub(crate) fn new(request: Incoming, upload: Upload, answer: oneshot::Sender<Head>) -> Self {
        Self { request: Some(request), upload, answer: Some(answer) }
    }

    /// Answers by what a guest returned.
    ///
    /// # Errors
    /// What is wrong with it, for the plugin's log.
    pub(crate) fn answer(&mut self, response: routes::Response) -> Result<(), NoAnswer> {
        let Some(answer) = self.answer.take() else {
            return Err(NoAnswer(
                "it returned a response after it had taken `exchange.answer`, another way to answer".to_owned(),
            ));
        };
        // Whoever waits for it may be gone.
        let _nobody = answer.send(Ok(whole(response)?));
        Ok(())
    }
}

/// What `mint:plugin/routes` says of a request that `call` is about.
pub(crate) fn brief(request: &Incoming, call: &Call) -> routes::Request {
    let person = identity::current(call).map(|person| routes::Person {
        user_id: person.user_id,
        username: person.username,
        role: person.role,
        plugin_role: person.plugin_role,
        permissions: call.actor.user().map(headers::permissions).unwrap_or_default(),
    });
    routes::Request {
        method: request.method().as_str().to_owned(),
        target: request.target().to_owned(),
        prefix: request.prefix().to_owned(),
        id: call.request_id.as_str().to_owned(),
        person,
    }
}

fn whole(response: routes::Response) -> Result<Response<HyperOutgoingBody>, NoAnswer> {
    let mut made = Response::new(());
    *made.status_mut() = match StatusCode::from_u16(response.status) {
        Ok(status) if response.status < 600 => status,
        Ok(_) | Err(_) => return Err(NoAnswer(format!("it answered with {}, which is no HTTP status", response.status))),
    };
    for (name, value) in response.headers {
        let (Ok(known), Ok(text)) = (HeaderName::try_from(&name), HeaderValue::try_from(&value)) else {
            return Err(NoAnswer(format!("it answered with {name:?}: {value:?}, which is no header")));
        };
        made.headers_mut().append(known, text);
    }
    if !response.body.is_empty() && !made.headers().contains_key(header::CONTENT_LENGTH) {
        made.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(response.body.len()));
    }
    Ok(made.map(|()| Full::new(response.body.into()).map_err(|never| match never {}).boxed_unsync()))
}

impl State {
    /// The request under way as a resource; none when it was taken.
    pub(crate) fn take_request(&mut self) -> wasmtime::Result<Option<Resource<HostIncomingRequest>>> {
        let Some((incoming, upload)) =
            self.exchange.as_mut().and_then(|exchange| Some((exchange.request.take()?, exchange.upload.clone())))
        else {
            return Ok(None);
        };
        let mut request = incoming.presented(&self.call);
        name_authority(&mut request);
        let request = request.map(|body| body.map_err(move |error| upload.broke(&*error)));
        self.http().new_incoming_request(Scheme::Http, request).map(Some)
    }

    /// The way back as a resource; none when it was taken.
    pub(crate) fn take_answer(&mut self) -> wasmtime::Result<Option<Resource<HostResponseOutparam>>> {
        match self.exchange.as_mut().and_then(|exchange| exchange.answer.take()) {
            Some(answer) => self.http().new_response_outparam(answer).map(Some),
            None => Ok(None),
        }
    }
}

/// Every request of `wasi:http` has an authority; one of HTTP/1.0 may come without.
fn name_authority(request: &mut Request<Body>) {
    let named = request.headers().get(header::HOST).is_some_and(|host| host.to_str().is_ok());
    if request.uri().authority().is_none() && !named {
        request.headers_mut().insert(header::HOST, HeaderValue::from_static("localhost"));
    }
}

impl Host for State {
    fn request(&mut self) -> wasmtime::Result<Option<Resource<HostIncomingRequest>>> {
        self.take_request()
    }

    fn answer(&mut self) -> wasmtime::Result<Option<Resource<HostResponseOutparam>>> {
        self.take_answer()
    }
}
