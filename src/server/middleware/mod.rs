//! What every request passes.

mod linger;
mod request_id;

pub(crate) use linger::linger;
pub(crate) use request_id::request_id;
