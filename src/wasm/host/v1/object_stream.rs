//! Objects as WASI streams, one chunk at a time: a slow storage or a slow guest holds back the other.

use std::{
    fmt, mem,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, future::BoxFuture};
use mint_context::{Error, Result, objects::ObjectWriter};
use mint_domain::Refusal;
use wasmtime_wasi::p2::{InputStream, OutputStream, Pollable, StreamError, StreamResult};

/// Bytes that a guest may write at once.
const WRITE_BYTES_MAX: usize = 64 << 10;

/// The bytes of an object that is being read.
pub(crate) struct ObjectInput {
    bytes: Pin<Box<dyn Stream<Item = Result<Bytes>> + Send>>,
    next: Next,
}

enum Next {
    Unknown,
    Chunk(Bytes),
    Failed(Error),
    End,
}

impl ObjectInput {
    /// Reads from `bytes`, one chunk ahead.
    pub(crate) fn new(bytes: impl Stream<Item = Result<Bytes>> + Send + 'static) -> Self {
        Self { bytes: Box::pin(bytes), next: Next::Unknown }
    }
}

#[async_trait::async_trait]
impl Pollable for ObjectInput {
    async fn ready(&mut self) {
        while let Next::Unknown = self.next {
            self.next = match self.bytes.next().await {
                Some(Ok(chunk)) if chunk.is_empty() => Next::Unknown,
                Some(Ok(chunk)) => Next::Chunk(chunk),
                Some(Err(error)) => Next::Failed(error),
                None => Next::End,
            };
        }
    }
}

#[async_trait::async_trait]
impl InputStream for ObjectInput {
    fn read(&mut self, size: usize) -> StreamResult<Bytes> {
        match mem::replace(&mut self.next, Next::Unknown) {
            Next::Unknown => Ok(Bytes::new()),
            Next::Chunk(mut chunk) => {
                let read = chunk.split_to(size.min(chunk.len()));
                if !chunk.is_empty() {
                    self.next = Next::Chunk(chunk);
                }
                Ok(read)
            }
            Next::Failed(error) => {
                self.next = Next::End;
                tracing::error!(error = %error, "an object could not be read to its end");
                Err(StreamError::LastOperationFailed(wasmtime::Error::new(error.public())))
            }
            Next::End => {
                self.next = Next::End;
                Err(StreamError::Closed)
            }
        }
    }
}

/// Where the writer waits while no stream has it, and where it comes back to.
#[derive(Clone)]
pub(crate) struct Slot(Arc<Mutex<Option<Result<ObjectWriter>>>>);

impl fmt::Debug for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Slot")
    }
}

impl Slot {
    /// A slot with `writer` in it.
    pub(crate) fn new(writer: ObjectWriter) -> Self {
        Self(Arc::new(Mutex::new(Some(Ok(writer)))))
    }

    /// The writer, or why there is none.
    pub(crate) fn take(&self) -> Result<ObjectWriter> {
        let writer = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        writer.unwrap_or_else(|| Err(Refusal::invalid("Drop the body of this object before `finish`.").into()))
    }

    fn put(&self, writer: Result<ObjectWriter>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(writer);
    }
}

/// The bytes of an object that is being written. Dropped, it gives the writer back.
pub(crate) struct ObjectOutput {
    slot: Slot,
    state: Output,
}

enum Output {
    Idle(Box<ObjectWriter>),
    Writing(BoxFuture<'static, Result<Box<ObjectWriter>>>),
    /// What went wrong was put into the slot, for `finish`; here it is said once.
    Failed(Refusal),
    Closed,
}

impl ObjectOutput {
    /// Takes the writer out of `slot`.
    pub(crate) fn new(slot: Slot) -> Self {
        let state = match slot.take() {
            Ok(writer) => Output::Idle(Box::new(writer)),
            Err(error) => Output::Failed(error.public()),
        };
        Self { slot, state }
    }

    fn said(&mut self) -> StreamError {
        match mem::replace(&mut self.state, Output::Closed) {
            Output::Failed(refusal) => StreamError::LastOperationFailed(wasmtime::Error::new(refusal)),
            _ => StreamError::Closed,
        }
    }
}

#[async_trait::async_trait]
impl Pollable for ObjectOutput {
    async fn ready(&mut self) {
        if let Output::Writing(writing) = &mut self.state {
            self.state = match writing.await {
                Ok(writer) => Output::Idle(writer),
                Err(error) => {
                    let refusal = error.public();
                    self.slot.put(Err(error));
                    Output::Failed(refusal)
                }
            };
        }
    }
}

#[async_trait::async_trait]
impl OutputStream for ObjectOutput {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        match mem::replace(&mut self.state, Output::Closed) {
            Output::Idle(mut writer) => {
                self.state = Output::Writing(Box::pin(async move { writer.write(bytes).await.map(|()| writer) }));
                Ok(())
            }
            Output::Writing(writing) => {
                self.state = Output::Writing(writing);
                Err(StreamError::trap("write without a permit of check-write"))
            }
            failed @ (Output::Failed(_) | Output::Closed) => {
                self.state = failed;
                Err(self.said())
            }
        }
    }

    fn flush(&mut self) -> StreamResult<()> {
        match self.state {
            Output::Idle(_) | Output::Writing(_) => Ok(()),
            Output::Failed(_) | Output::Closed => Err(self.said()),
        }
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        match self.state {
            Output::Idle(_) => Ok(WRITE_BYTES_MAX),
            Output::Writing(_) => Ok(0),
            Output::Failed(_) | Output::Closed => Err(self.said()),
        }
    }

    async fn cancel(&mut self) {
        self.ready().await;
    }
}

impl Drop for ObjectOutput {
    fn drop(&mut self) {
        if let Output::Idle(writer) = mem::replace(&mut self.state, Output::Closed) {
            self.slot.put(Ok(*writer));
        }
    }
}
