//! Shared mode: plugins as WebAssembly components, in the server's process.
//!
//! A component is compiled once, kept under its digest, linked to what its grants unlock, and called with every limit of
//! its installation armed. A fault is the error of one request.
//!
//! **Invariant:** an instance serves one installation of one tenant. Who acts is in the data of its store, replaced as
//! a whole for every call.

mod artifact;
mod background;
mod bindings;
mod body;
mod compiler;
mod console;
mod engine;
mod fault;
mod files;
mod generation;
mod guest;
mod host;
mod http;
mod imports;
mod instance;
mod jobs;
mod lifecycle;
mod limits;
mod migrations;
mod outgoing;
mod routes;
mod runtime;
mod store;

pub use compiler::{Compiled, Compiler, compile, refused};
pub use engine::{ResetChoice, ResetPath};
pub use runtime::{Options, StartError, WasmRuntime};
