//! What every request passes.

mod request_id;

pub(crate) use request_id::request_id;
