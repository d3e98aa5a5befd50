//! Whether something is known against what is built: a newer release of the engine's series, or an advisory.

use std::{collections::BTreeMap, fs, process::Command};

use anyhow::{Context as _, Result, bail};

use crate::{
    paths,
    run::{capture, say, show},
};

/// Its releases of one series mend what was found; another series is a decision.
const ENGINE: &[&str] = &["wasmtime", "wasmtime-wasi", "wasmtime-wasi-http"];

/// Fails where a newer release of the engine's series is out, or an advisory touches the lock file.
pub(crate) fn run() -> Result<()> {
    let text = fs::read_to_string(paths::root().join("Cargo.lock")).context("cannot read Cargo.lock")?;
    let locked = locked(&text)?;
    let mut late = Vec::new();
    for name in ENGINE {
        let version = locked.get(*name).with_context(|| format!("Cargo.lock has no {name}"))?;
        let newest = newest_of_series(name, version)?;
        say(&format!("{name} {version}; the newest of its series is {newest}"));
        if newest != *version {
            late.push(format!("{name} {version} is not the newest of its series: update it to {newest} in Cargo.toml"));
        }
    }
    let advisories = show(Command::new("cargo").args(["deny", "check", "advisories"]).current_dir(paths::root()))
        .context("advisories are looked up by cargo-deny; `cargo install cargo-deny --locked` installs it");
    if !late.is_empty() {
        bail!("{}", late.join("\n"));
    }
    advisories
}

/// The version of every crate that is locked; the newest where there are several.
fn locked(text: &str) -> Result<BTreeMap<String, String>> {
    let lock: toml::Table = text.parse().context("Cargo.lock is not TOML")?;
    let packages = lock.get("package").and_then(toml::Value::as_array).context("Cargo.lock has no packages")?;
    let field = |package: &toml::Value, name: &str| package.get(name).and_then(toml::Value::as_str).map(str::to_owned);
    Ok(packages.iter().filter_map(|package| Some((field(package, "name")?, field(package, "version")?))).collect())
}

/// The newest release with the same major and minor number, as the registry knows it.
fn newest_of_series(name: &str, version: &str) -> Result<String> {
    let series = version.rsplit_once('.').map(|(series, _)| series).with_context(|| format!("{version} is no version"))?;
    // Within the workspace cargo would tell of the locked one.
    let elsewhere = tempfile::tempdir()?;
    let mut command = Command::new("cargo");
    command.args(["info", "--color", "never", &format!("{name}@{series}")]).current_dir(&elsewhere);
    let answer = capture(&format!("Asking the registry for {name} {series}"), &mut command)?;
    told(&String::from_utf8_lossy(&answer.stdout)).with_context(|| format!("cargo did not tell a version of {name} {series}"))
}

fn told(answer: &str) -> Option<String> {
    let line = answer.lines().find_map(|line| line.strip_prefix("version: "))?;
    line.split_whitespace().next().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read() {
        let lock = "[[package]]\nname = \"wasmtime\"\nversion = \"48.0.8\"\n\n[[package]]\nname = \"x\"\nversion = \"1.0.0\"\n";
        assert_eq!(locked(lock).unwrap().get("wasmtime").map(String::as_str), Some("48.0.8"));
        assert!(locked("package = 1").is_err());
        assert_eq!(told("wasmtime\nAPI\nversion: 48.0.9 (latest 50.0.1)\n").as_deref(), Some("48.0.9"));
        assert_eq!(told("version: 1.0.0\n").as_deref(), Some("1.0.0"));
        assert_eq!(told("error"), None);
    }
}
