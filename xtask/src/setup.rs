//! `cargo xtask setup`: what must be on the machine before anything else.

use anyhow::Result;

use crate::{
    run::say,
    toolchain,
    tools::{self, Tools},
};

/// Checks everything, installs what it can, and returns what was found.
pub(crate) fn run() -> Result<Tools> {
    tools::check_node()?;
    let uv = tools::uv()?;
    let python = tools::python(&uv)?;
    let guest_rustc = toolchain::guest_rustc()?;
    let tools = Tools::new(uv, python, guest_rustc);
    say(&format!("Ready: {tools}"));
    Ok(tools)
}
