//! What the integration tests share: a real server on real data in a directory of the test's own, and a client for it.
#![expect(clippy::disallowed_methods, reason = "the runner tells tests by variables where things are")]

mod browser;
mod bundles;
mod client;
mod memory;
mod server;
mod socket;
mod wait;

pub use browser::Browser;
pub use bundles::{Guest, bundle, manifest, repackaged};
pub use client::{Client, Reply};
pub use memory::{forget_peak, peak_bytes, resident_bytes};
pub use server::{PASSWORD, TestServer, cache, mint, python, uv};
pub use socket::{HANDSHAKE, read_head};
pub use wait::eventually;
