//! Reads mzML as a stream: one spectrum in memory at a time, whatever the file declares.

mod arrays;
mod element;
mod error;
mod param;
mod reader;
mod source;
mod spectrum;

pub use error::{Fault, MzmlError, Place};
pub use reader::{Levels, Reader};
pub use source::SourceFailure;
pub use spectrum::Spectrum;
