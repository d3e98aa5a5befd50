//! `cargo xtask fuzz`.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, bail};

use crate::{
    paths,
    run::{ask, say, show},
};

/// What counts where a run has been: the compiler's own counters, which the stable one has too.
const COUNTERS: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
     -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
     -Cllvm-args=-sanitizer-coverage-trace-compares --cfg fuzzing";
/// Longest time for one input.
const INPUT_SECONDS: u32 = 20;
/// Most memory, in MiB.
const MEMORY_MIB: u32 = 4_096;
/// Longest input, in bytes.
const INPUT_BYTES: u32 = 16 << 10;

/// What to feed, and for how long.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Only these targets; by default all
    targets: Vec<String>,
    /// How long each is fed; 0 goes through what is known, once
    #[arg(long, default_value_t = 600)]
    seconds: u32,
}

/// Builds the targets and runs them, one after another.
pub(crate) fn run(options: &Options) -> Result<()> {
    let workspace = paths::root().join("fuzz");
    let known = targets(&workspace)?;
    if let Some(other) = options.targets.iter().find(|name| !known.contains(name)) {
        bail!("there is no target `{other}`; there are {}", known.join(", "));
    }
    let machine = machine()?;
    let target_dir = paths::target().join("fuzz");
    say("Building the targets with counters (long the first time)");
    let mut build = Command::new("cargo");
    build.args(["build", "--release", "--locked", "--bins", "--target", &machine]).arg("--target-dir").arg(&target_dir);
    show(build.current_dir(&workspace).env("RUSTFLAGS", COUNTERS))?;
    let programs = target_dir.join(&machine).join("release");
    let mut broken = Vec::new();
    for name in known.iter().filter(|name| options.targets.is_empty() || options.targets.contains(name)) {
        say(&format!("{name}: {} s", options.seconds));
        if let Err(error) = feed(&programs.join(name), &workspace.join("corpus").join(name), &target_dir, options.seconds) {
            broken.push(format!("{name}: {error:#}"));
        }
    }
    if broken.is_empty() {
        return Ok(());
    }
    bail!("{}\nWhat broke them is in {}", broken.join("\n"), target_dir.join("broken").display())
}

/// What is found goes to the target directory; the corpus that is kept is only read.
fn feed(program: &Path, corpus: &Path, target_dir: &Path, seconds: u32) -> Result<()> {
    let name = program.file_name().context("a program without a name")?;
    let (found, broken) = (target_dir.join("found").join(name), target_dir.join("broken"));
    for directory in [&found, &broken] {
        fs::create_dir_all(directory)?;
    }
    let mut command = Command::new(program);
    let mut prefix = broken.join(name).into_os_string();
    prefix.push("-");
    command.arg(format!("-artifact_prefix={}", PathBuf::from(prefix).display()));
    command.args([format!("-timeout={INPUT_SECONDS}"), format!("-rss_limit_mb={MEMORY_MIB}"), format!("-max_len={INPUT_BYTES}")]);
    match seconds {
        0 => command.arg("-runs=0").arg(corpus),
        _ => command.args([format!("-max_total_time={seconds}"), "-print_final_stats=1".to_owned()]).arg(&found).arg(corpus),
    };
    show(&mut command)
}

/// By the files of the targets.
fn targets(workspace: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(workspace.join("targets"))? {
        let path = entry?.path();
        names.extend(path.file_stem().and_then(|name| name.to_str()).map(str::to_owned));
    }
    names.sort();
    Ok(names)
}

/// Named, so that the programs that build are built without counters.
fn machine() -> Result<String> {
    let told = ask(Command::new("rustc").arg("-vV")).context("rustc does not tell its version")?;
    let host = told.lines().find_map(|line| line.strip_prefix("host: ")).context("rustc does not tell its machine")?;
    Ok(host.to_owned())
}
