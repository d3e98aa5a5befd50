use std::borrow::Cow;
use std::fmt;
use std::io::{self, Write};

use serde::Serialize;

use super::BodyWriter;
use crate::bindings::imports::wasi::http::types::{Fields, OutgoingResponse, ResponseOutparam};
use crate::{Error, Result, log};

/// As `wasi:http` has it.
const STATUS_OF_A_NEW_RESPONSE: u16 = 200;

type Fill = Box<dyn FnOnce(&mut BodyWriter) -> io::Result<()>>;

enum Content {
    Bytes(Vec<u8>),
    Stream(Fill),
}

/// An answer: status, headers and a body of bytes or one that is written while it is sent.
pub struct Response {
    status: u16,
    headers: Vec<(Cow<'static, str>, Vec<u8>)>,
    content: Content,
}

impl Response {
    /// 200 with a body of bytes.
    pub fn bytes(content_type: &'static str, bytes: impl Into<Vec<u8>>) -> Self {
        let bytes = bytes.into();
        let length = bytes.len().to_string();
        Self { status: 200, headers: Vec::with_capacity(2), content: Content::Bytes(bytes) }
            .header("content-type", content_type)
            .header("content-length", length)
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
    pub fn header(mut self, name: impl Into<Cow<'static, str>>, value: impl Into<Vec<u8>>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// The envelope of an error.
    pub(super) fn error(error: &Error, request_id: Option<&str>) -> Self {
        Self::bytes("application/json", error.envelope(request_id)).status(error.status())
    }

    /// Sends it; nothing is left to tell the client when that fails, so failures are logged. Where no body is wanted
    /// (`HEAD`), the host keeps it back and may close its stream early, which is no failure.
    pub(super) fn send(self, out: ResponseOutparam, with_body: bool) {
        match self.try_send(out, with_body) {
            Err(error) if with_body => log::error(error.message()),
            _ => {}
        }
    }

    fn try_send(self, out: ResponseOutparam, with_body: bool) -> Result<()> {
        let headers: Vec<_> = self.headers.into_iter().map(|(name, value)| (name.into_owned(), value)).collect();
        let (fields, status, content) = match Fields::from_list(&headers) {
            Ok(fields) => (fields, self.status, self.content),
            Err(error) => {
                log::error(&format!("a header of the answer is not allowed: {error}"));
                (Fields::new(), 500, Content::Bytes(Vec::new()))
            }
        };
        let response = OutgoingResponse::new(fields);
        // A call of the host for each answer that is not the usual one.
        if status != STATUS_OF_A_NEW_RESPONSE && response.set_status_code(status).is_err() {
            log::error(&format!("{status} is no HTTP status"));
        }
        let body = response.body().map_err(|()| Error::internal("the body of the answer was taken before"))?;
        ResponseOutparam::set(out, Ok(response));
        let mut writer = BodyWriter::new(body)?;
        match content {
            Content::Bytes(bytes) => writer.write_all(&bytes)?,
            Content::Stream(_) if !with_body => {}
            Content::Stream(fill) => {
                fill(&mut writer).map_err(|error| Error::internal(format!("the answer broke off: {error}")))?;
            }
        }
        writer.finish()
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Response").field("status", &self.status).finish_non_exhaustive()
    }
}
