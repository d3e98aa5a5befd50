//! Looks for disagreements between rows and files, while no server runs, and mends those that can be mended.

mod archives;
mod check;
mod files;
mod finding;
mod objects;
mod releases;
mod snapshots;
mod tables;

pub use check::{Fsck, Thoroughness};
pub use finding::Finding;
