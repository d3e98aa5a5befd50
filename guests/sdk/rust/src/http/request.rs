use std::borrow::Cow;
use std::rc::Rc;
use std::str::FromStr;

use serde::de::DeserializeOwned;

use super::Body;
use super::path;
use crate::bindings::imports::wasi::http::types::{Fields, IncomingRequest, Method};
use crate::platform::identity::{self, Actor};
use crate::{Error, Result};

/// The most that [`Request::json`] reads.
const JSON_BYTES_MAX: usize = 1024 * 1024;

/// A request under the prefix of this plugin.
#[derive(Debug)]
pub struct Request {
    method: Cow<'static, str>,
    target: String,
    prefix: String,
    parameters: Vec<(&'static str, String)>,
    incoming: Rc<Incoming>,
}

/// The host's side of a request.
#[derive(Debug)]
pub(super) struct Incoming {
    // The headers are a child of the request: they go first.
    headers: Fields,
    request: IncomingRequest,
}

impl Incoming {
    pub(super) fn new(request: IncomingRequest) -> Rc<Self> {
        Rc::new(Self { headers: request.headers(), request })
    }

    /// A header as text; none when it is missing or not UTF-8.
    fn header(&self, name: &str) -> Option<String> {
        self.headers.get(name).into_iter().next().and_then(|value| String::from_utf8(value).ok())
    }

    /// The id of the request.
    pub(super) fn id(&self) -> Option<String> {
        self.header("x-request-id")
    }
}

impl Request {
    pub(super) fn new(incoming: Rc<Incoming>) -> Self {
        Self {
            method: method_name(incoming.request.method()),
            target: incoming.request.path_with_query().unwrap_or_default(),
            prefix: incoming.header("x-forwarded-prefix").unwrap_or_default(),
            parameters: Vec::new(),
            incoming,
        }
    }

    pub(super) fn set_parameters(&mut self, parameters: Vec<(&'static str, String)>) {
        self.parameters = parameters;
    }

    /// Its method, such as `GET`.
    pub fn method(&self) -> &str {
        &self.method
    }

    /// The path below the prefix of this plugin, as sent (percent-encoded); it begins with `/`.
    pub fn path(&self) -> &str {
        path::below_prefix(&self.target, &self.prefix).0
    }

    /// The prefix of this plugin in public URLs, such as `/api/hello`.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// A header as text; none when it is missing or not UTF-8.
    pub fn header(&self, name: &str) -> Option<String> {
        self.incoming.header(name)
    }

    /// The id of the request, which every log line and error carries.
    pub fn id(&self) -> Option<String> {
        self.incoming.id()
    }

    /// A value of the path, by its name in the pattern of the route.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(key, _)| *key == name).map(|(_, value)| value.as_str())
    }

    /// A value of the path as a number or another type.
    ///
    /// # Errors
    ///
    /// 422 that names the parameter.
    pub fn parse_parameter<T: FromStr>(&self, name: &str) -> Result<T> {
        let value = self.parameter(name).unwrap_or_default();
        value.parse().map_err(|_| unreadable(name, value))
    }

    /// A value of the query, decoded.
    pub fn query(&self, name: &str) -> Option<Cow<'_, str>> {
        path::query_value(path::below_prefix(&self.target, &self.prefix).1, name)
    }

    /// A value of the query as a number or another type; none when it is missing.
    ///
    /// # Errors
    ///
    /// 422 that names the parameter.
    pub fn parse_query<T: FromStr>(&self, name: &str) -> Result<Option<T>> {
        self.query(name).map(|value| value.parse().map_err(|_| unreadable(name, &value))).transpose()
    }

    /// Who is signed in, if anybody.
    pub fn user(&self) -> Option<Actor> {
        identity::current()
    }

    /// The body as a stream.
    ///
    /// # Errors
    ///
    /// 500 when it was taken before.
    pub fn into_body(self) -> Result<Body> {
        self.body()
    }

    /// The body, up to 1 MiB of JSON.
    ///
    /// # Errors
    ///
    /// 413 when it is larger, 422 when it is not the expected JSON.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T> {
        Ok(serde_json::from_slice(&self.body()?.read_all(JSON_BYTES_MAX)?)?)
    }

    fn body(&self) -> Result<Body> {
        Body::new(self.incoming.request.consume().map_err(|()| Error::internal("the body of the request was read before"))?)
    }
}

fn method_name(method: Method) -> Cow<'static, str> {
    match method {
        Method::Get => "GET".into(),
        Method::Head => "HEAD".into(),
        Method::Post => "POST".into(),
        Method::Put => "PUT".into(),
        Method::Delete => "DELETE".into(),
        Method::Connect => "CONNECT".into(),
        Method::Options => "OPTIONS".into(),
        Method::Trace => "TRACE".into(),
        Method::Patch => "PATCH".into(),
        Method::Other(name) => name.into(),
    }
}

fn unreadable(name: &str, value: &str) -> Error {
    Error::invalid_field(name, format!("{value:?} is not a value of the expected kind"))
}
