//! The REST API through its door.

mod access;
mod framing;
mod hosts;
mod laboratory;
mod strangers;
