//! `mint build`: from a guest's directory to its `.mint` bundle.
//!
//! One file per language. Everything that an author writes stands in `mint.toml` ([`project`]); what a component may
//! import follows from the capabilities declared there ([`mint_subprocess::component::world`]).

mod assemble;
mod error;
mod executable;
mod frontend;
mod javascript;
mod options;
mod project;
mod python;
mod python_component;
mod python_wheels;
mod rust;
mod tool;

pub use assemble::{BuiltBundle, build};
pub use error::BuildError;
pub use options::BuildOptions;
pub(crate) use project::described;
