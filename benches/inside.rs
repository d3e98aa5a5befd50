//! Without HTTP: a component through the runtime's own contract, from compiling it to a warm call.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use bytes::Bytes;
use http::{HeaderValue, Request};
use http_body_util::{BodyExt as _, Empty};
use mint_cli::{config::Config, serve::open_services};
use mint_context::{
    Call, PluginAuthority, Services, headers,
    logs::PluginLog,
    runtime::{Activation, Body, Generation, Release, Runtime as _},
};
use mint_domain::{
    Actor, Digest, Grants, InstallationId, Limits, RequestId, TenantId, User, UserId, manifest::InstancePolicy,
    permission::SystemRole,
};
use mint_platform::{layout::Layout, running::Running};
use mint_wasm::{Options, WasmRuntime};
use serde_json::{Value, json};

use crate::{Plan, bundles::Guest, report};

const GUESTS: [&str; 3] = ["hello", "hello-python", "hello-js"];
/// One warm-up of so many requests comes first: the pool's slots are made on first use.
const WARM_UP: usize = 20;
const WALL: Duration = Duration::from_secs(60);

/// Measures and prints.
pub(crate) fn run(plan: &Plan, dir: &Path) -> Result<()> {
    let runtime = tokio::runtime::Runtime::new()?;
    let rows = runtime.block_on(async {
        let mut rows = Vec::new();
        for name in GUESTS {
            report::progress(&format!("in process: {name}"));
            rows.push((name, Bench::open(plan, dir, name).await?.measure(plan.quick).await.with_context(|| name)?));
        }
        anyhow::Ok(rows)
    })?;
    let columns = ["compile", "start from cache", "first request", "fresh request", "warm request", "instantiate"];
    report::durations("in process, p50", &columns, &rows);
    report::note(
        "Start from cache: checked, mapped, linked, initialised. Instantiate: a store and an instance, made and dropped, as the\n\
         difference of a fresh and a warm request.",
    );
    Ok(())
}

/// A guest and what its calls need.
struct Bench {
    runtime: WasmRuntime,
    services: Arc<Services>,
    guest: Guest,
}

impl Bench {
    async fn open(plan: &Plan, dir: &Path, name: &str) -> Result<Self> {
        let dir = dir.join(format!("inside-{name}"));
        std::fs::create_dir(&dir)?;
        let guest = Guest::unpack(&plan.guests, name, &dir)?;
        let mut config = Config::default();
        config.server.data_path = dir.join("data");
        std::fs::create_dir(&config.server.data_path)?;
        let layout = Layout::prepare(&config.server.data_path)?;
        let services = open_services(&config, &layout, Arc::new(Running::default())).await?;
        let runtime = WasmRuntime::new(&Options { cache_directory: dir.join("cache"), slots: Options::SLOTS })?;
        Ok(Self { runtime, services, guest })
    }

    async fn measure(&self, quick: bool) -> Result<Vec<Option<Duration>>> {
        let (starts, requests) = if quick { (5, 200) } else { (20, 2_000) };
        let fresh = self.activation(InstancePolicy::Request)?;
        let begun = Instant::now();
        self.runtime.stage(&fresh.release, &fresh.authority.grants).await.map_err(|failure| anyhow::anyhow!("{failure}"))?;
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

    fn activation(&self, instances: InstancePolicy) -> Result<Activation> {
        let manifest = &self.guest.manifest;
        let plugin = &manifest.plugin;
        let tenant: mint_domain::Slug = "bench".parse()?;
        let manifest = Arc::new(self.guest.manifest_as(plugin.slug.as_str(), instances)?);
        let limits = Limits::default().merged(&manifest.limits)?;
        let log_bytes = limits.log_bytes_per_minute_max;
        let authority = Arc::new(PluginAuthority {
            installation: InstallationId(1),
            tenant: TenantId(1),
            tenant_slug: tenant.clone(),
            manifest: manifest.clone(),
            grants: Grants::new(manifest.requested().cloned()),
            limits,
        });
        let permissions = SystemRole::parse("admin").map(SystemRole::permissions).unwrap_or_default();
        let user = User {
            id: UserId(1),
            username: "ada".to_owned(),
            role: "admin".to_owned(),
            permissions,
            plugin_roles: BTreeMap::new(),
        };
        Ok(Activation {
            release: Arc::new(Release {
                manifest: manifest.clone(),
                digest: Digest::of(plugin.slug.as_str().as_bytes()),
                directory: self.guest.directory.clone(),
            }),
            authority: authority.clone(),
            generation: 1,
            settings: json!({"greeting": "Hello"}),
            data_directory: self.guest.directory.clone(),
            log: Arc::new(PluginLog::new(tenant, plugin.slug.clone(), plugin.version.clone(), InstallationId(1), log_bytes)),
            call: Call {
                services: self.services.clone(),
                tenant: TenantId(1),
                actor: Actor::User(user),
                plugin: Some(authority),
                request_id: RequestId::from_bits(1),
                deadline: tokio::time::Instant::now() + WALL,
            },
        })
    }
}

/// One request and its whole answer.
async fn request(activation: &Activation, generation: &dyn Generation) -> Result<Duration> {
    let prefix = format!("/api/{}", activation.authority.slug());
    let call = Call { deadline: tokio::time::Instant::now() + WALL, ..activation.call.clone() };
    let mut request: Request<Body> = Request::get(format!("{prefix}/"))
        .header("host", "localhost")
        .body(Empty::new().map_err(|never| match never {}).boxed_unsync())?;
    request.headers_mut().extend(headers::identity(&call));
    request.headers_mut().insert(headers::FORWARDED_PREFIX, HeaderValue::from_str(&prefix)?);
    let begun = Instant::now();
    let response = generation.handle(call, request).await?;
    let status = response.status();
    let body: Bytes = response.into_body().collect().await.map_err(|error| anyhow::anyhow!(error))?.to_bytes();
    let elapsed = begun.elapsed();
    let answer: Value = serde_json::from_slice(&body).unwrap_or_default();
    anyhow::ensure!(status.is_success() && answer.get("message").is_some(), "{status}: {}", String::from_utf8_lossy(&body));
    Ok(elapsed)
}

fn p50(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}
