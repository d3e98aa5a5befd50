//! `cargo xtask bench`: what a request costs on every way through the platform, beside a bare axum handler.
//!
//! Every server is a process of its own. The load comes from one thread of this one. All figures are of one run, so
//! that their ratios hold on whatever machine it was.
#![expect(
    clippy::disallowed_methods,
    reason = "starts the servers that it measures and reads the environment; the rules are for the server"
)]

mod api;
mod axum_server;
mod bundles;
mod canary;
mod counting;
mod fastapi;
mod guard;
mod inside;
mod installations;
mod load;
mod machine;
mod mint;
mod process;
mod proxy_server;
mod report;
mod response;
mod roles;
mod rows;
mod starts;
mod upgrades;

use std::{env, path::PathBuf, time::Duration};

use anyhow::{Context as _, Result};
use clap::{Parser, Subcommand};

/// That of `mint`, so that the bare handler has no worse one.
#[global_allocator]
static ALLOCATOR: counting::Counting = counting::Counting;

/// Measures MINT beside its peers.
#[derive(Debug, Parser)]
#[command(bin_name = "cargo xtask bench")]
struct Arguments {
    /// Seconds for each row and number of connections
    #[arg(long, default_value_t = 5.0, value_name = "SECONDS")]
    duration: f64,

    /// One second for each, and less of everything else
    #[arg(long)]
    quick: bool,

    /// Only the rows of requests whose name contains this; `upgrades` or `guards` for those only; `canary` for a million requests
    /// by two laboratories that look for each other's words
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,

    #[command(subcommand)]
    part: Option<Part>,
}

#[derive(Debug, Subcommand)]
enum Part {
    /// The bare axum handler, as a server
    #[command(hide = true)]
    Axum,
    /// The proxy that does nothing else, as a server
    #[command(hide = true)]
    Proxy,
}

/// What to measure, and with what.
#[derive(Debug)]
struct Plan {
    duration: Duration,
    quick: bool,
    only: Option<String>,
    /// `<guest>.mint` stand here.
    guests: PathBuf,
    /// The program `mint`, built in release mode.
    mint: PathBuf,
    uv: PathBuf,
    /// The address of a database of the bench's own on PostgreSQL.
    postgres: Option<String>,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    match arguments.part {
        Some(Part::Axum) => return axum_server::serve(),
        Some(Part::Proxy) => return proxy_server::serve(),
        None => {}
    }
    let from_environment = |name: &str| env::var_os(name).map(PathBuf::from);
    let plan = Plan {
        duration: if arguments.quick { Duration::from_secs(1) } else { Duration::try_from_secs_f64(arguments.duration)? },
        quick: arguments.quick,
        only: arguments.only,
        guests: from_environment("MINT_GUESTS_DIR").context("MINT_GUESTS_DIR is not set; run `cargo xtask bench`")?,
        mint: from_environment("MINT_BIN").context("MINT_BIN is not set; run `cargo xtask bench`")?,
        uv: from_environment("MINT_TEST_UV").unwrap_or_else(|| "uv".into()),
        postgres: env::var("MINT_BENCH_POSTGRES_URL").ok(),
    };
    let dir = tempfile::tempdir()?;
    report::heading(&machine::describe());
    if plan.only.as_deref() == Some(upgrades::NAME) {
        return upgrades::run(&plan, dir.path());
    }
    if plan.only.as_deref() == Some(guard::NAME) {
        inside::run(&plan, dir.path())?;
        return guard::run(&plan, dir.path());
    }
    if plan.only.as_deref() == Some(canary::NAME) {
        return canary::run(&plan, dir.path());
    }
    rows::run(&plan, dir.path())?;
    if plan.only.is_none() {
        inside::run(&plan, dir.path())?;
        installations::run(&plan, dir.path())?;
        starts::run(&plan, dir.path())?;
        upgrades::run(&plan, dir.path())?;
        guard::run(&plan, dir.path())?;
    }
    Ok(())
}
