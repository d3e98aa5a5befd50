//! Without HTTP: a component through the runtime's own contract, from compiling it to a warm call.

use std::{
    collections::BTreeMap,
    fs::File,
    io::Read as _,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderValue, Request};
use http_body_util::{BodyExt as _, Empty};
use mint_cli::{config::Config, serve::Server};
use mint_context::{
    Call, Incoming,
    runtime::{Activation, Body, Generation, Release, Runtime as _},
};
use mint_domain::{
    Actor, PluginAccess, ProjectReach, RequestId, Unsealed, User, UserId, lifecycle::Failure, manifest::InstancePolicy,
    permission::SystemRole,
};
use mint_platform::running::Active;
use mint_wasm::{Compiler, Options, WasmRuntime};
use serde_json::{Value, json};

use crate::{Plan, api::Client, bundles::Guest, guard, mint::Mint, process::free_address, report};

const GUESTS: [&str; 3] = ["hello", "hello-python", "hello-js"];
/// One warm-up of so many requests comes first: the pool's slots are made on first use.
const WARM_UP: usize = 20;
const WALL: Duration = Duration::from_secs(60);

/// Measures and prints.
pub(crate) fn run(plan: &Plan, dir: &Path) -> Result<()> {
    tokio::runtime::Runtime::new()?.block_on(async {
        let platform = Mint::prepare(plan, dir, "inside")?;
        let mut config = Config::default();
        config.server.data_path = platform.data();
        config.server.listen = free_address()?;
        config.program = Some(plan.mint.clone());
        let server = Server::start(&config).await?;
        let client = platform.sign_in(server.address).await?;
        let runtime = WasmRuntime::new(&Options::new(dir.join("inside-cache"), [0; 32], Arc::new(Here)))?;
        let guests = dir.join("inside-guests");
        std::fs::create_dir(&guests)?;
        let (mut rows, mut call) = (Vec::new(), None);
        // The guards cost the same whoever calls.
        let callers = if plan.only.is_some() { 1 } else { GUESTS.len() };
        for name in GUESTS.into_iter().take(callers) {
            report::progress(&format!("in process: {name}"));
            let active = install(plan, &client, &server, name).await?;
            let bench = Bench { runtime: &runtime, server: &server, active, guest: Guest::unpack(&plan.guests, name, &guests)? };
            rows.push((name, bench.measure(plan.quick).await.with_context(|| name)?));
            call = Some(bench.activation(InstancePolicy::Request)?.call);
        }
        if let Some(call) = call {
            guard::costs(&call, &server.platform, &client.token).await?;
        }
        server.stop().await;
        let columns = ["compile", "start from cache", "first request", "fresh request", "warm request", "instantiate"];
        report::durations("in process, p50", &columns, &rows);
        report::note(
            "Start from cache: checked, mapped, linked, initialised. Instantiate: a store and an instance, made and dropped, as the\n\
             difference of a fresh and a warm request.",
        );
        Ok(())
    })
}

/// Installs a guest, so that what it asks the platform for is there.
async fn install(plan: &Plan, client: &Client, server: &Server, name: &str) -> Result<Arc<Active>> {
    client.install(&plan.guests.join(format!("{name}.mint"))).await?;
    let running = server.platform.running().all();
    running.into_iter().find(|active| active.slug().as_str() == name).with_context(|| format!("{name} does not run"))
}

/// Compiles in this process, which is what is measured.
#[derive(Debug)]
struct Here;

#[async_trait]
impl Compiler for Here {
    async fn compile(&self, mut component: File, _compatibility: &str) -> Result<Vec<u8>, Failure> {
        let mut bytes = Vec::new();
        let read = component.read_to_end(&mut bytes).map_err(|error| error.to_string());
        read.and_then(|_| mint_wasm::compile(&bytes)).map(|compiled| compiled.code).map_err(|reason| mint_wasm::refused(&reason))
    }
}

/// A guest and what its calls need.
struct Bench<'a> {
    runtime: &'a WasmRuntime,
    server: &'a Server,
    active: Arc<Active>,
    guest: Guest,
}

impl Bench<'_> {
    async fn measure(&self, quick: bool) -> Result<Vec<Option<Duration>>> {
        let (starts, requests) = if quick { (5, 200) } else { (20, 2_000) };
        let fresh = self.activation(InstancePolicy::Request)?;
        let begun = Instant::now();
        self.runtime.stage(&fresh.release, &fresh.authority.grants()).await.map_err(|failure| anyhow::anyhow!("{failure}"))?;
        let compile = begun.elapsed();

        let (mut start, mut first) = (Vec::new(), Vec::new());
        for _ in 0..starts {
            // Nothing else holds the component, so that every start maps it again.
            let begun = Instant::now();
            let generation = self.start(&fresh).await?;
            start.push(begun.elapsed());
            first.push(request(&fresh, &*generation).await?);
        }
        let fresh_request = p50(&mut self.requests(&fresh, requests).await?);
        let warm_request = p50(&mut self.requests(&self.activation(InstancePolicy::Tenant)?, requests).await?);
        let instantiate = fresh_request.checked_sub(warm_request);
        Ok(vec![
            Some(compile),
            Some(p50(&mut start)),
            Some(p50(&mut first)),
            Some(fresh_request),
            Some(warm_request),
            instantiate,
        ])
    }

    async fn requests(&self, activation: &Activation, count: usize) -> Result<Vec<Duration>> {
        let generation = self.start(activation).await?;
        let mut times = Vec::with_capacity(count);
        for _ in 0..WARM_UP {
            request(activation, &*generation).await?;
        }
        for _ in 0..count {
            times.push(request(activation, &*generation).await?);
        }
        Ok(times)
    }

    async fn start(&self, activation: &Activation) -> Result<Arc<dyn Generation>> {
        self.runtime.start(activation.clone()).await.map_err(|failure| anyhow::anyhow!("{failure}"))
    }

    /// What the platform started the guest with, with another policy and in the name of a person.
    fn activation(&self, instances: InstancePolicy) -> Result<Activation> {
        let authority = self.active.authority.clone();
        let manifest = Arc::new(self.guest.manifest_as(authority.slug().as_str(), instances)?);
        let digest = manifest.files.values().next().copied().context("the bundle has no files")?;
        let permissions = SystemRole::parse("admin").map(SystemRole::permissions).unwrap_or_default();
        let (username, role) = ("ada".to_owned(), "admin".to_owned());
        let (plugin_access, plugin_roles) = (PluginAccess::All, BTreeMap::new());
        let project_reach = ProjectReach::All;
        let user = User { id: UserId(1), username, role, permissions, plugin_access, project_reach, plugin_roles, bound: None };
        Ok(Activation {
            release: Arc::new(Release { manifest, digest, directory: self.guest.directory.clone() }),
            generation: 1,
            settings: Unsealed::new(json!({"greeting": "Hello"})),
            data_directory: self.guest.directory.clone(),
            log: self.active.log.clone(),
            call: Call {
                services: self.server.platform.services().clone(),
                tenant: authority.tenant,
                actor: Actor::User(Arc::new(user)),
                plugin: Some(authority.clone()),
                service: None,
                job: None,
                request_id: RequestId::from_bits(1),
                deadline: tokio::time::Instant::now() + WALL,
            },
            authority,
        })
    }
}

/// One request and its whole answer.
async fn request(activation: &Activation, generation: &dyn Generation) -> Result<Duration> {
    let prefix = format!("/api/{}", activation.authority.slug());
    let call = Call { deadline: tokio::time::Instant::now() + WALL, ..activation.call.clone() };
    let request: Request<Body> = Request::get(format!("{prefix}/whoami"))
        .header("host", "localhost")
        .body(Empty::new().map_err(|never| match never {}).boxed_unsync())?;
    let incoming = Incoming::new(request, HeaderValue::from_str(&prefix)?);
    let begun = Instant::now();
    let response = generation.handle(call, incoming).await?;
    let status = response.status();
    let body: Bytes = response.into_body().collect().await.map_err(|error| anyhow::anyhow!(error))?.to_bytes();
    let elapsed = begun.elapsed();
    let answer: Value = serde_json::from_slice(&body).unwrap_or_default();
    anyhow::ensure!(status.is_success() && answer.get("username").is_some(), "{status}: {}", String::from_utf8_lossy(&body));
    Ok(elapsed)
}

fn p50(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}
