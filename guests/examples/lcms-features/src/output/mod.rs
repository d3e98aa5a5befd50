//! What people and programs get to see of a report.

mod chart;
mod csv;
mod scale;

pub use chart::chart;
pub use csv::features_csv;
