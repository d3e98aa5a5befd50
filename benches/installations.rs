//! Many installations: what each weighs while nobody asks it, and how soon a server with all of them answers again.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use anyhow::Result;
use mint_domain::manifest::InstancePolicy;
use tokio::runtime::Runtime;

use crate::{
    Plan,
    api::Client,
    bundles::Guest,
    load::{Request, drive},
    mint::Mint,
    process::Server,
    report,
};

/// Installed before anything is counted: the first pay for what all share.
const BEFORE: usize = 5;

/// Measures and prints.
pub(crate) fn run(plan: &Plan, dir: &Path) -> Result<()> {
    let (same, distinct) = if plan.quick { (50, 10) } else { (200, 50) };
    let runtime = Runtime::new()?;
    let platform = Mint::prepare(plan, dir, "many")?;
    let dir = dir.join("many-bundles");
    std::fs::create_dir(&dir)?;
    let hello = Guest::unpack(&plan.guests, "hello", &dir)?;
    let mut mint = platform.serve()?;
    let client = runtime.block_on(platform.sign_in(mint.port()?))?;
    let install = |name: &str, count: usize, bundle: &dyn Fn(&str) -> Result<std::path::PathBuf>| -> Result<Duration> {
        let begun = Instant::now();
        for index in 0..count {
            report::progress(&format!("installing {name} {index} of {count}"));
            runtime.block_on(client.install(&bundle(&format!("{name}-{index}"))?))?;
        }
        Ok(begun.elapsed() / u32::try_from(count)?)
    };
    let same_bundle = |slug: &str| hello.bundle_as(slug, InstancePolicy::Request);
    install("first", BEFORE, &same_bundle)?;
    let mut lines = Vec::new();
    for (name, count, bundle) in [
        ("same", same, &same_bundle as &dyn Fn(&str) -> Result<std::path::PathBuf>),
        ("distinct", distinct, &|slug| hello.distinct_bundle(slug)),
    ] {
        let before = mint.resident_kib()?;
        let each = install(name, count, bundle)?;
        let after = mint.resident_kib()?;
        lines.push(line(name, count, each, before, after));
    }
    report::note(&format!("\nidle installations of the Rust hello\n{}", lines.join("\n")));
    drop(mint);

    report::progress("starting the server again");
    let begun = Instant::now();
    mint = platform.serve()?;
    let listening = begun.elapsed();
    let client = runtime.block_on(platform.sign_in(mint.port()?))?;
    let answered = first_answer(&mint, &client, &format!("/api/distinct-{}/", distinct - 1), begun)?;
    report::note(&format!(
        "the server started again on its cache, {} installations: listening after {listening:.0?}, the last of them answers after {answered:.0?}",
        BEFORE + same + distinct
    ));
    Ok(())
}

fn line(name: &str, count: usize, each: Duration, before: (u64, u64), after: (u64, u64)) -> String {
    let per = |before: u64, after: u64| (after.saturating_sub(before)) as f64 / count as f64;
    format!(
        "  {count} with the {name} component: {:.0} KiB of its own and {:.0} KiB of mapped files each; installed in {each:.0?} each",
        per(before.0, after.0),
        per(before.1, after.1)
    )
}

/// Asks until there is an answer.
fn first_answer(mint: &Server, client: &Client, path: &str, begun: Instant) -> Result<Duration> {
    const PATIENCE: Duration = Duration::from_secs(120);
    let request = Request::get(mint.address.clone(), path, &client.token);
    loop {
        match drive(&request, 1, Duration::from_millis(1)) {
            Ok(_) => return Ok(begun.elapsed()),
            Err(error) if begun.elapsed() > PATIENCE => return Err(error),
            Err(_) => std::thread::sleep(Duration::from_millis(2)),
        }
    }
}
