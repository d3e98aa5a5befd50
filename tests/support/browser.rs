//! A browser at a plugin's origin, as far as HTTP goes.

use http::{Method, StatusCode};
use reqwest::RequestBuilder;
use tokio::io::AsyncWriteExt as _;

use crate::{Client, Reply, read_head};

/// Somebody at an origin, with or without its cookie. Names below `localhost` need no resolver: the host is a header.
#[derive(Clone, Debug)]
pub struct Browser {
    /// How it reaches the server.
    pub client: Client,
    /// The host of the origin, with the port.
    pub host: String,
    /// The cookie, as a browser sends it.
    pub cookie: Option<String>,
}

impl Browser {
    /// Somebody who was not let in, at `host` of this server.
    pub fn at(url: &str, host: &str) -> Self {
        Self { client: Client::anonymous(url), host: host.to_owned(), cookie: None }
    }

    /// Asks the platform for a front-end, and gives the address of the way in: host, path and query.
    pub async fn way_in(client: &Client, path: &str) -> (String, String) {
        let reply = client.get(path).await;
        assert_eq!(reply.status, StatusCode::SEE_OTHER, "{reply:?}");
        assert_eq!((reply.header("cache-control"), reply.header("referrer-policy")), ("no-store", "same-origin"));
        let address = reply.header("location");
        let (host, path) = address.strip_prefix("http://").expect("http").split_once('/').expect("a path");
        (host.to_owned(), format!("/{path}"))
    }

    /// Goes the whole way from the platform to a front-end. Gives the browser and the path at which it ends.
    pub async fn enter(client: &Client, path: &str) -> (Self, String) {
        let (host, way) = Self::way_in(client, path).await;
        let mut browser = Self::at(client.url(), &host);
        let reply = browser.get(&way).await;
        assert_eq!(reply.status, StatusCode::SEE_OTHER, "{reply:?}");
        browser.keep(&reply);
        (browser, reply.header("location").to_owned())
    }

    /// Keeps the cookie of an answer.
    pub fn keep(&mut self, reply: &Reply) {
        let cookie = reply.header("set-cookie");
        self.cookie = cookie.split(';').next().map(str::to_owned);
    }

    /// The origin of the platform that it came from.
    pub fn platform(&self) -> &str {
        self.client.url()
    }

    /// Sends a `GET` whose target is left as it is, and gives the head of the answer.
    pub async fn raw(&self, target: &str) -> String {
        let mut stream = self.client.connect().await;
        let cookie = self.cookie.clone().unwrap_or_default();
        let request = format!("GET {target} HTTP/1.1\r\nhost: {}\r\ncookie: {cookie}\r\n\r\n", self.host);
        stream.write_all(request.as_bytes()).await.expect("a request");
        read_head(&mut stream).await
    }

    /// A request to this origin.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.client.request(method, path).header("host", &self.host);
        match &self.cookie {
            Some(cookie) => request.header("cookie", cookie),
            None => request,
        }
    }

    /// Sends it.
    pub async fn send(&self, request: RequestBuilder) -> Reply {
        self.client.send(request).await
    }

    /// `GET`.
    pub async fn get(&self, path: &str) -> Reply {
        self.send(self.request(Method::GET, path)).await
    }
}
