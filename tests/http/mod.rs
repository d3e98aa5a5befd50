//! The REST API through its door.

mod access;
pub(crate) mod framing;
mod laboratory;
mod strangers;
