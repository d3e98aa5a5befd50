//! What a plugin and the platform answered, request by request, without what differs from run to run.

use bytes::Bytes;
use http::Method;
use mint_tests::{Client, Reply};
use reqwest::RequestBuilder;
use serde_json::{Value, json};

/// Everything that was asked and answered.
#[derive(Debug, Default)]
pub(super) struct Transcript {
    /// `{asked, status, content_type, body}` for each.
    pub(super) lines: Vec<Value>,
}

impl Transcript {
    /// Sends a request and writes the answer down.
    pub(super) async fn send(&mut self, client: &Client, asked: &str, request: RequestBuilder) -> Reply {
        let reply = client.send(request.header("x-request-id", "conformance")).await;
        let content_type = reply.headers.get("content-type").map(|value| value.to_str().unwrap());
        self.lines.push(json!({
            "asked": asked, "status": reply.status.as_u16(), "content_type": content_type, "body": body(&reply.body),
        }));
        reply
    }

    /// `METHOD path` with a JSON body or none.
    pub(super) async fn ask(&mut self, client: &Client, asked: &str, sent: Option<Value>) -> Reply {
        let (method, path) = asked.split_once(' ').unwrap();
        let request = client.request(method.parse::<Method>().unwrap(), path);
        let request = match &sent {
            Some(sent) => request.json(sent),
            None => request,
        };
        let asked = sent.map_or_else(|| asked.to_owned(), |sent| format!("{asked} {sent}"));
        self.send(client, &asked, request).await
    }
}

fn body(bytes: &Bytes) -> Value {
    match serde_json::from_slice(bytes) {
        Ok(mut value) => {
            redact(&mut value);
            value
        }
        Err(_) if bytes.len() > 2_000 => json!({ "bytes": bytes.len(), "sha256": mint_domain::Digest::of(bytes) }),
        Err(_) => Value::from(String::from_utf8_lossy(bytes)),
    }
}

/// Times of day.
fn redact(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(redact),
        Value::Object(fields) => {
            for (name, value) in fields {
                if (name.ends_with("_at") || name == "created") && value.is_string() {
                    *value = Value::from("<time>");
                }
                redact(value);
            }
        }
        _ => {}
    }
}
