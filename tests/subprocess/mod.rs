//! Plugins in processes of their own, good and bad.

mod bulk;
pub(crate) mod crashes;
pub(crate) mod egress;
pub(crate) mod endings;
pub(crate) mod garbage;
pub(crate) mod headers;
mod idle;
mod killed_host;
mod packages;
mod program;
pub(crate) mod sandbox;
mod settings;
mod sockets;
mod starts;
mod tokens;
mod trailers;
mod warm;
mod wheels;

pub(crate) use program::{Program, is_alive};
pub(crate) use wheels::{Parts, archive, bundle_of, wheel};
