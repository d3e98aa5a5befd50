//! `cargo xtask test`: every test of the repository.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::Result;

use crate::{
    guests::{self, Profile, cargo},
    paths,
    postgres::Postgres,
    run::{ask, say, show},
    setup,
    tools::Tools,
};

/// Builds, then tests the SDKs and guests in their own languages, then the workspace. With `arguments`, only the
/// workspace's tests that they select.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let tools = setup::run()?;
    say("Building the workspace and its tests (minutes the first time)");
    // Everything in one go: other selections would choose other features of shared crates and build them again.
    show(cargo().args(["build", "--workspace", "--bins", "--tests"]))?;
    let mint = Profile::Dev.program("mint");
    let bundles = guests::build(&tools, &mint, &[])?;
    if arguments.is_empty() {
        python_tests(&tools)?;
        javascript_tests()?;
        rust_guest_tests(&tools)?;
    }
    workspace_tests(&tools, &mint, &bundles, arguments)
}

fn workspace_tests(tools: &Tools, mint: &Path, bundles: &Path, arguments: &[String]) -> Result<()> {
    let postgres = Postgres::start()?;
    let has_nextest = ask(Command::new("cargo").args(["nextest", "--version"])).is_some();
    let mut command = tools.command(cargo().get_program());
    command.current_dir(paths::root());
    command.args(if has_nextest {
        ["nextest", "run", "--workspace"].as_slice()
    } else {
        &["test", "--workspace", "--bins", "--tests"]
    });
    command.args(arguments);
    command.env("MINT_GUESTS_DIR", bundles).env("MINT_BIN", mint).env("MINT_TEST_UV", &tools.uv);
    match &postgres {
        Some(postgres) => {
            command.env("MINT_TEST_POSTGRES_URL", postgres.url());
        }
        None => say("PostgreSQL is not installed (`apt-get install postgresql`): the tests run on SQLite only"),
    }
    say(if has_nextest { "Testing the workspace" } else { "Testing the workspace (faster with cargo-nextest)" });
    show(&mut command)
}

/// The Python SDK's tests, and those of Python guests.
fn python_tests(tools: &Tools) -> Result<()> {
    let sdk = paths::root().join("guests/sdk/python");
    for project in projects("pyproject.toml")? {
        if !project.join("tests").is_dir() {
            continue;
        }
        say(&format!("Testing {}", project.display()));
        let mut command = tools.command(&tools.uv);
        command.args(["run", "--quiet", "--isolated", "--no-project", "--with", "pytest", "--with"]);
        // As a guest names it: editable, it would be another package to uv.
        command.arg(format!("mint-guest-sdk[server] @ file://{}", sdk.display()));
        if project != sdk {
            command.arg("--with").arg(&project);
        }
        command.args(["pytest", "--quiet", "-p", "no:cacheprovider", "tests"]).current_dir(&project);
        show(command.env("PYTHONDONTWRITEBYTECODE", "1"))?;
    }
    Ok(())
}

/// The JavaScript SDK's tests, and those of JavaScript guests.
fn javascript_tests() -> Result<()> {
    for project in projects("package.json")? {
        say(&format!("Testing {}", project.display()));
        show(Command::new("node").args(["--test", "--test-reporter=spec"]).current_dir(&project))?;
    }
    Ok(())
}

/// The Rust guests' tests, compiled for this machine: what does not need the host.
fn rust_guest_tests(tools: &Tools) -> Result<()> {
    say("Testing the Rust guests");
    let mut command = tools.command(cargo().get_program());
    command.args(["test", "--quiet", "--workspace"]).current_dir(paths::root().join("guests"));
    if std::env::var_os("CARGO_TARGET_DIR").is_some() {
        command.env("CARGO_TARGET_DIR", paths::target().join("guest-builds"));
    }
    show(&mut command)
}

/// SDKs and example guests that have this file.
fn projects(file: &str) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for folder in ["sdk", "examples"] {
        for entry in fs::read_dir(paths::root().join("guests").join(folder))? {
            let dir = entry?.path();
            if dir.join(file).is_file() {
                found.push(dir);
            }
        }
    }
    found.sort();
    Ok(found)
}
