//! `.mint` bundles: read on the assumption that whoever made them is hostile, written so that the same input gives the
//! same bytes.

pub mod archive;
mod error;
mod frontend;
mod layout;
mod python;
mod read;
#[cfg(test)]
mod tests;
mod unpack;
mod write;

pub use error::{Error, Result};
pub use frontend::{FRONTEND_FILES, FRONTEND_REVISION, FrontendBounds, frontend_place, take_frontend};
pub use python::python_parts;
pub use read::{Bounds, Bundle};
pub use write::write;
