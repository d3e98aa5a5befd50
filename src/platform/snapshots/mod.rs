//! Snapshots of installations: tables, files and settings of one, at one instant, in an archive that a restore puts back.
//! Nobody else's rows or files are read or touched.

mod about;
mod files;
mod keep;
mod put_back;
mod take;
mod upload;

pub use keep::{Policy, ShownSnapshot};
pub(crate) use put_back::Unpacked;
pub(crate) use take::{Occasion, blocking, refused};
