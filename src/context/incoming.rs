//! A client's request on its way to a plugin.

use std::fmt;

use http::{HeaderValue, Method, Request};

use crate::{Call, headers, runtime::Body};

/// A client's request to a plugin, which gets it no other way than [`presented`](Self::presented).
pub struct Incoming {
    request: Request<Body>,
    prefix: HeaderValue,
}

impl Incoming {
    /// A request as the client sent it, to a plugin under `prefix`, the public path.
    pub fn new(request: Request<Body>, prefix: HeaderValue) -> Self {
        Self { request, prefix }
    }

    /// Its method.
    pub fn method(&self) -> &Method {
        self.request.method()
    }

    /// Its path and query.
    pub fn target(&self) -> &str {
        self.request.uri().path_and_query().map_or("/", |target| target.as_str())
    }

    /// `/api` and the plugin's prefix.
    pub fn prefix(&self) -> &str {
        self.prefix.to_str().unwrap_or_default()
    }

    /// The request as a plugin may see it ([`headers::present`]). Whoever answers without looking at it needs none of that.
    pub fn presented(mut self, call: &Call) -> Request<Body> {
        headers::present(self.request.headers_mut(), call, &self.prefix);
        self.request
    }
}

impl fmt::Debug for Incoming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Its headers hold the client's secrets.
        f.debug_struct("Incoming").field("method", self.method()).finish_non_exhaustive()
    }
}
