//! What the integration tests share: a real server on real data in a directory of the test's own, and a client for it.

mod bundles;
mod client;
mod server;
mod wait;

pub use bundles::{Guest, bundle, manifest, repackaged};
pub use client::{Client, Reply};
pub use server::{PASSWORD, TestServer, python, uv};
pub use wait::eventually;
