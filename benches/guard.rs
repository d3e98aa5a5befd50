//! What the guards cost: a check of a host call, a place for a request; and what a neighbour notices of a plugin that reaches
//! its limits.

use std::{
    hint::black_box,
    path::Path,
    pin::pin,
    sync::Arc,
    task::{Context, Waker},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use mint_context::{Call, Terms};
use mint_domain::{Actor, Capability, Grants, Limits, Permission, RequestId, Share, manifest::InstancePolicy};
use mint_platform::{
    Platform,
    admission::{Admission, Laboratory},
    frontends::Whose,
};
use serde_json::{Value, json};

use crate::{
    Plan,
    api::Client,
    bundles::Guest,
    counting,
    load::{Request, drive},
    mint::Mint,
    process::Address,
    report,
};

/// How `--only` calls them.
pub(crate) const NAME: &str = "guards";

/// Calls that are timed together, since a clock costs as much as one.
const BATCH: u32 = 1_000;
const BATCHES: usize = 1_000;
/// More than are asked for while it is measured.
const ADMITTED_PER_SECOND: u64 = 1_000_000_000;
/// Connections of the neighbour.
const CONNECTIONS: usize = 8;
/// Calls of one installation: one more fault within a minute would end it.
const CALLS: usize = 4;
/// Copies of the hostile plugin for each trouble.
const COPIES: usize = 3;

/// The plugin whose jobs compute, and how many at once.
const WORKING: &str = "working";
const JOBS: usize = 2;
/// Looks at whether they run.
const LOOKS: usize = 200;

/// What a neighbour notices of a plugin that reaches a limit.
#[derive(Debug)]
pub(crate) struct Neighbour {
    /// The limit and its value.
    pub(crate) beside: String,
    /// Of the neighbour's requests.
    pub(crate) latencies_ns: Vec<u32>,
    /// How long each of the plugin's requests took, on the wall.
    pub(crate) ended: Vec<Duration>,
    /// The most that one of them used, in the limit's own unit.
    pub(crate) peak: Option<u64>,
}

/// A limit, its value, and the route that reaches it.
const TROUBLES: [(&str, u64, &str); 6] = [
    ("cpu_ms_max", 200, "/spin"),
    ("instance_memory_bytes_max", 64 << 20, "/eat"),
    ("wall_ms_max", 300, "/sleep?ms=60000"),
    ("handles_max", 100, "/handles?count=100000"),
    ("log_bytes_per_minute_max", 64 << 10, "/flood"),
    ("response_body_bytes_max", 1 << 20, "/endless"),
];

/// What each check adds to a call through a plugin that may do what it asks for, and what it takes to know who asks with `token`.
/// One thread, nothing else.
///
/// # Errors
/// The plugin may not; nobody is known by the token.
pub(crate) async fn costs(call: &Call, platform: &Platform, token: &str) -> Result<()> {
    let (permission, capability) = (Permission::ExperimentsView, Capability::ExperimentsRead);
    // An authority of its own: the server puts the plugin's terms in force again whenever it looks.
    let plugin = call.through_plugin()?.under(Limits::default());
    plugin.obey(Terms { grants: Arc::new(Grants::new([capability.clone()])), limits: plugin.limits() });
    let person = Call { plugin: Some(Arc::new(plugin)), ..call.clone() };
    let own = Call { actor: Actor::System, ..person.clone() };
    let gate = |call: &Call| black_box(call.permit(permission, &capability)).is_ok();

    let limits = Limits { requests_per_second_max: ADMITTED_PER_SECOND, ..Limits::default() };
    let share = Share { laboratory_requests_per_second_max: ADMITTED_PER_SECOND, ..Share::default() };
    let admission = Admission::new(&limits, Arc::default(), Arc::new(Laboratory::new(share)));
    let deadline = tokio::time::Instant::now() + Duration::from_secs(3_600);
    let admit = || {
        let _counted = black_box(admission.count());
        black_box(pin!(admission.enter(deadline)).poll(&mut Context::from_waker(Waker::noop()))).is_ready()
    };
    report::costs(&[
        ("who asks, and whether they may", identified(platform, token).await?),
        ("gate of a host call, for a person", timed(|| gate(&person))?),
        ("gate of a host call, for the plugin", timed(|| gate(&own))?),
        ("admission of a request", timed(admit)?),
    ]);
    Ok(())
}

/// The same for a request's credential: whom it stands for, remembered for a second as in a server, and one permission.
async fn identified(platform: &Platform, token: &str) -> Result<(Duration, f64)> {
    let request = RequestId::from_bits(1);
    let mut times = Vec::with_capacity(BATCHES);
    let before = counting::allocations();
    for _ in 0..BATCHES {
        let begun = Instant::now();
        for _ in 0..BATCH {
            let identity = platform.identify(token, &Whose::Any).await?.context("nobody is known by the token")?;
            let caller = black_box(identity.caller(request.clone()));
            let permit = caller.call(platform.services()).permit_person(Permission::ExperimentsView);
            anyhow::ensure!(black_box(permit).is_ok(), "an administrator may look at experiments");
        }
        times.push(begun.elapsed() / BATCH);
    }
    Ok(median(times, counting::allocations() - before))
}

/// The median of one call that passes, and what it allocates on average.
fn timed(mut call: impl FnMut() -> bool) -> Result<(Duration, f64)> {
    let mut times = Vec::with_capacity(BATCHES);
    let before = counting::allocations();
    for _ in 0..BATCHES {
        let begun = Instant::now();
        let mut passed = true;
        for _ in 0..BATCH {
            passed &= call();
        }
        times.push(begun.elapsed() / BATCH);
        anyhow::ensure!(passed, "what is measured was refused");
    }
    Ok(median(times, counting::allocations() - before))
}

fn median(mut times: Vec<Duration>, allocated: u64) -> (Duration, f64) {
    times.sort_unstable();
    let median = times.get(BATCHES / 2).copied().unwrap_or_default();
    (median, allocated as f64 / (BATCHES as f64 * f64::from(BATCH)))
}

/// Measures and prints what a neighbour notices.
pub(crate) fn run(plan: &Plan, dir: &Path) -> Result<()> {
    let runtime = tokio::runtime::Runtime::new()?;
    let platform = Mint::prepare(plan, dir, NAME)?;
    let server = platform.serve()?;
    let client = runtime.block_on(platform.sign_in(server.port()?))?;
    let place = dir.join("guards-guests");
    std::fs::create_dir(&place)?;
    let hostile = Guest::unpack(&plan.guests, "hostile", &place)?;
    runtime.block_on(client.install(&plan.guests.join("hello.mint")))?;
    let quiet = drive(&whoami(&server.address, &client), CONNECTIONS, plan.duration)?;
    let mut rows =
        vec![Neighbour { beside: "nothing".to_owned(), latencies_ns: quiet.latencies_ns, ended: Vec::new(), peak: None }];
    for (limit, value, route) in TROUBLES {
        report::progress(&format!("{limit} is reached"));
        let copies = if plan.quick { 1 } else { COPIES };
        let slugs: Vec<String> = (0..copies).map(|copy| format!("h{copy}-{}", limit.replace('_', "-"))).collect();
        for slug in &slugs {
            let bundle = hostile.bundle_as(slug, InstancePolicy::Request)?;
            runtime.block_on(client.install_with(&bundle, &json!({ limit: value })))?;
        }
        let request = whoami(&server.address, &client);
        let duration = plan.duration;
        let neighbour = thread::spawn(move || drive(&request, CONNECTIONS, duration));
        let ended = runtime.block_on(async {
            let mut ended = Vec::new();
            for path in slugs.iter().flat_map(|slug| std::iter::repeat_n(format!("/api/{slug}{route}"), CALLS)) {
                let begun = Instant::now();
                client.end_of(&path).await?;
                ended.push(begun.elapsed());
            }
            Ok::<_, anyhow::Error>(ended)
        })?;
        let answers = neighbour.join().ok().context("the neighbour broke")??;
        let mut peaks = Vec::new();
        for slug in &slugs {
            peaks.extend(runtime.block_on(peak(&client, slug, limit))?);
        }
        rows.push(Neighbour {
            beside: format!("{limit} = {value}"),
            latencies_ns: answers.latencies_ns,
            ended,
            peak: peaks.into_iter().max(),
        });
    }
    report::progress("jobs compute");
    let bundle = hostile.bundle_as(WORKING, InstancePolicy::Request)?;
    runtime.block_on(client.install(&bundle))?;
    for _ in 0..JOBS {
        let job = json!({ "kind": "spin", "payload": {} });
        runtime.block_on(client.open(&format!("/api/{WORKING}/jobs"), &job))?;
    }
    runtime.block_on(all_run(&client))?;
    let answers = drive(&whoami(&server.address, &client), CONNECTIONS, plan.duration)?;
    runtime.block_on(all_run(&client)).context("the jobs did not compute all the while")?;
    let beside = format!("{JOBS} jobs that compute without end");
    rows.push(Neighbour { beside, latencies_ns: answers.latencies_ns, ended: Vec::new(), peak: None });
    report::neighbours(rows);
    Ok(())
}

/// Waits until all jobs run that were asked for.
async fn all_run(client: &Client) -> Result<()> {
    for _ in 0..LOOKS {
        let running = client.get("/api/jobs?status=running").await?;
        if running.as_array().is_some_and(|running| running.len() == JOBS) {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    anyhow::bail!("they do not run")
}

/// The most that a plugin used of a limit in one call, in the limit's own unit, where that is measured.
async fn peak(client: &Client, slug: &str, limit: &str) -> Result<Option<u64>> {
    let limits = client.get(&format!("/api/plugins/{slug}/limits")).await?;
    let found = limits.as_array().into_iter().flatten().find(|one| one.get("name").and_then(Value::as_str) == Some(limit));
    Ok(found.and_then(|one| one.get("peak")).and_then(Value::as_u64))
}

fn whoami(address: &Address, client: &Client) -> Request {
    Request::get(address.clone(), "/api/hello/whoami", &client.token)
}
