//! The REST API through its door.

mod access;
mod framing;
mod laboratory;
mod strangers;
