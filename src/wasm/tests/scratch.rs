#![allow(clippy::all, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::disallowed_methods, missing_docs, reason = "scratch")]
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full, Empty, StreamBody};
use mint_context::{Call, PluginAuthority, Services, blobs::Blobs, logs::PluginLog, runtime::*, followers::*};
use mint_domain::*;
use serde_json::{Value, json};

#[derive(Debug)]
struct Nobody;
#[async_trait::async_trait]
impl Followers for Nobody {
    async fn before_save(&self, _: &Call, event: SaveEvent) -> Result<Value, Refusal> { Ok(event.data) }
    async fn after_save(&self, _: &Call, _: SaveEvent) {}
    async fn status_changed(&self, _: &Call, _: ExperimentId, _: experiment::ExperimentStatus, _: experiment::ExperimentStatus) {}
    async fn settings_changed(&self, _: &Call, _: InstallationId, _: Value) -> Result<(), Refusal> { Ok(()) }
}
struct World { dir: tempfile::TempDir, runtime: mint_wasm::WasmRuntime, services: Arc<Services> }
async fn world() -> World {
    let dir = tempfile::tempdir().unwrap();
    let db = mint_store::Db::open(&format!("sqlite:{}", dir.path().join("m.sqlite").display())).await.unwrap();
    let services = Arc::new(Services { db, blobs: Blobs::local(&dir.path().join("blobs")).unwrap(), clock: Arc::new(clock::SystemClock), followers: Arc::new(Nobody), plugin_environment: BTreeMap::new() });
    let runtime = mint_wasm::WasmRuntime::new(&mint_wasm::Options { cache_directory: std::env::temp_dir().join("mint-scratch-cache"), slots: std::env::var("SLOTS").map_or(8, |s| s.parse().unwrap()) }).unwrap();
    World { dir, runtime, services }
}
fn wasm() -> Vec<u8> { std::fs::read(std::env::var("SINK").unwrap_or("/tmp/guest/target/wasm32-wasip2/release/sink.wasm".into())).unwrap() }
const GRANTS: &[&str] = &["experiments:read", "objects"];
impl World {
    fn release(&self, instances: &str) -> Arc<Release> {
        let bytes = wasm();
        std::fs::write(self.dir.path().join("plugin.wasm"), &bytes).unwrap();
        let manifest = json!({"format_version": 2, "plugin": {"slug": std::env::var("SLUG").unwrap_or("sink".into()), "version": "1.0.0"}, "component": "plugin.wasm", "instances": instances, "files": {"plugin.wasm": Digest::of(&bytes).to_string()}});
        Arc::new(Release { manifest: Arc::new(Manifest::parse(manifest.to_string().as_bytes()).unwrap()), digest: Digest::of(b"b"), directory: self.dir.path().to_owned() })
    }
    fn activation(&self, instances: &str, grants: &[&str], settings: Value, limits: Value) -> Activation {
        let release = self.release(instances);
        let changes = serde_json::from_value(limits).unwrap();
        let limits = Limits::default().merged(&changes).unwrap();
        let log = Arc::new(PluginLog::new("lab".parse().unwrap(), "sink".parse().unwrap(), "1".into(), InstallationId(1), limits.log_bytes_per_minute_max));
        let authority = Arc::new(PluginAuthority { installation: InstallationId(1), tenant: TenantId(1), tenant_slug: "lab".parse().unwrap(), manifest: release.manifest.clone(), grants: Grants::new(grants.iter().map(|g| g.parse().unwrap())), limits });
        let call = Call { services: self.services.clone(), tenant: TenantId(1), actor: Actor::Plugin("sink".parse().unwrap()), plugin: Some(authority.clone()), request_id: RequestId::from_bits(9), deadline: tokio::time::Instant::now() + Duration::from_secs(60) };
        Activation { release, authority, generation: 1, settings, data_directory: self.dir.path().join("data"), log, call }
    }
    async fn start(&self, instances: &str, grants: &[&str], limits: Value) -> Started {
        let a = self.activation(instances, grants, json!({"name": "Ada", "n": 3}), limits);
        self.runtime.stage(&a.release, &a.authority.grants).await.unwrap();
        let t = std::time::Instant::now();
        let g = self.runtime.start(a.clone()).await.unwrap();
        eprintln!("start took {:?}", t.elapsed());
        Started { g, a }
    }
}
struct Started { g: Arc<dyn Generation>, a: Activation }
impl Started {
    fn call(&self) -> Call { Call { deadline: tokio::time::Instant::now() + Duration::from_secs(30), ..self.a.call.clone() } }
    async fn get(&self, path: &str) -> Result<Response<Body>, Fault> {
        let request = Request::get(path).header("host", "h").body(Empty::new().map_err(|e| match e {}).boxed_unsync()).unwrap();
        self.g.handle(self.call(), request).await
    }
    async fn text(&self, path: &str) -> String {
        let t = std::time::Instant::now();
        let s = match self.get(path).await {
            Ok(r) => { let status = r.status(); match r.into_body().collect().await { Ok(b) => { let b = b.to_bytes(); if b.len() < 2000 { format!("{status} {}", String::from_utf8_lossy(&b)) } else { format!("{status} {} bytes", b.len()) } }, Err(e) => format!("{status} body error: {}", e.to_string().lines().next().unwrap()) } }
            Err(f) => format!("FAULT {}", f.to_string().lines().take(1).collect::<String>()),
        };
        eprintln!("{path:<16} {:>8.1?}  {s}", t.elapsed());
        s
    }
}
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tour() {
    let w = world().await;
    let lim = json!({"cpu_ms_max": 300, "wall_ms_max": 1500, "response_body_bytes_max": 5000000, "instance_memory_bytes_max": 67108864});
    let s = w.start("request", &["experiments:read", "objects", "http:127.0.0.1:9", "http:localhost:80"], lim.clone()).await;
    for p in ["/hello", "/hello", "/count", "/count", "/config", "/me", "/exp", "/object", "/log", "/fs", "/env", "/tcp", "/headers", "/fetch?http://127.0.0.1:9/", "/fetch?http://localhost/", "/fetch?http://10.0.0.1/", "/fetch?http://u@127.0.0.1:9/",
        "/big?1000", "/big?200000", "/chunked?300000", "/chunked?6000000", "/big?9000000", "/unknown", "/nothing", "/trap", "/exit", "/loop", "/grow", "/late", "/short", "/leak", "/slow", "/sleep", "/informational", "/handles", "/fields", "/hugearg", "/plant", "/seek", "/seek"] { s.text(p).await; }
    eprintln!("{}", s.g.status());
    eprintln!("{:?}", s.g.check_health().await);
    eprintln!("failed: {:?}", tokio::time::timeout(Duration::from_millis(10), s.g.failed()).await.map(|f| f.to_string()));
    eprintln!("log: {:#?}", s.a.log.recent());
    let ev = |d: Value| SaveEvent { experiment: ExperimentId(1), plugin: "sink".parse().unwrap(), data: d };
    for d in [json!({}), json!({"veto": 1}), json!({"amend": 1})] { eprintln!("{:?}", s.g.before_save(s.call(), ev(d)).await); }
    eprintln!("{:?} {:?}", s.g.apply_settings(json!({"x": "bad"})).await, s.g.apply_settings(json!({"x": "good"})).await);
    s.text("/config").await;
    // echo, streamed
    let (tx, rx) = tokio::sync::mpsc::channel::<Result<http_body::Frame<Bytes>, BodyError>>(1);
    let stream = futures_util::stream::unfold(rx, |mut rx| async move { rx.recv().await.map(|x| (x, rx)) });
    let body = StreamBody::new(stream).boxed_unsync();
    let feeder = tokio::spawn(async move { for _ in 0..50 { tx.send(Ok(http_body::Frame::data(Bytes::from(vec![1; 10_000])))).await.unwrap(); tokio::time::sleep(Duration::from_millis(1)).await; } });
    let r = s.g.handle(s.call(), Request::post("/echo").header("host", "h").body(body).unwrap()).await.unwrap();
    eprintln!("echo {}", r.into_body().collect().await.unwrap().to_bytes().len());
    feeder.await.unwrap();
    let broken = StreamBody::new(futures_util::stream::iter([Ok(http_body::Frame::data(Bytes::from("abc"))), Err("cut".into())])).boxed_unsync();
    let r = s.g.handle(s.call(), Request::post("/readbody").body(broken).unwrap()).await.unwrap();
    eprintln!("broken {:?}", r.into_body().collect().await.unwrap().to_bytes());
    // client goes away
    let r = s.get("/chunked?4000000").await.unwrap();
    drop(r);
    s.g.stop(Duration::from_secs(2)).await;
    eprintln!("log: {:#?}", s.a.log.recent());
}
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn warm() {
    let w = world().await;
    let s = w.start("tenant", GRANTS, json!({"cpu_ms_max": 300, "wall_ms_max": 1500})).await;
    for p in ["/count", "/count", "/leak", "/count", "/trap", "/count", "/count", "/chunked?300000", "/count", "/big?200000", "/count"] { s.text(p).await; }
    let all = futures_util::future::join_all((0..30).map(|_| s.text("/count"))).await;
    eprintln!("{all:?} {}", s.g.status());
    s.g.apply_settings(json!({})).await.unwrap();
    s.text("/count").await;
    // other busy guests do not stop this one
    let loops: Vec<_> = (0..6).map(|_| { let g = s.g.clone(); let c = s.call(); tokio::spawn(async move { g.handle(c, Request::get("/loop").body(Empty::new().map_err(|e| match e {}).boxed_unsync()).unwrap()).await.map(drop) }) }).collect();
    tokio::time::sleep(Duration::from_millis(50)).await;
    for _ in 0..5 { s.text("/hello").await; }
    for l in loops { eprintln!("{:?}", l.await.unwrap().unwrap_err().to_string().lines().next()); }
    eprintln!("failed: {:?}", tokio::time::timeout(Duration::from_millis(10), s.g.failed()).await);
}
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refused() {
    let w = world().await;
    for settings in [json!({"x": "refuse"}), json!({"x": "panic"}), json!({"x": "loop"})] {
        let a = w.activation("request", GRANTS, settings, json!({"cpu_ms_max": 300}));
        let f = w.runtime.start(a).await.unwrap_err();
        eprintln!("{f} {:?}", f.log_excerpt);
    }
    let a = w.activation("request", &["objects"], json!({}), json!({}));
    eprintln!("{}", w.runtime.stage(&a.release, &a.authority.grants).await.unwrap_err());
}
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn speed() {
    let w = world().await;
    eprintln!("{}", std::fs::read_to_string("/proc/self/status").unwrap().lines().filter(|l| l.starts_with("Vm")).collect::<Vec<_>>().join(" "));
    for policy in ["request", "tenant"] {
        let s = w.start(policy, GRANTS, json!({})).await;
        for _ in 0..200 { s.get("/hello").await.unwrap(); }
        let t = std::time::Instant::now();
        for _ in 0..2000 { s.get("/hello").await.unwrap().into_body().collect().await.unwrap(); }
        eprintln!("{policy}: {:?} each", t.elapsed() / 2000);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files() {
    let w = world().await;
    for policy in ["request", "tenant"] {
        let s = w.start(policy, &["experiments:read", "objects", "files"], json!({"cache_bytes_max": 1000000, "files_bytes_max": 100000})).await;
        for p in ["/fs", "/fops", "/fops", "/fwrite?500000", "/fwrite?900000", "/fwrite?2000000", "/fwrite?900000", "/fhold", "/fhold", "/fmany", "/fmany", "/fwrite?990000", "/fops"] { s.text(p).await; }
    }
}
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn anything() {
    let Ok(_) = std::env::var("SINK") else { return };
    let w = world().await;
    for policy in ["request", "tenant"] {
        let s = w.start(policy, GRANTS, json!({})).await;
        for p in ["/api/hello", "/api/hello/", "/", "/"] { s.text(p).await; }
        eprintln!("{:?} {}", s.a.log.recent(), s.g.status());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn objects() {
    let w = world().await;
    let mut tx = w.services.db.begin().await.unwrap();
    let t = mint_store::tenants::insert(&mut tx, &"lab".parse().unwrap(), "Lab", time::OffsetDateTime::now_utc()).await.unwrap();
    tx.commit().await.unwrap();
    eprintln!("{t:?}");
    let s = w.start("request", GRANTS, json!({"objects_bytes_max": 500000})).await;
    let call = Call { actor: Actor::System, plugin: None, ..s.call() };
    let e = mint_context::experiments::create(&call, mint_context::experiments::Draft { name: "E".into(), experiment_type: "t".into(), ..Default::default() }).await.unwrap();
    eprintln!("{}", e.id);
    for p in ["/exp", "/object", "/object", "/me"] { s.text(p).await; }
    let user = User { id: UserId(1), username: "ada".into(), role: "viewer".into(), permissions: vec![] };
    let request = |p: &str| Request::get(p).body(Empty::new().map_err(|e| match e {}).boxed_unsync()).unwrap();
    for p in ["/exp", "/me"] {
        let r = s.g.handle(Call { actor: Actor::User(user.clone()), ..s.call() }, request(p)).await.unwrap();
        eprintln!("{:?}", r.into_body().collect().await.unwrap().to_bytes());
    }
}
