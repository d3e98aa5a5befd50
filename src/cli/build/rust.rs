//! A Rust component: `cargo build --target wasm32-wasip2`.

use std::path::PathBuf;

use serde::Deserialize;

use super::{
    BuildError,
    project::Project,
    tool::{Progress, Tool},
};

const TARGET: &str = "wasm32-wasip2";
const INITIAL_MEMORY_BYTES: u32 = 2 << 20;
const PAGE_BYTES: u32 = 64 << 10;
const STACK_BYTES: u32 = 64 << 10;

/// Builds the component and returns where it is.
pub(super) fn component(project: &Project, features: &[String], progress: &Progress) -> Result<PathBuf, BuildError> {
    let step = format!("Compiling {} for {TARGET}", project.toml.plugin.slug);
    let run = Tool::new("cargo", "install Rust from https://rustup.rs")
        .args(["build", "--release", "--target", TARGET, "--message-format", "json-render-diagnostics"])
        .args(chosen(features))
        .arg("--config")
        .arg(rustflags(project)?)
        // These would replace the flags above, and they are meant for the machine's own programs.
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .current_dir(&project.dir)
        .run(progress, &step);
    let output = match run {
        Ok(output) => output,
        Err(BuildError::ToolFailed { output, .. }) if lacks_target(&output) => return Err(BuildError::NoWasmTarget),
        Err(other) => return Err(other),
    };
    let manifest = project.dir.join("Cargo.toml");
    let built: Vec<PathBuf> = String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| serde_json::from_str::<Message>(line).ok())
        .filter(|message| message.manifest_path.as_ref() == Some(&manifest))
        .flat_map(|message| message.filenames)
        .filter(|file| file.extension().is_some_and(|extension| extension == "wasm"))
        .collect();
    match <[PathBuf; 1]>::try_from(built) {
        Ok([component]) => Ok(component),
        Err(files) if files.is_empty() => {
            Err(BuildError::project(manifest, "makes no component: add `crate-type = [\"cdylib\"]` under [lib]"))
        }
        Err(files) => {
            Err(BuildError::project(manifest, format!("makes {} components; a plugin is one: keep one cdylib", files.len())))
        }
    }
}

fn chosen(features: &[String]) -> Vec<String> {
    match features {
        [] => Vec::new(),
        some => vec!["--no-default-features".to_owned(), "--features".to_owned(), some.join(",")],
    }
}

/// A fresh instance is cheap if its memory need not grow: a small stack, and a first memory in which a request fits.
fn rustflags(project: &Project) -> Result<String, BuildError> {
    let bytes = project.toml.build.initial_memory_bytes.unwrap_or(INITIAL_MEMORY_BYTES);
    if bytes == 0 || !bytes.is_multiple_of(PAGE_BYTES) {
        return Err(BuildError::project(
            project.dir.join("mint.toml"),
            format!("initial_memory_bytes = {bytes} must be a multiple of {PAGE_BYTES}"),
        ));
    }
    Ok(format!("target.{TARGET}.rustflags=[\"-Clink-arg=-zstack-size={STACK_BYTES}\", \"-Clink-arg=--initial-memory={bytes}\"]"))
}

fn lacks_target(output: &str) -> bool {
    output.contains(TARGET) && (output.contains("target may not be installed") || output.contains("can't find crate for `core`"))
}

/// The part of cargo's JSON messages that names what was built.
#[derive(Deserialize)]
struct Message {
    manifest_path: Option<PathBuf>,
    #[serde(default)]
    filenames: Vec<PathBuf>,
}
