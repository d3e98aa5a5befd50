use std::io::{self, Read, Write};

use crate::bindings::imports::wasi::http::types::{IncomingBody, OutgoingBody};
use crate::{Error, Reader, Result, Writer};

/// The body of a request, read as it arrives.
#[derive(Debug)]
pub struct Body {
    // The stream is a child of the body: it goes first.
    reader: Reader,
    _body: IncomingBody,
}

impl Body {
    pub(super) fn new(body: IncomingBody) -> Result<Self> {
        let stream = body.stream().map_err(|()| Error::internal("the body of the request was read before"))?;
        Ok(Self { reader: Reader::new(stream), _body: body })
    }

    /// The whole body, if it has no more than `bytes_max` bytes.
    ///
    /// # Errors
    ///
    /// 413 when it has more, 500 when the connection fails.
    pub fn read_all(mut self, bytes_max: usize) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        (&mut self.reader).take(bytes_max as u64 + 1).read_to_end(&mut bytes)?;
        if bytes.len() > bytes_max {
            return Err(Error::too_large(format!("the body has more than {bytes_max} bytes")));
        }
        Ok(bytes)
    }
}

impl Read for Body {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.reader.read(buffer)
    }
}

/// The body of a response that is written while it is sent.
#[derive(Debug)]
pub struct BodyWriter {
    // The stream is a child of the body: it goes first.
    writer: Writer,
    body: OutgoingBody,
}

impl BodyWriter {
    pub(super) fn new(body: OutgoingBody) -> Result<Self> {
        let stream = body.write().map_err(|()| Error::internal("the body of the response was taken before"))?;
        Ok(Self { writer: Writer::new(stream), body })
    }

    /// Says that the body is complete; dropped without this, the client sees a broken answer.
    pub(super) fn finish(self) -> Result<()> {
        let Self { writer, body } = self;
        drop(writer);
        OutgoingBody::finish(body, None).map_err(|error| Error::internal(format!("the answer could not be ended: {error}")))
    }
}

impl Write for BodyWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.writer.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}
