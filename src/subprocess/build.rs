//! Lists the modules of the SDK for Python, which stand in every component that the platform makes of wheels.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
};

fn main() -> io::Result<()> {
    let sources = said_by_cargo("CARGO_MANIFEST_DIR")?.join("../../guests/sdk/python/src").canonicalize()?;
    let mut modules = Vec::new();
    find(&sources, &mut modules)?;
    modules.sort();
    let mut list = String::from("&[\n");
    for module in modules {
        let name = module.strip_prefix(&sources).map_err(io::Error::other)?;
        list.push_str(&format!("    ({name:?}, include_str!({module:?})),\n"));
    }
    list.push_str("]\n");
    fs::write(said_by_cargo("OUT_DIR")?.join("sdk.rs"), list)
}

/// Asked when it runs: a build script that was compiled for another clone may be used again for this one.
#[expect(clippy::disallowed_methods, reason = "how cargo talks to a build script")]
fn said_by_cargo(name: &str) -> io::Result<PathBuf> {
    env::var_os(name).map(PathBuf::from).ok_or_else(|| io::Error::other(format!("{name} is not set")))
}

fn find(directory: &Path, modules: &mut Vec<PathBuf>) -> io::Result<()> {
    println!("cargo::rerun-if-changed={}", directory.display());
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() && !path.ends_with("__pycache__") {
            find(&path, modules)?;
        } else if path.extension().is_some_and(|extension| extension == "py") {
            modules.push(path);
        }
    }
    Ok(())
}
