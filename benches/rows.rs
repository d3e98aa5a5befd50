//! Requests to every server, in turns.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path, process::Command, time::Duration};

use anyhow::{Context as _, Result};
use mint_domain::manifest::InstancePolicy;
use serde_json::Value;
use tokio::runtime::Runtime;

use crate::{
    Plan, axum_server,
    bundles::Guest,
    fastapi,
    load::{Answers, Request, drive},
    mint::Mint,
    process::{Address, Server},
    proxy_server, report,
    roles::Asker,
};

const CONNECTIONS: [usize; 2] = [1, 32];
/// Each row is measured so many times, in turns with the others: what else the machine does falls on all of them.
const ROUNDS: u32 = 3;
const WARM_UP: Duration = Duration::from_millis(300);

/// What is measured.
pub(crate) struct Row<'a> {
    name: &'static str,
    /// Whose processor time is counted.
    servers: Vec<&'a Server>,
    request: Request,
}

impl Row<'_> {
    /// Processor time of its servers so far.
    fn cpu_seconds(&self) -> Result<f64> {
        self.servers.iter().map(|server| server.cpu_seconds()).sum()
    }
}

/// What was found with so many connections.
#[derive(Debug)]
pub(crate) struct Figures {
    pub(crate) name: &'static str,
    pub(crate) connections: usize,
    pub(crate) requests_per_second: f64,
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
    pub(crate) cpu_us: f64,
}

/// Starts the servers, measures and prints.
pub(crate) fn run(plan: &Plan, dir: &Path) -> Result<()> {
    let runtime = Runtime::new()?;
    let axum = axum_server::start(dir)?;
    let platform = Mint::prepare(plan, dir, "platform")?;
    let mint = platform.serve()?;
    let client = runtime.block_on(platform.sign_in(mint.port()?))?;
    let hello = Guest::unpack(&plan.guests, "hello", dir)?;
    let mut bundles =
        vec![hello.bundle_as("hello-fresh", InstancePolicy::Request)?, hello.bundle_as("hello-warm", InstancePolicy::Tenant)?];
    bundles.extend(["hello-python", "hello-process"].map(|name| plan.guests.join(format!("{name}.mint"))));
    for bundle in &bundles {
        runtime.block_on(client.install(bundle))?;
    }
    let direct = executable(plan, dir)?;
    let proxy = proxy_server::start(direct.path()?, dir)?;
    let fastapi = fastapi::start(plan, dir);
    let asker = runtime.block_on(Asker::begin(&client))?;
    let get = |path: &str| Request::get(mint.address.clone(), path, &client.token);
    let mut rows = vec![
        Row { name: "bare axum handler", servers: vec![&axum], request: Request::get(axum.address.clone(), "/", &client.token) },
        Row { name: "the platform's own /api/users/me", servers: vec![&mint], request: get("/api/users/me") },
        Row { name: "shared Rust, fresh instances", servers: vec![&mint], request: get("/api/hello-fresh/whoami") },
        Row { name: "shared Rust, warm instances", servers: vec![&mint], request: get("/api/hello-warm/whoami") },
        Row { name: "shared Python, warm instances", servers: vec![&mint], request: get("/api/hello-python/whoami") },
        Row { name: "isolated executable", servers: vec![&mint], request: get("/api/hello-process/whoami") },
        Row {
            name: "the same, over its own socket",
            servers: vec![&direct],
            request: Request::get(direct.address.clone(), "/whoami", &client.token),
        },
        Row {
            name: "the same, behind a bare proxy",
            servers: vec![&proxy, &direct],
            request: Request::get(proxy.address.clone(), "/whoami", &client.token),
        },
    ];
    rows.push(Row { name: "a process asks for a role", servers: vec![&mint], request: asker.request(&mint.address) });
    match &fastapi {
        Ok(server) => {
            rows.push(Row {
                name: "FastAPI on uvicorn, directly",
                servers: vec![server],
                request: Request::get(server.address.clone(), "/", &client.token),
            });
        }
        Err(error) => eprintln!("!! NO ROW FOR FASTAPI: {error:#}"),
    }
    if let Some(text) = &plan.only {
        rows.retain(|row| row.name.contains("axum") || row.name.contains(text.as_str()));
    }
    let figures = measure(plan, &rows)?;
    report::requests(&figures);
    let shown = runtime.block_on(client.get("/api/plugins/hello-fresh"))?;
    report::circumstances(&reset_path(&shown)?, mint.log_bytes());
    Ok(())
}

/// The executable of `hello-process` on a socket, without the platform in front of it.
fn executable(plan: &Plan, dir: &Path) -> Result<Server> {
    let guest = Guest::unpack(&plan.guests, "hello-process", dir)?;
    let process = guest.manifest.process.as_ref().context("the guest has no executable")?;
    let file = guest.directory.join(&process.executable);
    fs::set_permissions(&file, fs::Permissions::from_mode(0o755))?;
    let socket = dir.join("direct.sock");
    let mut command = Command::new(file);
    command.arg("--socket").arg(&socket);
    Server::start(command, Address::Unix(socket), dir)
}

fn reset_path(plugin: &Value) -> Result<String> {
    fn find(value: &Value) -> Option<&str> {
        match value {
            Value::Object(map) => map.get("reset_path").and_then(Value::as_str).or_else(|| map.values().find_map(find)),
            _ => None,
        }
    }
    find(plugin).map(str::to_owned).context("the plugin's status does not tell how memory is reset")
}

fn measure(plan: &Plan, rows: &[Row<'_>]) -> Result<Vec<Figures>> {
    let mut figures = Vec::new();
    for connections in CONNECTIONS {
        let mut found: Vec<(Answers, f64)> = rows.iter().map(|_| Default::default()).collect();
        for round in 1..=ROUNDS {
            for (row, (sum, cpu_seconds)) in rows.iter().zip(&mut found) {
                report::progress(&format!("{connections} connections, round {round} of {ROUNDS}: {}", row.name));
                drive(&row.request, connections, WARM_UP.min(plan.duration / 2)).with_context(|| row.name)?;
                let cpu_before = row.cpu_seconds()?;
                let mut answers = drive(&row.request, connections, plan.duration / ROUNDS).with_context(|| row.name)?;
                *cpu_seconds += row.cpu_seconds()? - cpu_before;
                sum.elapsed += answers.elapsed;
                sum.latencies_ns.append(&mut answers.latencies_ns);
            }
        }
        let all = rows.iter().zip(found);
        figures.extend(all.map(|(row, (answers, cpu_seconds))| evaluate(row.name, connections, answers, cpu_seconds)));
    }
    Ok(figures)
}

fn evaluate(name: &'static str, connections: usize, mut answers: Answers, cpu_seconds: f64) -> Figures {
    answers.latencies_ns.sort_unstable();
    let requests = answers.latencies_ns.len().max(1) as f64;
    let at =
        |share: f64| answers.latencies_ns.get((requests * share) as usize).copied().map_or(f64::NAN, |ns| f64::from(ns) / 1e3);
    Figures {
        name,
        connections,
        requests_per_second: requests / answers.elapsed.as_secs_f64(),
        p50_us: at(0.5),
        p99_us: at(0.99),
        cpu_us: cpu_seconds * 1e6 / requests,
    }
}
