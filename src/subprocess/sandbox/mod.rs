//! What the kernel holds a plugin's process to.
//!
//! Two kinds of things are kept apart here. What this machine *can* enforce is tried out once, when the server starts
//! ([`Sandbox::detect`]): a control that does not hold is off, with the reason. What one process *may* do is its
//! [`Allowance`], made from the installation's grants. A [`Cage`] is both, ready to be applied between fork and exec.
//!
//! **Invariant:** the level that is shown is the level that is applied. A control that was found to hold and then cannot be
//! applied fails the start.

mod allowance;
mod cage;
mod calls;
mod cgroup;
mod control;
mod detect;
mod files;
mod forward;
mod namespace;
mod options;
mod places;
mod users;

pub(crate) use allowance::{Allowance, Network};
pub(crate) use cage::{Cage, Kept};
use cgroup::Group;
pub use control::{Control, Level};
pub(crate) use detect::Sandbox;
pub(crate) use forward::{forward, forward_socket};
pub use options::{SandboxOptions, UserRange};
pub(crate) use places::of_interpreter;
