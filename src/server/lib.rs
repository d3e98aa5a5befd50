//! HTTP, and nothing else: what people and programs reach, and the way to plugins.
//!
//! **Invariant:** the manifest of this crate has neither sqlx nor wasmtime. Handlers convert, call one function of
//! `mint-platform` or `mint-context`, and convert back.

mod api;
mod auth;
mod door;
mod error;
mod extract;
mod frames;
mod framing;
mod frontends;
mod gateway;
pub mod listen;
mod middleware;
mod pages;
pub mod router;
mod socket;

pub use router::{Site, State, router};
