//! Where a bundle runs, and why: decided from its files, what the platform has, what is installed and what is forced.

mod decide;
mod look;
mod question;
mod session;
#[cfg(test)]
mod tests;
mod verdict;

pub use decide::decide;
pub use question::{ForcedBy, Installed, PlatformPython, Question};
pub use session::{promises_session, session_packages};
pub use verdict::{Findings, NotCarried, Plan, Refused};
