//! Components made of Python code: by an author with `mint build`, or by the platform of a bundle that has pure wheels only.
//!
//! `recipe` and `world` are the whole of how that is done; whoever makes one runs the programs. The platform runs them in
//! the sandbox of plugins without any network, within bounds (`workshop`), for componentize-py evaluates the plugin's modules.

mod error;
mod recipe;
mod runtime;
mod sdk;
mod tool;
mod workshop;
pub mod world;

pub use error::RecipeError;
pub use recipe::{CARRIED, COMPONENTIZE_PY, Entry, PYTHON_INSIDE, Recipe, SDK};
pub use runtime::ComponentRuntime;
pub(crate) use workshop::Workshop;
pub use world::World;
