//! The REST API through its door.

mod access;
mod laboratory;
mod strangers;
