//! Chromatograms and chromatographic features of LC-MS runs.
//!
//! `mzml` reads the file, `analysis` finds what is in it, `output` draws and lists it; they know nothing of the
//! platform. `routes` ties them to it.

pub mod analysis;
pub mod mzml;
pub mod output;
pub mod report;
mod routes;

mint_sdk::routes!(routes::ROUTER);
