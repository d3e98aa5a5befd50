//! Plugins in processes of their own, good and bad.

mod crashes;
mod endings;
mod garbage;
mod headers;
mod killed_host;
mod packages;
mod program;
mod starts;
mod tokens;
mod wheels;

pub(crate) use program::{Program, is_alive};
pub(crate) use wheels::{Parts, archive};
