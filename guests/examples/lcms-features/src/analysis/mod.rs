//! From spectra to chromatograms and features. Nothing here knows of the platform: it runs natively in tests.

mod candidates;
mod chromatogram;
mod error;
mod noise;
mod peaks;
mod survey;
mod tracer;

pub use chromatogram::ion_chromatogram;
pub use error::AnalysisError;
pub use survey::Survey;
