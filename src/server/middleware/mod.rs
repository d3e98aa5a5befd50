//! What every request passes.

mod failed;
mod linger;
mod request_id;

pub(crate) use failed::failed;
pub(crate) use linger::linger;
pub(crate) use request_id::request_id;
