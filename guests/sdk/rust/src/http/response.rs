use std::borrow::Cow;
use std::fmt;
use std::io::{self, Write};

use serde::Serialize;

use super::BodyWriter;
use crate::bindings::imports::mint::plugin::exchange;
use crate::bindings::imports::wasi::http::types::{Fields, OutgoingResponse, ResponseOutparam};
use crate::bindings::routes::exports::mint::plugin::routes;
use crate::{Error, Result, log};

/// Larger bodies are handed over piece by piece.
const WHOLE_BYTES_MAX: usize = 1024 * 1024;

type Fill = Box<dyn FnOnce(&mut BodyWriter) -> io::Result<()>>;

enum Content {
    Bytes(Vec<u8>),
    Stream(Fill),
}

/// An answer: status, headers and a body of bytes or one that is written while it is sent.
pub struct Response {
    status: u16,
    headers: Vec<(Cow<'static, str>, Cow<'static, str>)>,
    content: Content,
}

impl Response {
    /// 200 with a body of bytes.
    pub fn bytes(content_type: &'static str, bytes: impl Into<Vec<u8>>) -> Self {
        Self { status: 200, headers: Vec::with_capacity(1), content: Content::Bytes(bytes.into()) }
            .header("content-type", content_type)
    }

    /// 200 with plain text.
    pub fn text(text: impl Into<String>) -> Self {
        Self::bytes("text/plain; charset=utf-8", text.into())
    }

    /// 200 with JSON.
    ///
    /// # Errors
    ///
    /// 500 when the value has no JSON form.
    pub fn json(value: &impl Serialize) -> Result<Self> {
        let bytes = serde_json::to_vec(value)
            .map_err(|error| Error::internal(format!("the answer cannot be written as JSON: {error}")))?;
        Ok(Self::bytes("application/json", bytes))
    }

    /// 200 with a body that `fill` writes while it is sent. An error breaks the answer off and is logged.
    pub fn stream(content_type: impl Into<String>, fill: impl FnOnce(&mut BodyWriter) -> io::Result<()> + 'static) -> Self {
        Self { status: 200, headers: Vec::with_capacity(1), content: Content::Stream(Box::new(fill)) }
            .header("content-type", content_type.into())
    }

    /// A status without a body.
    pub fn empty(status: u16) -> Self {
        Self { status, headers: Vec::new(), content: Content::Bytes(Vec::new()) }
    }

    /// The same answer with another status.
    #[must_use]
    pub fn status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    /// The same answer with one more header.
    #[must_use]
    pub fn header(mut self, name: impl Into<Cow<'static, str>>, value: impl Into<Cow<'static, str>>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// The envelope of an error.
    pub(super) fn error(error: &Error, request_id: &str) -> Self {
        Self::bytes("application/json", error.envelope(request_id)).status(error.status())
    }

    /// What the platform is told: an answer that fits into memory, or none when it was written by another way. Where no
    /// body is wanted (`HEAD`), the platform keeps it back and may close its stream early, which is no failure.
    pub(super) fn give(self, with_body: bool) -> Option<routes::Response> {
        if let Some((name, value)) = self.headers.iter().find(|(name, value)| !is_header(name, value)) {
            log::error(&format!("a header of the answer cannot be sent: {name:?}: {value:?}"));
            return Some(routes::Response { status: 500, headers: Vec::new(), body: Vec::new() });
        }
        match self.content {
            Content::Bytes(body) if body.len() <= WHOLE_BYTES_MAX => {
                let headers = self.headers.into_iter().map(|(name, value)| (name.into_owned(), value.into_owned())).collect();
                Some(routes::Response { status: self.status, headers, body })
            }
            _ => {
                match self.write(with_body) {
                    // Nothing is left to tell the client.
                    Err(error) if with_body => log::error(error.message()),
                    _ => {}
                }
                None
            }
        }
    }

    fn write(self, with_body: bool) -> Result<()> {
        let out = exchange::answer().ok_or_else(|| Error::internal("the request was answered before"))?;
        let mut headers: Vec<_> =
            self.headers.into_iter().map(|(name, value)| (name.into_owned(), value.into_owned().into_bytes())).collect();
        if let Content::Bytes(bytes) = &self.content {
            headers.push(("content-length".to_owned(), bytes.len().to_string().into_bytes()));
        }
        let fields = Fields::from_list(&headers)
            .map_err(|error| Error::internal(format!("a header of the answer is not allowed: {error}")))?;
        let response = OutgoingResponse::new(fields);
        if response.set_status_code(self.status).is_err() {
            log::error(&format!("{} is no HTTP status", self.status));
        }
        let body = response.body().map_err(|()| Error::internal("the body of the answer was taken before"))?;
        ResponseOutparam::set(out, Ok(response));
        let mut writer = BodyWriter::new(body)?;
        match self.content {
            Content::Bytes(bytes) => writer.write_all(&bytes)?,
            Content::Stream(_) if !with_body => {}
            Content::Stream(fill) => {
                fill(&mut writer).map_err(|error| Error::internal(format!("the answer broke off: {error}")))?;
            }
        }
        writer.finish()
    }
}

/// Whether these can stand in a message: the name is a token, the value has no control characters (RFC 9110, §5).
fn is_header(name: &str, value: &str) -> bool {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !name.is_empty() && name.bytes().all(is_token) && !value.bytes().any(|byte| byte != b'\t' && byte.is_ascii_control())
}

impl fmt::Debug for Response {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Response").field("status", &self.status).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_in_memory_is_given_as_a_whole() {
        let given = Response::text("hi").status(201).header("etag", "\"1\"").give(true).unwrap();
        assert_eq!((given.status, given.body.as_slice()), (201, &b"hi"[..]));
        let expected = [("content-type", "text/plain; charset=utf-8"), ("etag", "\"1\"")];
        assert_eq!(given.headers, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }

    #[test]
    fn what_is_no_header_is_not_sent() {
        for (name, value, good) in [
            ("etag", "a\tb", true),
            ("x", "Ä", true),
            ("x", "a\r\nb: c", false),
            ("x y", "", false),
            ("", "v", false),
            ("x", "\0", false),
        ] {
            assert_eq!(is_header(name, value), good, "{name:?}: {value:?}");
        }
    }
}
