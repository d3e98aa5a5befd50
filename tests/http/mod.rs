//! The REST API through its door.

mod access;
mod askers;
mod contract;
pub(crate) mod framing;
mod hosts;
mod laboratory;
mod permissions;
mod strangers;
