//! Laboratories of one installation: made, suspended and deleted by those who look after all of it.
//!
//! **Invariant:** whoever may do this says so with a session of their own, and never ends the laboratory that they belong to.

mod accounts;
mod deletion;
mod export;
mod life;

pub use accounts::Accounts;
pub(crate) use deletion::Deletions;
pub use export::{Export, Exports};
pub use life::{Laboratory, NewLaboratory};
