//! The REST API through its door.

mod access;
mod contract;
pub(crate) mod framing;
mod laboratory;
mod strangers;
