//! WASI streams as `std::io`.

use std::io::{self, Read, Write};

use crate::bindings::imports::wasi::io::streams::{InputStream, OutputStream, StreamError};

/// More at once would only cost the guest memory: the host hands out what it has buffered.
const READ_BYTES_MAX: usize = 64 * 1024;

/// Bytes that come in as they arrive. Large buffers make few calls of the host.
#[derive(Debug)]
pub struct Reader {
    stream: InputStream,
}

impl Reader {
    pub(crate) fn new(stream: InputStream) -> Self {
        Self { stream }
    }
}

impl Read for Reader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        let wanted = buffer.len().min(READ_BYTES_MAX);
        match self.stream.blocking_read(wanted as u64) {
            Ok(bytes) => {
                let read = bytes.len().min(buffer.len());
                if let (Some(to), Some(from)) = (buffer.get_mut(..read), bytes.get(..read)) {
                    to.copy_from_slice(from);
                }
                Ok(read)
            }
            Err(StreamError::Closed) => Ok(0),
            Err(error) => Err(failure(error)),
        }
    }
}

/// Bytes that go out; writing waits while the other side is slower.
#[derive(Debug)]
pub struct Writer {
    stream: OutputStream,
}

impl Writer {
    pub(crate) fn new(stream: OutputStream) -> Self {
        Self { stream }
    }

    /// How many bytes may be written now: at least one.
    fn permit(&self) -> io::Result<usize> {
        loop {
            match self.stream.check_write().map_err(failure)? {
                0 => self.stream.subscribe().block(),
                bytes => return Ok(usize::try_from(bytes).unwrap_or(usize::MAX)),
            }
        }
    }
}

impl Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.is_empty() {
            return Ok(0);
        }
        let length = self.permit()?.min(bytes.len());
        self.stream.write(bytes.get(..length).unwrap_or(bytes)).map_err(failure)?;
        Ok(length)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.blocking_flush().map_err(failure)
    }
}

fn failure(error: StreamError) -> io::Error {
    match error {
        StreamError::Closed => io::Error::new(io::ErrorKind::BrokenPipe, "the other side has closed the stream"),
        StreamError::LastOperationFailed(error) => io::Error::other(error.to_debug_string()),
    }
}
