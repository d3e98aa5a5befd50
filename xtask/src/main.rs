//! `cargo xtask`: everything that a person or CI runs in this repository.
#![expect(clippy::disallowed_methods, reason = "starts tools and reads the environment; the rules are for the server")]

mod audit;
mod bench;
mod debian;
mod demo;
mod fuzz;
mod guests;
mod paths;
mod postgres;
mod run;
mod setup;
mod test;
mod toolchain;
mod tools;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Builds, tests, shows and measures MINT.
#[derive(Debug, Parser)]
#[command(bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Checks what is needed and installs what is missing
    Setup,
    /// Builds the bundles of all guests whose sources changed
    Guests {
        /// Only these directories of guests/examples and guests/hostile
        names: Vec<String>,
    },
    /// Runs every test: the workspace's, the guests' and the SDKs'
    Test {
        /// Passed to the test runner, such as a part of a test's name
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Shows it: a server, two real data sets, the plugins that analyse them
    Demo(demo::Options),
    /// Fails where a newer release of the engine's series is out, or an advisory touches the lock file
    Audit,
    /// Feeds everything that reads what strangers write with anything whatever, until something breaks
    Fuzz(fuzz::Options),
    /// Measures the server and its runtimes, in release mode
    Bench {
        /// Passed to the benchmark
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
}

fn main() -> ExitCode {
    match run(Arguments::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Setup => setup::run().map(drop),
        Command::Guests { names } => {
            let tools = setup::run()?;
            let mint = guests::build_mint(guests::Profile::Dev)?;
            guests::build(&tools, &mint, &names).map(drop)
        }
        Command::Test { arguments } => test::run(&arguments),
        Command::Demo(options) => demo::run(&options),
        Command::Audit => audit::run(),
        Command::Fuzz(options) => fuzz::run(&options),
        Command::Bench { arguments } => bench::run(&arguments),
    }
}
