//! Asks the internal API whatever a test wants, through a plugin that passes it on.

use http::StatusCode;
use mint_tests::{Client, Guest, TestServer};
use serde_json::{Value, json};

use super::redact::Redactor;
use crate::subprocess::Program;

/// An instrument on which `nosy` may report.
pub(super) const INSTRUMENT: &str = "6f9619ff-8b86-4d01-b42d-00cf4fc964ff";

/// What a plugin asks the platform, and what it is answered.
pub(super) struct Wire<'a> {
    client: &'a Client,
    slug: &'static str,
    headers: Value,
    redactor: Redactor,
    /// What was asked and answered, without what differs from run to run.
    pub(super) lines: Vec<String>,
}

impl<'a> Wire<'a> {
    /// Asks as the person `client`, through the plugin `slug`.
    pub(super) fn new(client: &'a Client, slug: &'static str) -> Self {
        Self { client, slug, headers: json!({}), redactor: Redactor::default(), lines: Vec::new() }
    }

    /// Sends `headers` with each request.
    pub(super) fn with(self, headers: Value) -> Self {
        Self { headers, ..self }
    }

    async fn send(&mut self, asked: &str, further: Value) -> Value {
        let (method, path) = asked.split_once(' ').unwrap();
        let mut call = json!({ "method": method, "path": path, "headers": self.headers });
        for (name, value) in further.as_object().unwrap() {
            if name == "headers" {
                call["headers"].as_object_mut().unwrap().extend(value.as_object().unwrap().clone());
            } else {
                call[name.as_str()] = value.clone();
            }
        }
        let reply = self.client.post(&format!("/api/{}/call", self.slug), &call).await;
        assert_eq!(reply.status, StatusCode::OK, "{asked}: {reply:?}");
        let answer = reply.json();
        let mut body = answer["body"].clone();
        self.redactor.redact(&mut body);
        self.lines.push(format!("{asked}\n  {} {body}", answer["status"]));
        answer
    }

    /// `METHOD /path` without a document. Gives `{status, body}`.
    pub(super) async fn ask(&mut self, asked: &str) -> Value {
        self.send(asked, json!({})).await
    }

    /// `METHOD /path` with a document.
    pub(super) async fn tell(&mut self, asked: &str, body: Value) -> Value {
        self.send(asked, json!({ "body": body })).await
    }

    /// A file, and what is said of it.
    pub(super) async fn put(&mut self, path: &str, bytes: &str) -> Value {
        let part = |name: &str, text: &str| format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{text}\r\n");
        let text = format!(
            "{}{}--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"f\"\r\n\r\n{bytes}\r\n--b--\r\n",
            part("content_type", "application/json"),
            part("metadata", "{\"a\": \"b\"}"),
        );
        let headers = json!({ "content-type": "multipart/form-data; boundary=b" });
        self.send(&format!("PUT {path}"), json!({ "text": text, "headers": headers })).await
    }
}

/// Two plugins that may do everything, and of which one may also read and write the other's results.
pub(super) async fn serving() -> TestServer {
    let server = TestServer::start().await;
    install(&server).await;
    server
}

/// Installs the two.
pub(super) async fn install(server: &TestServer) {
    for slug in ["other", "nosy"] {
        assert_eq!(server.install(&bundle(slug)).await["status"], "done");
    }
}

/// The bundle of one of the two.
pub(super) fn bundle(slug: &str) -> Guest {
    let own =
        ["experiments:write", "designs:write", "results:write", "objects", "settings:write", "users:read", "instruments:write"];
    let reports = format!("instruments:report:{INSTRUMENT}");
    let others = ["results:read-others:other", "results:write-others:other", &reports];
    let others = others.into_iter().filter(|_| slug == "nosy");
    let asked: Vec<Value> = own.into_iter().chain(others).map(|name| json!({ "name": name })).collect();
    Program::NOSY.bundle_with(slug, json!({ "capabilities": asked }))
}
