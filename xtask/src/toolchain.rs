//! The Rust compiler for components: `wasm32-wasip2` and its standard library.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, bail};

use crate::{
    debian,
    run::{ask, say, show},
};

const TARGET: &str = "wasm32-wasip2";

/// A compiler for components; none when the active one is to be used.
///
/// With `MINT_GUEST_TOOLCHAIN=debian` it is taken from Debian's packages and rustup is left alone, whatever else the machine
/// has, so that all machines with that setting build the same; otherwise rustup adds the target to the active toolchain.
pub(crate) fn guest_rustc() -> Result<Option<PathBuf>> {
    let sysroot = sysroot()?;
    match env::var("MINT_GUEST_TOOLCHAIN").as_deref() {
        Ok("debian") => debian::rustc(&sysroot).map(Some),
        Ok(other) => bail!("MINT_GUEST_TOOLCHAIN={other} is not known: unset it, or use `debian`"),
        Err(_) if has_target(&sysroot) => Ok(None),
        Err(_) => {
            say(&format!("The active Rust toolchain cannot build components yet: `rustup target add {TARGET}`"));
            show(Command::new("rustup").args(["target", "add", TARGET])).context(
                "add the target by your own means, or, on Debian and Ubuntu, set MINT_GUEST_TOOLCHAIN=debian to take a compiler \
                 from Debian's packages (nothing is installed)",
            )?;
            Ok(None)
        }
    }
}

fn sysroot() -> Result<PathBuf> {
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let sysroot = ask(Command::new(&rustc).args(["--print", "sysroot"]));
    sysroot.map(PathBuf::from).with_context(|| format!("{} does not run", rustc.display()))
}

fn has_target(sysroot: &Path) -> bool {
    let lib = sysroot.join("lib/rustlib").join(TARGET).join("lib");
    let is_std = |name: &str| name.starts_with("libstd-") && name.ends_with(".rlib");
    fs::read_dir(lib).is_ok_and(|entries| entries.flatten().any(|entry| is_std(&entry.file_name().to_string_lossy())))
}
