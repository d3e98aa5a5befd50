//! wasmtime's streams of files, with what they need counted before it is written.

use std::{io, mem, sync::Arc};

use bytes::Bytes;
use mint_context::logs::PluginLog;
use wasmtime_wasi::p2::{DynInputStream, DynOutputStream, InputStream, OutputStream, Pollable, StreamError, StreamResult};

use crate::files::{Full, OpenFile, Writer};

/// Writes that are counted.
pub(crate) struct CountedOutput {
    inner: DynOutputStream,
    writer: Writer,
    /// Where the next byte goes; none for the end of the file, wherever that is.
    offset: Option<u64>,
    log: Arc<PluginLog>,
}

impl CountedOutput {
    /// Puts itself around a stream that writes to `file`.
    pub(crate) fn wrap(stream: &mut DynOutputStream, file: OpenFile, offset: Option<u64>, log: Arc<PluginLog>) {
        let inner = mem::replace(stream, Box::new(Gone));
        *stream = Box::new(Self { inner, writer: file.writer(), offset, log });
    }

    fn count(&mut self, length: usize) -> StreamResult<()> {
        let counted = match &mut self.offset {
            Some(offset) => {
                let counted = self.writer.0.write_at(*offset, length);
                *offset = offset.saturating_add(length as u64);
                counted
            }
            None => self.writer.0.append(length),
        };
        counted.map_err(|full| {
            let Full(limit) = full;
            self.log.limit_reached(limit);
            StreamError::LastOperationFailed(wasmtime::Error::new(io::Error::from(full)))
        })
    }
}

#[async_trait::async_trait]
impl Pollable for CountedOutput {
    async fn ready(&mut self) {
        self.inner.ready().await;
    }
}

#[async_trait::async_trait]
impl OutputStream for CountedOutput {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.count(bytes.len())?;
        self.inner.write(bytes)
    }

    async fn blocking_write_and_flush(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.count(bytes.len())?;
        self.inner.blocking_write_and_flush(bytes).await
    }

    fn flush(&mut self) -> StreamResult<()> {
        self.inner.flush()
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        self.inner.check_write()
    }

    async fn cancel(&mut self) {
        self.inner.cancel().await;
    }
}

/// Reads of a file that stays counted while they last, even if it is deleted.
pub(crate) struct HeldInput {
    inner: DynInputStream,
    _file: OpenFile,
}

impl HeldInput {
    /// Puts itself around a stream that reads from `file`.
    pub(crate) fn wrap(stream: &mut DynInputStream, file: OpenFile) {
        let inner = mem::replace(stream, Box::new(Gone));
        *stream = Box::new(Self { inner, _file: file });
    }
}

#[async_trait::async_trait]
impl Pollable for HeldInput {
    async fn ready(&mut self) {
        self.inner.ready().await;
    }
}

#[async_trait::async_trait]
impl InputStream for HeldInput {
    fn read(&mut self, size: usize) -> StreamResult<Bytes> {
        self.inner.read(size)
    }

    async fn blocking_read(&mut self, size: usize) -> StreamResult<Bytes> {
        self.inner.blocking_read(size).await
    }

    async fn cancel(&mut self) {
        self.inner.cancel().await;
    }
}

/// Stands where a stream was taken out, for the moment until another is put in.
struct Gone;

#[async_trait::async_trait]
impl Pollable for Gone {
    async fn ready(&mut self) {}
}

impl InputStream for Gone {
    fn read(&mut self, _: usize) -> StreamResult<Bytes> {
        Err(StreamError::Closed)
    }
}

impl OutputStream for Gone {
    fn write(&mut self, _: Bytes) -> StreamResult<()> {
        Err(StreamError::Closed)
    }

    fn flush(&mut self) -> StreamResult<()> {
        Err(StreamError::Closed)
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Err(StreamError::Closed)
    }
}
