//! Every integration test, in one binary: linking wasmtime is dear.

mod cli;
mod conformance;
mod database;
mod frontends;
mod hostile;
mod http;
mod jobs;
mod lifecycle;
pub(crate) mod people;
mod replicas;
mod rules;
mod storage;
mod subprocess;
mod wasm;
