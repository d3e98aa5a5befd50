//! Every integration test, in one binary: linking wasmtime is dear.

mod http;
mod rules;
