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
use serde_json::json;

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
/// Connections of the neighbour.
const CONNECTIONS: usize = 8;
/// Calls of one installation: one more fault within a minute would end it.
const CALLS: usize = 4;
/// Copies of the hostile plugin for each trouble.
const COPIES: usize = 3;

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
    let plugin = call.through_plugin()?;
    plugin.obey(Terms { grants: Arc::new(Grants::new([capability.clone()])), limits: plugin.limits() });
    let gate = |call: &Call| black_box(call.permit(permission, &capability)).is_ok();
    let own = Call { actor: Actor::System, ..call.clone() };
    anyhow::ensure!(gate(call) && gate(&own), "the plugin may not what is measured");

    let limits = Limits { requests_per_second_max: 1_000_000, ..Limits::default() };
    let share = Share { laboratory_requests_per_second_max: 1_000_000, ..Share::default() };
    let admission = Admission::new(&limits, Arc::default(), Arc::new(Laboratory::new(share)));
    let deadline = tokio::time::Instant::now() + Duration::from_secs(3_600);
    let admit = || {
        // A refusal would cost more, and comes after a million within a second.
        let _counted = black_box(admission.count());
        black_box(pin!(admission.enter(deadline)).poll(&mut Context::from_waker(Waker::noop()))).is_ready()
    };
    report::costs(&[
        ("who asks, and whether they may", identified(platform, token).await?),
        ("gate of a host call, for a person", timed(|| gate(call))),
        ("gate of a host call, for the plugin", timed(|| gate(&own))),
        ("admission of a request", timed(admit)),
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

/// The median of one call, and what it allocates on average.
fn timed(mut call: impl FnMut() -> bool) -> (Duration, f64) {
    let mut times = Vec::with_capacity(BATCHES);
    let before = counting::allocations();
    for _ in 0..BATCHES {
        let begun = Instant::now();
        for _ in 0..BATCH {
            black_box(call());
        }
        times.push(begun.elapsed() / BATCH);
    }
    median(times, counting::allocations() - before)
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
    let mut rows = vec![("nothing".to_owned(), quiet.latencies_ns, Vec::new())];
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
        rows.push((format!("{limit} = {value}"), answers.latencies_ns, ended));
    }
    report::neighbours(rows);
    Ok(())
}

fn whoami(address: &Address, client: &Client) -> Request {
    Request::get(address.clone(), "/api/hello/whoami", &client.token)
}
