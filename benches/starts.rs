//! How soon an isolated Python plugin answers: after its start, with the bytecode that stands in its venv and without any; and
//! to the first request after it was idle, started plainly and as a copy of one that has imported it.

use std::{
    fs, io,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;
use tokio::runtime::Runtime;

use crate::{Plan, api::Client, mint::Mint, report};

/// It imports numpy and scipy, as plugins do that have to be isolated.
const GUEST: &str = "dose-response";
/// Longest wait for an idle process to end.
const IDLE_TIMEOUT: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(50);

/// Measures and prints.
pub(crate) fn run(plan: &Plan, dir: &Path) -> Result<()> {
    let times = if plan.quick { 3 } else { 9 };
    let runtime = Runtime::new()?;
    let platform = Mint::prepare(plan, dir, "starts")?;
    let mint = platform.serve()?;
    let client = runtime.block_on(platform.sign_in(mint.port()?))?;
    report::progress(&format!("installing {GUEST}"));
    runtime.block_on(client.install(&plan.guests.join(format!("{GUEST}.mint"))))?;
    drop(mint);
    let wakes = ["false", "true"].map(|warm| wakes(&runtime, &platform, times, warm));
    let mint = platform.serve()?;
    let client = runtime.block_on(platform.sign_in(mint.port()?))?;
    let starts = || -> Result<Option<Duration>> {
        let mut found = Vec::new();
        for time in 1..=times {
            report::progress(&format!("starting {GUEST}, {time} of {times}"));
            found.push(start(&runtime.block_on(client.reload(GUEST))?)?);
        }
        found.sort();
        Ok(found.get(times / 2).copied())
    };
    let with = starts()?;
    // A plugin's process writes none, so that each start compiles every module anew.
    remove_bytecode(&platform.data().join("cache/venvs"))?;
    let without = starts()?;
    report::durations("isolated Python, start to answer", &["bytecode", "no bytecode"], &[(GUEST, vec![with, without])]);
    report::note("Median. Spawned in its sandbox, interpreter, imports, initialisation, and the first answer on its socket.");
    let [plain, copy] = wakes;
    report::durations("the same idle, request to answer", &["started plainly", "copied warm"], &[(GUEST, vec![plain?, copy?])]);
    report::note("Median. The first request after the process was stopped, as its client sees it.");
    Ok(())
}

/// How long the first request takes after the process was stopped for want of requests.
fn wakes(runtime: &Runtime, platform: &Mint, times: usize, warm: &str) -> Result<Option<Duration>> {
    let mint = platform.serve_with(&[("MINT_PLUGINS__IDLE_SECONDS", "1"), ("MINT_PLUGINS__WARM_PARENT", warm)])?;
    let client = runtime.block_on(platform.sign_in(mint.port()?))?;
    let mut found = Vec::new();
    for time in 1..=times {
        report::progress(&format!("waking {GUEST}, {time} of {times}"));
        runtime.block_on(idle(&client))?;
        let asked = Instant::now();
        runtime.block_on(client.ask(&format!("/api/{GUEST}/nothing")))?;
        found.push(asked.elapsed());
    }
    found.sort();
    Ok(found.get(times / 2).copied())
}

/// Waits until the process is stopped. To ask how it is does not keep it.
async fn idle(client: &Client) -> Result<()> {
    let begun = Instant::now();
    loop {
        let plugin = client.get(&format!("/api/plugins/{GUEST}")).await?;
        if plugin.pointer("/runtime/process").is_some_and(|process| process == "idle") {
            return Ok(());
        }
        if begun.elapsed() > IDLE_TIMEOUT {
            bail!("{GUEST} does not become idle:\n{plugin:#}");
        }
        tokio::time::sleep(POLL).await;
    }
}

/// What the step says that started the plugin and waited for its answer.
fn start(operation: &Value) -> Result<Duration> {
    let steps = operation.get("steps").and_then(Value::as_array).context("the operation has no steps")?;
    let note = steps.iter().find(|step| step.get("name").is_some_and(|name| name == "start"));
    let note = note.and_then(|step| step.get("note")?.as_str()).context("the operation has no start")?;
    let seconds = note.strip_prefix("answers after ").and_then(|rest| rest.strip_suffix(" s")).context(note.to_owned())?;
    Ok(Duration::try_from_secs_f64(seconds.parse()?)?)
}

fn remove_bytecode(directory: &Path) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        match (entry.file_type()?.is_dir(), entry.file_name() == "__pycache__") {
            (true, true) => fs::remove_dir_all(entry.path())?,
            (true, false) => remove_bytecode(&entry.path())?,
            (false, _) => {}
        }
    }
    Ok(())
}
