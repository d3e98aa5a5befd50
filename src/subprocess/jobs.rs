//! Jobs, handed to a process over the private route of our SDK. An executable may serve it as well.

use http::{HeaderValue, Method, Request, StatusCode, header::CONTENT_TYPE};
use http_body_util::{BodyExt, Full};
use mint_context::{
    jobs::RunningJob,
    runtime::{Body, Fault, Work, Worked},
};
use mint_domain::job::DOCUMENT_BYTES_MAX;
use serde::Deserialize;
use serde_json::{Value, json, value::RawValue};

use crate::events::collect;

/// The route, outside of the plugin's prefix.
pub(crate) const ROUTE: &str = "/__mint/jobs";
/// Most bytes of an answer: what may come of a job, and what stands around it.
const ANSWER_BYTES_MAX: usize = DOCUMENT_BYTES_MAX + (64 << 10);

#[derive(Deserialize)]
struct Done {
    #[serde(default)]
    outcome: Option<Box<RawValue>>,
}

#[derive(Deserialize)]
struct Failed {
    message: String,
    #[serde(default)]
    is_final: bool,
}

/// The request for a job. The token and the headers of the protocol are added by whoever sends it.
pub(crate) fn request(job: &RunningJob, work: &Work) -> Request<Body> {
    // What is stored was JSON when it was written.
    let payload: Value = serde_json::from_str(&work.payload).unwrap_or_default();
    let json = json!({ "id": job.id, "attempt": job.attempt, "kind": work.kind, "payload": payload }).to_string();
    let mut request = Request::new(Full::new(json.into()).map_err(|never| match never {}).boxed_unsync());
    *request.method_mut() = Method::POST;
    *request.uri_mut() = http::Uri::from_static(ROUTE);
    request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    request
}

/// Reads a process's answer.
///
/// # Errors
/// A [`Fault`] when it is none.
pub(crate) async fn read(status: StatusCode, body: Body) -> Result<Worked, Fault> {
    let garbage = |what: String| Fault::Garbage(format!("its answer to a job {what}"));
    let collected = collect(body, ANSWER_BYTES_MAX).await;
    let bytes = collected.map_err(|error| garbage(format!("broke off: {error}")))?;
    let unread = |error: serde_json::Error| garbage(format!("cannot be read: {error}"));
    match status {
        StatusCode::OK => {
            let done: Done = serde_json::from_slice(&bytes).map_err(unread)?;
            Ok(Worked::Done(done.outcome.map(|outcome| outcome.get().to_owned())))
        }
        StatusCode::UNPROCESSABLE_ENTITY => {
            let Failed { message, is_final } = serde_json::from_slice(&bytes).map_err(unread)?;
            Ok(Worked::Failed { message, is_final })
        }
        StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED => Ok(Worked::no_jobs()),
        other => Err(garbage(format!("has the status {other}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn answers() {
        let body = |text: &str| Full::new(text.to_owned().into()).map_err(|never| match never {}).boxed_unsync();
        let failed = |message: &str, is_final| Ok(Worked::Failed { message: message.to_owned(), is_final });
        let table = [
            (200, r#"{"outcome":{"a":[1]}}"#, Ok(Worked::Done(Some(r#"{"a":[1]}"#.to_owned())))),
            (200, r#"{"outcome":null}"#, Ok(Worked::Done(None))),
            (200, "{}", Ok(Worked::Done(None))),
            (422, r#"{"message":"Too hot.","is_final":true}"#, failed("Too hot.", true)),
            (422, r#"{"message":"Too hot."}"#, failed("Too hot.", false)),
            (404, "nothing here", Ok(Worked::no_jobs())),
            (405, "", Ok(Worked::no_jobs())),
            (200, "<html>", Err(())),
            (422, "{}", Err(())),
            (500, "{}", Err(())),
            (302, "", Err(())),
        ];
        for (status, text, expected) in table {
            let read = read(StatusCode::from_u16(status).unwrap(), body(text)).await;
            assert_eq!(read.map_err(|_| ()), expected, "{status} {text}");
        }
        assert!(read(StatusCode::OK, body(&" ".repeat(ANSWER_BYTES_MAX + 1))).await.is_err());
    }
}
