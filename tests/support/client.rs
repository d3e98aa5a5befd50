//! The REST API, as a test uses it.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};
use reqwest::{
    Body, RequestBuilder,
    multipart::{Form, Part},
};
use serde_json::{Value, json};

use crate::{Guest, PASSWORD, wait::within};

/// A client with or without a token.
#[derive(Clone, Debug)]
pub struct Client {
    http: reqwest::Client,
    url: String,
    token: Option<String>,
}

/// A whole answer.
#[derive(Clone, Debug)]
pub struct Reply {
    /// Status.
    pub status: StatusCode,
    /// Headers.
    pub headers: HeaderMap,
    /// Body.
    pub body: Bytes,
}

impl Client {
    /// Nobody.
    pub fn anonymous(url: &str) -> Self {
        let http = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().expect("client");
        Self { http, url: url.to_owned(), token: None }
    }

    /// Signs in.
    pub async fn sign_in(url: &str, tenant: &str, username: &str) -> Self {
        let nobody = Self::anonymous(url);
        let body = json!({ "tenant": tenant, "username": username, "password": PASSWORD });
        let reply = nobody.post("/api/auth/login", &body).await;
        assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
        let token = reply.json()["access_token"].as_str().expect("token").to_owned();
        Self { token: Some(token), ..nobody }
    }

    /// The same person at another address.
    pub fn at(&self, url: &str) -> Self {
        Self { url: url.to_owned(), ..self.clone() }
    }

    /// The token.
    pub fn token(&self) -> &str {
        self.token.as_deref().expect("token")
    }

    /// The server's address.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// A request with the token.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.url));
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    /// Sends a request and reads the whole answer.
    pub async fn send(&self, request: RequestBuilder) -> Reply {
        let response = request.send().await.expect("an answer");
        let (status, headers) = (response.status(), response.headers().clone());
        Reply { status, headers, body: response.bytes().await.expect("a whole body") }
    }

    /// `GET`.
    pub async fn get(&self, path: &str) -> Reply {
        self.send(self.request(Method::GET, path)).await
    }

    /// `POST` with JSON.
    pub async fn post(&self, path: &str, body: &Value) -> Reply {
        self.send(self.request(Method::POST, path).json(body)).await
    }

    /// `PATCH` with JSON.
    pub async fn patch(&self, path: &str, body: &Value) -> Reply {
        self.send(self.request(Method::PATCH, path).json(body)).await
    }

    /// `PUT` with bytes.
    pub async fn put(&self, path: &str, body: impl Into<Body>) -> Reply {
        self.send(self.request(Method::PUT, path).body(body)).await
    }

    /// `DELETE`.
    pub async fn delete(&self, path: &str) -> Reply {
        self.send(self.request(Method::DELETE, path)).await
    }

    /// Makes an experiment and gives its id.
    pub async fn experiment(&self, name: &str) -> i64 {
        let reply = self.post("/api/experiments", &json!({ "name": name, "experiment_type": "test" })).await;
        assert_eq!(reply.status, StatusCode::CREATED, "{reply:?}");
        reply.json()["id"].as_i64().expect("id")
    }

    /// Uploads a bundle and gives the first answer. Tests ask faster than people: where nothing is said of how often the
    /// plugin may be asked, it may be asked as often as they do.
    pub async fn upload(&self, guest: &Guest, decision: &Value) -> Reply {
        let mut decision = decision.clone();
        if !decision.is_string() && decision["limits"].get("requests_per_second_max").is_none() {
            decision["limits"]["requests_per_second_max"] = json!(100_000);
        }
        let part = Part::file(&guest.path).await.expect("bundle");
        let form = Form::new().text("decision", decision.to_string()).part("bundle", part);
        self.send(self.request(Method::POST, "/api/plugins/upload").multipart(form)).await
    }

    /// Installs a bundle and gives the operation as it ended.
    pub async fn install(&self, guest: &Guest, decision: Value) -> Value {
        let reply = self.upload(guest, &decision).await;
        assert_eq!(reply.status, StatusCode::ACCEPTED, "{reply:?}");
        self.ended(&reply.json()).await
    }

    /// Installs a bundle with everything it asks for, and with these limits; it must become Ready.
    pub async fn installed(&self, guest: &Guest, limits: Value) {
        let operation = self.install(guest, json!({ "grant_requested": true, "limits": limits })).await;
        assert_eq!(operation["status"], "done", "{operation:#}");
        assert_eq!(operation["outcome"]["changed"], true, "{operation:#}");
    }

    /// A plugin in full.
    pub async fn plugin(&self, slug: &str) -> Value {
        let reply = self.get(&format!("/api/plugins/{slug}")).await;
        assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
        reply.json()
    }

    /// Starts a plugin again and gives the operation as it ended.
    pub async fn reload(&self, slug: &str) -> Value {
        self.change(slug, "reload").await
    }

    /// Does with a plugin what needs no more words, such as `disable`, and gives the operation as it ended.
    pub async fn change(&self, slug: &str, verb: &str) -> Value {
        let reply = self.post(&format!("/api/plugins/{slug}/{verb}"), &Value::Null).await;
        assert_eq!(reply.status, StatusCode::ACCEPTED, "{reply:?}");
        self.ended(&reply.json()).await
    }

    /// Puts another release in the place of a plugin's, and gives the operation as it ended.
    pub async fn upgrade(&self, slug: &str, guest: &Guest, decision: &Value) -> Value {
        let begun = self.begin_upgrade(slug, guest, decision).await;
        self.ended(&begun).await
    }

    /// Begins to put another release in the place of a plugin's.
    pub async fn begin_upgrade(&self, slug: &str, guest: &Guest, decision: &Value) -> Value {
        let form = reqwest::multipart::Form::new()
            .text("decision", decision.to_string())
            .part("bundle", reqwest::multipart::Part::file(&guest.path).await.expect("bundle"));
        let reply = self.send(self.request(Method::POST, &format!("/api/plugins/{slug}/upgrade")).multipart(form)).await;
        assert_eq!(reply.status, StatusCode::ACCEPTED, "{reply:?}");
        reply.json()
    }

    /// Goes back to an earlier release, and gives the operation as it ended.
    pub async fn roll_back(&self, slug: &str, to: &Value) -> Value {
        let reply = self.post(&format!("/api/plugins/{slug}/rollback"), to).await;
        assert_eq!(reply.status, StatusCode::ACCEPTED, "{reply:?}");
        self.ended(&reply.json()).await
    }

    /// Removes a plugin and gives the operation as it ended.
    pub async fn uninstall(&self, slug: &str, data: &str) -> Value {
        let reply = self.delete(&format!("/api/plugins/{slug}?data={data}&confirm={slug}")).await;
        assert_eq!(reply.status, StatusCode::ACCEPTED, "{reply:?}");
        self.ended(&reply.json()).await
    }

    /// Stores settings in the place of those that are there.
    pub async fn configure(&self, slug: &str, settings: Value) -> Reply {
        let path = format!("/api/plugins/{slug}/config");
        let tag = self.get(&path).await.headers["etag"].clone();
        self.send(self.request(Method::PUT, &path).header("if-match", tag).json(&json!({ "config": settings }))).await
    }

    /// Waits for the end of an operation. A component is made of wheels, and compiled, in a minute on a busy machine.
    pub async fn ended(&self, operation: &Value) -> Value {
        let path = format!("/api/operations/{}", operation["id"]);
        within(Duration::from_secs(150), "the end of an operation", || async {
            let operation = self.get(&path).await.json();
            (operation["status"] != "running").then_some(operation)
        })
        .await
    }
}

impl Reply {
    /// A header as text; nothing where there is none.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("a header of text"))
    }

    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The code of the error envelope.
    pub fn code(&self) -> String {
        self.json()["code"].as_str().unwrap_or_default().to_owned()
    }
}
