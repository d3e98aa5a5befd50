use std::borrow::Cow;
use std::cell::OnceCell;
use std::str::FromStr;

use serde::de::DeserializeOwned;

use super::Body;
use super::path;
use crate::bindings::imports::mint::plugin::exchange;
use crate::bindings::imports::wasi::http::types::{Fields, IncomingRequest};
use crate::bindings::routes::exports::mint::plugin::routes;
use crate::platform::identity::Actor;
use crate::{Error, Result};

/// The most that [`Request::json`] reads.
const JSON_BYTES_MAX: usize = 1024 * 1024;

/// A request under the prefix of this plugin.
#[derive(Debug)]
pub struct Request {
    brief: routes::Request,
    parameters: Vec<(&'static str, String)>,
    /// The rest of it, once somebody asked.
    incoming: OnceCell<Option<Incoming>>,
}

/// Headers and body, on the host's side.
#[derive(Debug)]
struct Incoming {
    // The headers are a child of the request: they go first.
    headers: Fields,
    request: IncomingRequest,
}

impl Request {
    pub(super) fn new(brief: routes::Request) -> Self {
        Self { brief, parameters: Vec::new(), incoming: OnceCell::new() }
    }

    fn incoming(&self) -> Option<&Incoming> {
        let taken = || exchange::request().map(|request| Incoming { headers: request.headers(), request });
        self.incoming.get_or_init(taken).as_ref()
    }

    pub(super) fn set_parameters(&mut self, parameters: Vec<(&'static str, String)>) {
        self.parameters = parameters;
    }

    /// Its method, such as `GET`.
    pub fn method(&self) -> &str {
        &self.brief.method
    }

    /// The path below the prefix of this plugin, as sent (percent-encoded); it begins with `/`.
    pub fn path(&self) -> &str {
        path::below_prefix(&self.brief.target, &self.brief.prefix).0
    }

    /// The prefix of this plugin in public URLs, such as `/api/hello`.
    pub fn prefix(&self) -> &str {
        &self.brief.prefix
    }

    /// A header as text; none when it is missing or not UTF-8.
    pub fn header(&self, name: &str) -> Option<String> {
        let value = self.incoming()?.headers.get(name).into_iter().next()?;
        String::from_utf8(value).ok()
    }

    /// The id of the request, which every log line and error carries.
    pub fn id(&self) -> &str {
        &self.brief.id
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
        path::query_value(path::below_prefix(&self.brief.target, &self.brief.prefix).1, name)
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
        let person = self.brief.person.as_ref()?;
        Some(Actor {
            user_id: person.user_id,
            username: person.username.clone(),
            role: person.role.clone(),
            plugin_role: person.plugin_role.clone(),
        })
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
        let body = self.incoming().and_then(|incoming| incoming.request.consume().ok());
        Body::new(body.ok_or_else(|| Error::internal("the body of the request was read before"))?)
    }
}

fn unreadable(name: &str, value: &str) -> Error {
    Error::invalid_field(name, format!("{value:?} is not a value of the expected kind"))
}
