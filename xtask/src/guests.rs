//! `cargo xtask guests`: bundles of the example and the hostile guests, built when their sources changed.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, bail};
use sha2::{Digest as _, Sha256};

use crate::{
    paths,
    run::{quietly, say, show},
    tools::Tools,
};

/// Which of cargo's profiles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Profile {
    Dev,
    Release,
}

impl Profile {
    fn folder(self) -> &'static str {
        match self {
            Self::Dev => "debug",
            Self::Release => "release",
        }
    }

    /// A program of the workspace, built or not.
    pub(crate) fn program(self, name: &str) -> PathBuf {
        paths::target().join(self.folder()).join(name)
    }
}

/// The cargo that runs this.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(paths::root());
    command
}

/// Builds the program `mint` and returns where it is.
pub(crate) fn build_mint(profile: Profile) -> Result<PathBuf> {
    say("Building mint (minutes the first time, for the WebAssembly engine comes with it)");
    let mut command = cargo();
    command.args(["build", "--package", "mint-cli", "--bin", "mint"]);
    if profile == Profile::Release {
        command.arg("--release");
    }
    show(&mut command)?;
    Ok(profile.program("mint"))
}

/// A guest project of this repository.
#[derive(Debug)]
struct Guest {
    name: String,
    dir: PathBuf,
    /// One of several releases of the same sources: its version, and its feature.
    release: Option<(String, String)>,
}

/// Builds the bundles whose sources changed, of all guests or those named. Returns the directory of the bundles.
pub(crate) fn build(tools: &Tools, mint: &Path, names: &[String]) -> Result<PathBuf> {
    let bundles = paths::bundles();
    fs::create_dir_all(&bundles)?;
    let guests = find(names)?;
    let common = common_sources()?;
    for (index, guest) in guests.iter().enumerate() {
        let stamp = stamp(guest, tools, &common)?;
        let (bundle, stamp_file) = (bundles.join(format!("{}.mint", guest.name)), bundles.join(format!("{}.stamp", guest.name)));
        if bundle.is_file() && fs::read_to_string(&stamp_file).is_ok_and(|old| old == stamp) {
            continue;
        }
        let step = format!("Guest {} of {}: {}", index + 1, guests.len(), guest.name);
        build_native(guest, &step)?;
        let mut command = tools.guest_command(mint);
        command.arg("build").arg(&guest.dir);
        if let Some((version, feature)) = &guest.release {
            command.args(["--release-version", version, "--features", feature]);
        }
        quietly(&step, &mut command)?;
        fs::copy(newest_bundle(guest)?, &bundle)?;
        fs::write(&stamp_file, stamp)?;
    }
    Ok(bundles)
}

fn find(names: &[String]) -> Result<Vec<Guest>> {
    let mut guests = Vec::new();
    for folder in ["examples", "hostile"] {
        let folder = paths::root().join("guests").join(folder);
        for entry in fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))? {
            let dir = entry?.path();
            let name = dir.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if dir.join("mint.toml").is_file() && (names.is_empty() || names.contains(&name)) {
                guests.extend(releases(&dir)?.into_iter().map(|(version, feature)| Guest {
                    name: format!("{name}-{version}"),
                    dir: dir.clone(),
                    release: Some((version, feature)),
                }));
                guests.push(Guest { name, dir, release: None });
            }
        }
    }
    guests.sort_by(|a, b| a.name.cmp(&b.name));
    if let Some(unknown) = names.iter().find(|name| guests.iter().all(|guest| &guest.name != *name)) {
        bail!("there is no guest `{unknown}` under guests/examples or guests/hostile");
    }
    if let Some([first, _]) = guests.array_windows::<2>().find(|[a, b]| a.name == b.name) {
        bail!("two guests are called `{}`: bundles are named after the directory", first.name);
    }
    Ok(guests)
}

/// Versions that are to be built of the same sources, each with the features up to its own: `r1`, `r2` and so on.
fn releases(dir: &Path) -> Result<Vec<(String, String)>> {
    let path = dir.join("Cargo.toml");
    if !path.is_file() {
        return Ok(Vec::new());
    }
    let toml: toml::Table = fs::read_to_string(&path)?.parse().with_context(|| path.display().to_string())?;
    let mint = toml.get("package").and_then(|package| package.get("metadata")?.get("mint"));
    let versions = mint.and_then(|mint| mint.get("releases")?.as_array()).into_iter().flatten().filter_map(toml::Value::as_str);
    Ok(versions.enumerate().map(|(at, version)| (version.to_owned(), format!("r{}", at + 1))).collect())
}

/// Builds a guest that is a native program of its own; `mint build` only packs it.
fn build_native(guest: &Guest, step: &str) -> Result<()> {
    let path = guest.dir.join("mint.toml");
    let toml: toml::Table = fs::read_to_string(&path)?.parse().with_context(|| path.display().to_string())?;
    let native = toml.get("build").is_some_and(|build| build.get("executable").is_some());
    if native && guest.dir.join("Cargo.toml").is_file() {
        let mut command = cargo();
        command.args(["build", "--release"]).current_dir(&guest.dir).env("CARGO_TARGET_DIR", guest.dir.join("target"));
        quietly(&format!("{step} (native program)"), &mut command)?;
    }
    Ok(())
}

fn newest_bundle(guest: &Guest) -> Result<PathBuf> {
    let dist = guest.dir.join("dist");
    let mut newest = None;
    for entry in fs::read_dir(&dist)? {
        let entry = entry?;
        if entry.path().extension().is_some_and(|extension| extension == "mint") {
            newest = newest.max(Some((entry.metadata()?.modified()?, entry.path())));
        }
    }
    newest.map(|(_, path)| path).with_context(|| format!("`mint build` left no bundle in {}", dist.display()))
}

/// What every guest is made with: the interfaces, the builder and the form of what it writes.
fn common_sources() -> Result<Sha256> {
    let mut hash = Sha256::new();
    for part in ["wit", "src/cli/build", "src/subprocess/component", "src/bundle", "src/domain/capability"] {
        hash_tree(&paths::root().join(part), &mut hash)?;
    }
    hash_files(&["src/domain/manifest.rs", "src/domain/limit.rs"], &mut hash)?;
    Ok(hash)
}

/// Digest of all that the guest is made from.
fn stamp(guest: &Guest, tools: &Tools, common: &Sha256) -> Result<String> {
    let mut hash = common.clone();
    let sdk = |language: &str| paths::root().join("guests/sdk").join(language);
    if guest.dir.join("Cargo.toml").is_file() {
        hash_tree(&sdk("rust"), &mut hash)?;
        hash_files(&["guests/Cargo.toml", "guests/Cargo.lock", "guests/.cargo/config.toml"], &mut hash)?;
        hash.update(tools.guest_rustc_version().unwrap_or_default());
    } else if guest.dir.join("pyproject.toml").is_file() {
        hash_tree(&sdk("python"), &mut hash)?;
    } else {
        hash_tree(&sdk("js"), &mut hash)?;
    }
    hash_tree(&guest.dir, &mut hash)?;
    Ok(hex::encode(hash.finalize()))
}

fn hash_files(files: &[&str], hash: &mut Sha256) -> Result<()> {
    for file in files {
        hash.update(fs::read(paths::root().join(file)).with_context(|| (*file).to_owned())?);
    }
    Ok(())
}

fn hash_tree(dir: &Path, hash: &mut Sha256) -> Result<()> {
    const MADE: &[&str] = &["dist", "target", "node_modules", "__pycache__", ".venv", ".pytest_cache"];
    let mut entries = fs::read_dir(dir).with_context(|| dir.display().to_string())?.collect::<Result<Vec<_>, _>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = entry.path();
        if MADE.contains(&name.as_str()) || name.ends_with(".egg-info") {
            continue;
        }
        hash.update(name.as_bytes());
        if path.is_dir() {
            hash.update(b"{");
            hash_tree(&path, hash)?;
            hash.update(b"}");
        } else {
            let bytes = fs::read(&path)?;
            hash.update(u64::try_from(bytes.len())?.to_le_bytes());
            hash.update(&bytes);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_follows_the_sources_and_not_what_was_made_of_them() {
        let dir = tempfile::tempdir().unwrap();
        let digest = || {
            let mut hash = Sha256::new();
            hash_tree(dir.path(), &mut hash).unwrap();
            hex::encode(hash.finalize())
        };
        fs::create_dir_all(dir.path().join("src")).unwrap();
        fs::write(dir.path().join("src/lib.rs"), "a").unwrap();
        let first = digest();
        fs::create_dir_all(dir.path().join("dist")).unwrap();
        fs::write(dir.path().join("dist/x.mint"), "b").unwrap();
        assert_eq!(digest(), first);
        fs::write(dir.path().join("src/lib.rs"), "c").unwrap();
        assert_ne!(digest(), first);
        fs::write(dir.path().join("src/lib.rs"), "a").unwrap();
        fs::rename(dir.path().join("src/lib.rs"), dir.path().join("src/other.rs")).unwrap();
        assert_ne!(digest(), first);
    }
}
