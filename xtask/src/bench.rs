//! `cargo xtask bench`.

use anyhow::Result;

use crate::{
    guests::{self, Profile, cargo},
    postgres::Postgres,
    run::{say, show},
    setup,
};

/// Builds in release mode and measures.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let tools = setup::run()?;
    say("Building in release mode (long the first time)");
    show(cargo().args(["build", "--release", "--package", "mint-cli", "--package", "mint-benches", "--bins"]))?;
    let mint = Profile::Release.program("mint");
    let bundles = guests::build(&tools, &mint, &[])?;
    let postgres = Postgres::start()?;
    let mut command = tools.command(Profile::Release.program("mint-bench"));
    command
        .args(arguments)
        .env("MINT_GUESTS_DIR", bundles)
        .env("MINT_BIN", mint)
        .env("MINT_TEST_UV", &tools.uv)
        .env_remove("RUST_BACKTRACE");
    command.envs(postgres.iter().map(|postgres| ("MINT_BENCH_POSTGRES_URL", postgres.url())));
    show(&mut command)
}
