//! Events of experiments, told over the SDK's private route.

use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, header::CONTENT_TYPE};
use http_body_util::{BodyExt, Full};
use mint_context::{
    Call,
    followers::{SaveEvent, Verdict},
    runtime::{Body, BodyError, Fault, HookKind},
};
use mint_domain::{ExperimentId, Slug};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::environment::API_VERSION;

/// The SDK's route, outside of the plugin's prefix.
pub(crate) const ROUTE: &str = "/__mint/events";
/// Most bytes of an answer.
const ANSWER_BYTES_MAX: usize = 64 << 10;

const PLUGIN_NAME: HeaderName = HeaderName::from_static("x-mint-plugin-name");
const PLATFORM_API_VERSION: HeaderName = HeaderName::from_static("x-mint-platform-api-version");

/// Something that happens to an experiment.
#[derive(Debug)]
pub(crate) enum Event {
    BeforeSave(SaveEvent),
    AfterSave(SaveEvent),
    StatusChanged { experiment: ExperimentId, old: String, new: String },
}

#[derive(Deserialize)]
struct Reply {
    #[serde(default)]
    veto: Option<Veto>,
}

#[derive(Deserialize)]
struct Veto {
    #[serde(default)]
    message: String,
}

/// The name of an event on the wire.
pub(crate) fn name(kind: HookKind) -> &'static str {
    match kind {
        HookKind::BeforeSave => "experiment.before_save",
        HookKind::AfterSave => "experiment.after_save",
        HookKind::StatusChanged => "experiment.status_changed",
    }
}

impl Event {
    /// What kind it is.
    pub(crate) fn kind(&self) -> HookKind {
        match self {
            Self::BeforeSave(_) => HookKind::BeforeSave,
            Self::AfterSave(_) => HookKind::AfterSave,
            Self::StatusChanged { .. } => HookKind::StatusChanged,
        }
    }

    /// The request to `path` that tells the plugin `own`, which calls itself `name`, of it. The token and
    /// [`protocol_headers`] are added by whoever sends it.
    pub(crate) fn request(&self, path: &'static str, call: &Call, own: &Slug, name: &str) -> Request<Body> {
        let json = self.json(call, own, name).to_string();
        let mut request = Request::new(Full::new(json.into()).map_err(|never| match never {}).boxed_unsync());
        *request.method_mut() = Method::POST;
        *request.uri_mut() = http::Uri::from_static(path);
        request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        request
    }

    fn json(&self, call: &Call, own: &Slug, name: &str) -> Value {
        let saved = |event: &SaveEvent| {
            let plugin = if event.plugin == *own { name } else { event.plugin.as_str() };
            json!({
                "experiment_id": event.experiment.0,
                "data": { "plugin_id": plugin, "data": event.data },
            })
        };
        let payload = match self {
            Self::BeforeSave(event) | Self::AfterSave(event) => saved(event),
            Self::StatusChanged { experiment, old, new } => {
                json!({ "experiment_id": experiment.0, "old_status": old, "new_status": new })
            }
        };
        let actor =
            call.actor.user().map(|user| json!({ "user_id": user.id.to_string(), "username": user.username, "role": user.role }));
        json!({ "event": self::name(self.kind()), "payload": payload, "request_id": call.request_id, "actor": actor })
    }
}

/// What the SDK wants to see with an event, besides the token.
pub(crate) fn protocol_headers(name: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(PLATFORM_API_VERSION, HeaderValue::from_static(API_VERSION));
    // A name is taken only if it fits into a header.
    if let Ok(name) = HeaderValue::from_str(name) {
        headers.insert(PLUGIN_NAME, name);
    }
    headers
}

/// Reads a plugin's answer.
///
/// # Errors
/// A [`Fault`] when it is none.
pub(crate) async fn read(status: StatusCode, body: Body) -> Result<Verdict, Fault> {
    let garbage = |what: String| Fault::Garbage(format!("its answer to an event {what}"));
    let collected = collect(body, ANSWER_BYTES_MAX).await;
    let bytes = collected.map_err(|error| garbage(format!("broke off: {error}")))?;
    if status != StatusCode::OK {
        return Err(garbage(format!("has the status {status}")));
    }
    let reply: Reply = serde_json::from_slice(&bytes).map_err(|error| garbage(format!("cannot be read: {error}")))?;
    Ok(match reply.veto {
        Some(veto) if veto.message.is_empty() => Verdict::Veto("The plugin refused the design.".to_owned()),
        Some(veto) => Verdict::Veto(veto.message),
        None => Verdict::Accept,
    })
}

/// The bytes of a body, as long as they are no more than `bytes_max`.
pub(crate) async fn collect(mut body: Body, bytes_max: usize) -> Result<Vec<u8>, BodyError> {
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame?.into_data() {
            bytes.extend_from_slice(&data);
        }
        if bytes.len() > bytes_max {
            return Err("it is too long".into());
        }
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(text: &str) -> Body {
        Full::new(text.to_owned().into()).map_err(|never| match never {}).boxed_unsync()
    }

    #[tokio::test]
    async fn answers() {
        let said = Ok::<Verdict, ()>;
        let veto = |text: &str| said(Verdict::Veto(text.to_owned()));
        let table = [
            (200, r#"{"handled":false,"veto":null}"#, said(Verdict::Accept)),
            (200, r#"{"handled":true}"#, said(Verdict::Accept)),
            (200, r#"{"handled":true,"veto":{"message":"Too hot."}}"#, veto("Too hot.")),
            (200, r#"{"handled":true,"veto":{}}"#, veto("The plugin refused the design.")),
            (404, "whatever", Err(())),
            (200, "<html>", Err(())),
            (500, "{}", Err(())),
            (403, "{}", Err(())),
        ];
        for (status, text, expected) in table {
            let read = read(StatusCode::from_u16(status).unwrap(), body(text)).await;
            assert_eq!(read.map_err(|_| ()), expected, "{status} {text}");
        }
        assert!(read(StatusCode::OK, body(&" ".repeat(ANSWER_BYTES_MAX + 1))).await.is_err());
    }
}
