//! From how a guest ended to whom it concerns.

use mint_context::runtime::Fault;
use wasmtime::{PoolConcurrencyLimitError, component::ResourceTableError};
use wasmtime_wasi::I32Exit;

use crate::limits::{MemoryLimit, Reached};

/// The guest stumbled over the body of its request, which broke off.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct UploadBroke(pub(crate) String);

/// The guest answered with what is no answer.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct NoAnswer(pub(crate) String);

/// The fault of a guest that ended with `error` in a store with this much memory.
pub(crate) fn of(error: &wasmtime::Error, memory: &MemoryLimit) -> Fault {
    if let Some(Reached { limit, message }) = error.downcast_ref::<Reached>().cloned().or_else(|| memory.reached()) {
        return Fault::Limit { limit, message };
    }
    if let Some(UploadBroke(reason)) = error.downcast_ref() {
        return Fault::Client(reason.clone());
    }
    if let Some(NoAnswer(what)) = error.downcast_ref() {
        return Fault::Garbage(what.clone());
    }
    if let Some(I32Exit(status)) = error.downcast_ref() {
        return Fault::Broke(format!("it exited with status {status} instead of answering"));
    }
    if error.is::<PoolConcurrencyLimitError>() {
        return Fault::Full;
    }
    let text = format!("{error:?}");
    // wasmtime keeps the types of these to itself.
    if matches!(error.downcast_ref(), Some(ResourceTableError::Full)) || text.contains("store handle limit exceeded") {
        return Fault::Limit { limit: "handles_max", message: "The plugin held more handles than its limit allows.".to_owned() };
    }
    if text.contains("too much data is being copied between the host and the guest") {
        let message = "The plugin passed more to the platform in one call than its limit allows.".to_owned();
        return Fault::Limit { limit: "host_memory_bytes_max", message };
    }
    // The reason first: what stands on top is the trace of the guest's functions.
    Fault::Broke(format!("{}\n{error}", error.root_cause()))
}

/// Whether a fault counts against the plugin's budget. Those of the platform, of clients and of a full server do not.
pub(crate) fn counts(fault: &Fault) -> bool {
    match fault {
        Fault::Broke(_) | Fault::Timeout(_) | Fault::Garbage(_) | Fault::Limit { .. } => true,
        Fault::Down(_)
        | Fault::NotStarted(_)
        | Fault::Away(_)
        | Fault::Full
        | Fault::NoSockets
        | Fault::Client(_)
        | Fault::Host(_) => false,
    }
}
