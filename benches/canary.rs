//! Two laboratories leave words and look for each other's, as in the test of the same name, a million times. A word that is found
//! where it does not belong ends the bench as a failure.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use mint_domain::manifest::InstancePolicy;
use tokio::{runtime::Runtime, task::JoinSet};

use crate::{
    Plan,
    bundles::{self, Guest},
    mint::Mint,
    report,
};

#[path = "../tests/people/canary/rounds.rs"]
mod rounds;

use rounds::{LABORATORIES, Laboratory, TABLE_LEAK};

/// How `--only` calls it. It is measured under its own name alone, since it takes minutes.
pub(crate) const NAME: &str = "canary";

/// Requests on all databases together.
const REQUESTS: usize = 1_000_000;
const REQUESTS_QUICK: usize = 4_000;
/// Pairs of laboratories' clients that work at the same time.
const PAIRS: usize = 4;
/// Fewer than requests at once, so that every place of the pool goes from hand to hand.
const INSTANCES: &str = "6";

/// What was found on one database.
#[derive(Debug)]
pub(crate) struct Kept {
    pub(crate) database: &'static str,
    pub(crate) requests: usize,
    pub(crate) elapsed: Duration,
    pub(crate) leaks: Vec<String>,
}

/// Runs and prints.
///
/// # Errors
/// A word was found where it does not belong.
pub(crate) fn run(plan: &Plan, dir: &Path) -> Result<()> {
    let runtime = Runtime::new()?;
    let databases = [("SQLite", None), ("PostgreSQL", plan.postgres.clone())];
    let databases: Vec<_> = databases.into_iter().filter(|(name, url)| *name == "SQLite" || url.is_some()).collect();
    let share = if plan.quick { REQUESTS_QUICK } else { REQUESTS } / databases.len();
    let mut kept = Vec::new();
    for (database, url) in databases {
        kept.push(on(plan, dir, &runtime, database, url, share)?);
    }
    report::canary(&kept);
    if plan.postgres.is_none() {
        report::note("PostgreSQL is not installed on this machine: nothing was tried on it.");
    }
    let leaks: Vec<_> = kept.iter().flat_map(|kept| &kept.leaks).collect();
    match leaks.first() {
        None => Ok(()),
        Some(first) => bail!("{} leaks, of which the first: {first}", leaks.len()),
    }
}

fn on(plan: &Plan, dir: &Path, runtime: &Runtime, database: &'static str, url: Option<String>, share: usize) -> Result<Kept> {
    let place = dir.join(database);
    let within = |name: &str| place.join(name).display().to_string();
    // All that it writes stands in one directory, which is looked through in the end.
    let mut variables = vec![
        ("MINT_SERVER__CACHE_PATH", within("cache")),
        ("MINT_SERVER__RUNTIME_PATH", within("run")),
        ("MINT_PLUGINS__INSTANCES", INSTANCES.to_owned()),
    ];
    variables.extend(url.map(|url| ("MINT_DATABASE__URL", url)));
    let platform = Mint::prepare_with(plan, dir, database, variables)?;
    let server = platform.serve()?;
    let address = server.port()?;
    let guests = bundles(plan, &dir.join(format!("{database}-guests")))?;
    let url = format!("http://{address}");
    let mut tokens = Vec::new();
    for (slug, _) in LABORATORIES {
        let client = runtime.block_on(platform.administrator_of(slug, address))?;
        for guest in &guests {
            report::progress(&format!("{database}: installing {}", guest.display()));
            runtime.block_on(client.install(guest))?;
        }
        tokens.push(client.token);
    }
    let begun = Instant::now();
    let (requests, mut leaks) = runtime.block_on(at_once(&url, &tokens, share))?;
    let elapsed = begun.elapsed();
    leaks.extend(rounds::on_disk(&place)?);
    Ok(Kept { database, requests, elapsed, leaks })
}

/// Bundles of all that a laboratory needs for its rounds.
fn bundles(plan: &Plan, place: &Path) -> Result<Vec<std::path::PathBuf>> {
    std::fs::create_dir(place)?;
    let hostile = Guest::unpack(&plan.guests, "hostile", place)?;
    let (process, program) = rounds::process("/usr/bin/env python3");
    let table_leak = serde_json::json!({
        "format_version": 2, "plugin": { "slug": "table-leak", "version": "1.0.0" }, "component": "plugin.wasm", "instances": "request",
    });
    Ok(vec![
        plan.guests.join("everything.mint"),
        plan.guests.join("hostile.mint"),
        hostile.bundle_as("hostile-warm", InstancePolicy::Tenant)?,
        bundles::written(place, table_leak, "plugin.wasm", &wat::parse_str(TABLE_LEAK)?)?,
        bundles::written(place, process, "bin/plugin", program.as_bytes())?,
    ])
}

/// So many requests by all pairs together, and what they found.
async fn at_once(url: &str, tokens: &[String], share: usize) -> Result<(usize, Vec<String>)> {
    let asked = Arc::new(AtomicUsize::new(0));
    let [first, second] = tokens else { bail!("there are two laboratories") };
    let mut pairs = JoinSet::new();
    for _ in 0..PAIRS {
        let (mut ours, mut theirs) = tokio::try_join!(Laboratory::begin(0, url, first), Laboratory::begin(1, url, second))?;
        let asked = asked.clone();
        pairs.spawn(async move {
            for number in 0.. {
                let (our_experiment, their_experiment, before) =
                    (ours.experiment, theirs.experiment, ours.requests + theirs.requests);
                tokio::try_join!(ours.round(number, their_experiment), theirs.round(number, our_experiment))?;
                let further = ours.requests + theirs.requests - before;
                let so_far = asked.fetch_add(further, Ordering::Relaxed) + further;
                report::progress(&format!("{so_far} of {share} requests"));
                if so_far >= share {
                    break;
                }
            }
            tokio::try_join!(ours.look_around(), theirs.look_around())?;
            anyhow::Ok((ours, theirs))
        });
    }
    let (mut requests, mut leaks) = (0, Vec::new());
    while let Some(pair) = pairs.join_next().await {
        let (ours, theirs) = pair.context("a pair broke")??;
        requests += ours.requests + theirs.requests;
        leaks.extend(ours.leaks.into_iter().chain(theirs.leaks));
    }
    Ok((requests, leaks))
}
