#![recursion_limit = "1024"]
#![allow(warnings)]
#![allow(clippy::all)]
use std::{path::PathBuf, sync::Arc, time::Duration, collections::BTreeMap};
use http_body_util::{BodyExt, Full, Empty};
use mint_context::{*, runtime::*, logs::PluginLog, followers::*, blobs::Blobs};
use mint_domain::{*, clock::SystemClock};
use mint_subprocess::*;
use serde_json::{json, Value};
use tokio::time::Instant;

#[derive(Debug)] struct NoFollowers;
#[async_trait::async_trait]
impl Followers for NoFollowers {
    async fn before_save(&self, _: &Call, e: SaveEvent) -> Result<Value, Refusal> { Ok(e.data) }
    async fn after_save(&self, _: &Call, _: SaveEvent) {}
    async fn status_changed(&self, _: &Call, _: ExperimentId, _: experiment::ExperimentStatus, _: experiment::ExperimentStatus) {}
    async fn settings_changed(&self, _: &Call, _: InstallationId, _: Value) -> Result<(), Refusal> { Ok(()) }
}
struct World { dir: tempfile::TempDir, runtime: IsolatedRuntime, services: Arc<Services>, registry: Arc<Registry>, tenant: TenantId, user: User, url: String, installation: InstallationId, _db: Vec<mint_store::testing::TestDb> }
fn body(b: &'static str) -> Body { Full::new(bytes::Bytes::from(b)).map_err(|n| match n {}).boxed_unsync() }
fn get(p: &str) -> http::Request<Body> { http::Request::get(p).body(body("")).unwrap() }
async fn text(r: http::Response<Body>) -> String { String::from_utf8_lossy(&r.into_body().collect().await.unwrap().to_bytes()).into_owned() }

async fn world(start: Duration) -> World {
    let _ = tracing_subscriber::fmt().with_env_filter(std::env::var("L").unwrap_or("warn".into())).try_init();
    let dir = tempfile::tempdir().unwrap();
    let mut dbs = mint_store::testing::databases().await;
    let db = dbs[0].db.clone();
    let services = Arc::new(Services { db: db.clone(), blobs: Blobs::local(&dir.path().join("blobs")).unwrap(), clock: Arc::new(SystemClock), followers: Arc::new(NoFollowers), plugin_environment: BTreeMap::new() });
    let now = services.clock.now();
    let mut tx = db.begin().await.unwrap();
    let t = mint_store::tenants::insert(&mut tx, &"lab".parse().unwrap(), "Lab", now).await.unwrap();
    let u = mint_store::users::insert(&mut tx, t.id, "ana", None, "admin", now).await.unwrap();
    let m = manifest("normal");
    mint_store::releases::insert(&mut tx, &m, &Digest::of(b"x"), now).await.unwrap();
    let rel = mint_store::releases::find(&mut tx, "hello", "1.0.0").await.unwrap().unwrap();
    let plan = mode::decide(&m, None).unwrap();
    let inst = mint_store::installations::insert(&mut tx, t.id, &mint_store::installations::NewInstallation { slug: "hello", release: rel.id, prefix: "/hello", plan: &plan, state: &State::Ready, grants: &Grants::default(), limits: &Default::default() }, now).await.unwrap();
    tx.commit().await.unwrap();
    let registry = Registry::new();
    let router = axum::Router::new().nest("/api/internal", rpc::router(RpcState { registry: registry.clone(), platform_version: "0.1.0".into() }));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    let mut config = SubprocessConfig::new(dir.path().join("cache"), dir.path().join("run"), url.clone(), "/usr/bin:/bin".into());
    config.start_timeout = start;
    config.uv = "/root/.cache/mint/tools-proto/bin/uv".into();
    config.search_path = "/root/.pyenv/versions/3.12.1/bin:/usr/bin:/bin".into();
    if let Ok(c) = std::env::var("UVC") { config.pass_environment = vec![("UV_CACHE_DIR".into(), c)]; }
    for n in ["UV_INDEX_URL","UV_DEFAULT_INDEX","PIP_INDEX_URL","HTTPS_PROXY","HTTP_PROXY","SSL_CERT_FILE","https_proxy","http_proxy"] { if let Ok(v) = std::env::var(n) { config.pass_environment.push((n.into(), v)); } }
    let runtime = IsolatedRuntime::new(config, registry.clone()).await.unwrap();
    let user = User { id: u.id, username: "ana".into(), role: "admin".into(), permissions: Permission::ALL.to_vec() };
    World { dir, runtime, services, registry, tenant: t.id, user, url, installation: inst.id, _db: dbs }
}
fn manifest(mode: &str) -> Manifest {
    Manifest::parse(json!({"format_version": 2, "plugin": {"slug": "hello", "version": "1.0.0", "plugin_type": "full"},
        "process": {"executable": "p.py", "args": [mode, "--socket", "{socket}"]},
        "settings_schema": {"type":"object","properties":{"a":{"type":"integer","default":1},"b":{"type":"string"}}},
        "capabilities": [], "files": {"p.py": Digest::of(b"").to_string()}}).to_string().as_bytes()).unwrap()
}
impl World {
    fn activation(&self, m: Manifest, digest: &str, directory: PathBuf, limits: Limits) -> Activation {
        let manifest = Arc::new(m);
        let grants = Grants::new(["experiments:write","designs:write","results:write","objects","settings:write","users:read","projects:read"].iter().map(|t| t.parse().unwrap()));
        let authority = Arc::new(PluginAuthority { installation: self.installation, tenant: self.tenant, tenant_slug: "lab".parse().unwrap(), manifest: manifest.clone(), grants, limits });
        let call = Call { services: self.services.clone(), tenant: self.tenant, actor: Actor::Plugin("hello".parse().unwrap()), plugin: Some(authority.clone()), request_id: RequestId::from_bits(1), deadline: Instant::now() + Duration::from_secs(60) };
        let data = self.dir.path().join("data"); std::fs::create_dir_all(&data).unwrap();
        Activation { release: Arc::new(Release { manifest, digest: Digest::of(digest.as_bytes()), directory }), authority, generation: 1, settings: json!({}), data_directory: data,
            log: Arc::new(PluginLog::new("lab".parse().unwrap(), "hello".parse().unwrap(), "1.0.0".into(), self.installation, 1<<20)), call }
    }
    async fn start(&self, mode: &str, limits: Limits) -> (Result<Arc<dyn Generation>, mint_domain::lifecycle::Failure>, Activation) {
        let rel = self.dir.path().join("rel"); std::fs::create_dir_all(&rel).unwrap();
        std::fs::write(rel.join("p.py"), include_str!("plugin.py")).unwrap();
        let a = self.activation(manifest(mode), "d", rel, limits);
        (self.runtime.start(a.clone()).await, a)
    }
    fn call(&self, a: &Activation, ms: u64) -> Call { Call { actor: Actor::User(self.user.clone()), deadline: Instant::now() + Duration::from_millis(ms), request_id: RequestId::from_bits(0xabc), ..a.call.clone() } }
    fn run_is_empty(&self) -> bool { std::fs::read_dir(self.dir.path().join("run")).map(|d| d.count() == 0).unwrap_or(true) }
}

#[tokio::test(flavor = "multi_thread")]
async fn normal() {
    let w = world(Duration::from_secs(10)).await;
    let t = Instant::now();
    let (g, a) = w.start("normal", Limits::default()).await; let g = g.unwrap();
    println!("started in {:?} {}", t.elapsed(), g.status());
    let r = g.handle(w.call(&a, 5000), get("/api/hello/x?y=%2F1")).await.unwrap();
    println!("{:?} {}", r.status(), text(r).await);
    println!("env {}", text(g.handle(w.call(&a, 5000), get("/api/hello/env")).await.unwrap()).await);
    println!("limits {}", text(g.handle(w.call(&a, 5000), get("/api/hello/limits")).await.unwrap()).await);
    let mut rq = get("/api/hello/headers"); for (k, v) in [("x-mint-user-id","99"),("authorization","Bearer x"),("cookie","a=b"),("connection","x-foo"),("x-foo","1"),("accept","*/*"),("x-forwarded-for","1.1.1.1")] { rq.headers_mut().append(k, v.parse().unwrap()); }
    let r = g.handle(w.call(&a, 5000), rq).await.unwrap();
    println!("headers in {:?}", r.headers()); println!("headers seen {}", text(r).await);
    let t = Instant::now(); for _ in 0..2000 { let r = g.handle(w.call(&a, 5000), get("/api/hello/x")).await.unwrap(); text(r).await; }
    println!("2000 sequential: {:?}", t.elapsed());
    // big streamed upload
    let chunks = futures_util::stream::iter((0..512).map(|_| Ok::<_, BodyError>(http_body::Frame::data(bytes::Bytes::from(vec![1u8; 256 << 10])))));
    let rq = http::Request::post("/api/hello/up").body(http_body_util::StreamBody::new(chunks).boxed_unsync()).unwrap();
    println!("128 MiB up: {}", text(g.handle(w.call(&a, 30000), rq).await.unwrap()).await);
    let rq = http::Request::post("/api/hello/up").body(http_body_util::StreamBody::new(futures_util::stream::iter((0..2048).map(|_| Ok::<_, BodyError>(http_body::Frame::data(bytes::Bytes::from(vec![1u8; 256 << 10])))))).boxed_unsync()).unwrap();
    println!("512 MiB up: {:?}", g.handle(w.call(&a, 30000), rq).await.map(|_| ()));
    let rq = http::Request::post("/api/hello/up").body(http_body_util::StreamBody::new(futures_util::stream::iter([Ok(http_body::Frame::data(bytes::Bytes::from("x"))), Err::<_, BodyError>("client gone".into())])).boxed_unsync()).unwrap();
    println!("client breaks: {:?}", g.handle(w.call(&a, 3000), rq).await.map(|_| ()));
    let rq = http::Request::post("/api/hello/up").body(http_body_util::StreamBody::new(futures_util::stream::pending::<Result<_, BodyError>>()).boxed_unsync()).unwrap();
    println!("client slow: {:?}", g.handle(w.call(&a, 300), rq).await.map(|_| ()));
    println!("hang: {:?}", g.handle(w.call(&a, 300), get("/api/hello/hang")).await.map(|_| ()));
    let mut rq = get("/api/hello/ws"); rq.headers_mut().insert("upgrade", "websocket".parse().unwrap());
    let r = g.handle(w.call(&a, 300), rq).await.unwrap(); println!("ws: {} {}", r.status(), text(r).await);
    let mut sse = g.handle(w.call(&a, 3000), get("/api/hello/sse")).await.unwrap().into_body();
    for _ in 0..3 { println!("sse {:?}", sse.frame().await); } drop(sse); tokio::time::sleep(Duration::from_millis(300)).await;
    println!("log {:?}", a.log.recent());
    println!("health {:?}", g.check_health().await);
    println!("follows {:?}", g.follows());
    // dies in request, comes back
    println!("die: {:?}", g.handle(w.call(&a, 3000), get("/api/hello/die")).await.map(|_| ()));
    let t = Instant::now(); println!("next: {:?} after {:?}", g.handle(w.call(&a, 5000), get("/api/hello/x")).await.map(|r| r.status()), t.elapsed());
    println!("{}", g.status());
    println!("segv: {:?}", g.handle(w.call(&a, 3000), get("/api/hello/segv")).await.map(|_| ()));
    println!("next: {:?}", g.handle(w.call(&a, 5000), get("/api/hello/x")).await.map(|r| r.status()));
    let pid = g.status()["pid"].as_i64().unwrap();
    rustix::process::kill_process(rustix::process::Pid::from_raw(pid as i32).unwrap(), rustix::process::Signal::KILL).unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    println!("after kill -9: {:?} {}", g.handle(w.call(&a, 5000), get("/api/hello/x")).await.map(|r| r.status()), g.status());
    let old = g.status()["pid"].clone();
    let t = Instant::now(); println!("apply: {:?} in {:?}; pid {} -> {}", g.apply_settings(json!({"a": 2})).await, t.elapsed(), old, g.status()["pid"]);
    println!("next: {:?}", g.handle(w.call(&a, 5000), get("/api/hello/x")).await.map(|r| r.status()));
    let t = Instant::now(); g.stop(Duration::from_secs(5)).await; println!("stop {:?} {}", t.elapsed(), g.status());
    println!("after stop: {:?}", g.handle(w.call(&a, 500), get("/api/hello/x")).await.map(|_| ()));
    println!("run empty: {}", w.run_is_empty());
}
#[tokio::test(flavor = "multi_thread")]
async fn trouble() {
    let w = world(Duration::from_millis(1500)).await;
    for m in ["never", "exit3", "exit0"] { let t = Instant::now(); let (g, _) = w.start(m, Limits::default()).await; println!("{m}: {:?} after {:?}; clean {}", g.err(), t.elapsed(), w.run_is_empty()); }
    let (g, a) = w.start("ignoreterm", Limits::default()).await; let g = g.unwrap();
    let t = Instant::now(); g.stop(Duration::from_millis(500)).await; println!("ignoreterm stop {:?} {} clean {}", t.elapsed(), g.status(), w.run_is_empty());
    let (g, a) = w.start("daemon", Limits::default()).await; let g = g.unwrap();
    tokio::time::sleep(Duration::from_millis(200)).await;
    let find = || std::process::Command::new("pgrep").args(["-fc", "p.py|executables/hello"]).output().map(|o| String::from_utf8_lossy(&o.stdout).trim().to_string()).unwrap();
    println!("before {}", find()); g.stop(Duration::from_millis(500)).await; println!("after daemon stop {}", find());
    let (g, a) = w.start("flood", Limits::default()).await; let g = g.unwrap();
    for _ in 0..5 { let t = Instant::now(); let r = g.handle(w.call(&a, 5000), get("/api/hello/x")).await.map(|r| r.status()); println!("flooding: {r:?} {:?}", t.elapsed()); tokio::time::sleep(Duration::from_millis(300)).await; }
    g.stop(Duration::from_secs(2)).await; println!("flood stopped {}", g.status());
    // exit loop: healthy then dies on each request
    let (g, a) = w.start("normal", Limits::default()).await; let g = g.unwrap();
    for i in 0..6 { println!("die {i}: {:?}", g.handle(w.call(&a, 8000), get("/api/hello/die")).await.map(|_| ())); }
    let t = Instant::now(); println!("failed: {:?} {:?}", tokio::time::timeout(Duration::from_secs(3), g.failed()).await.map(|f| (f.reason, f.quarantine)), t.elapsed());
    println!("{}", g.status()); g.stop(Duration::ZERO).await; println!("clean {}", w.run_is_empty());
    let (g, a) = w.start("badhttp", Limits { response_body_bytes_max: 1 << 20, ..Limits::default() }).await; let g = g.unwrap();
    for p in ["garbage","101","short","headers","bighead","dupcl","clte","infchunk","none"] {
        let t = Instant::now();
        match g.handle(w.call(&a, 2000), get(&format!("/api/hello/{p}"))).await {
            Ok(r) => { let s = r.status(); let b = r.into_body().collect().await; println!("{p}: {s} body {:?}", b.map(|b| b.to_bytes()).map_err(|e| e.to_string())) }
            Err(e) => println!("{p}: {e:?} {:?}", t.elapsed()),
        }
    }
    tokio::time::sleep(Duration::from_millis(200)).await; println!("log {:?}", a.log.recent()); drop(g);
    tokio::time::sleep(Duration::from_millis(500)).await; println!("after drop: procs {} clean {}", find(), w.run_is_empty());
}
#[tokio::test(flavor = "multi_thread")]
async fn rpc() {
    let w = world(Duration::from_secs(5)).await;
    let (g, a) = w.start("normal", Limits::default()).await; let g = g.unwrap();
    let me = w.user.id.0.to_string();
    let plan = json!([
      ["platform","GET","/platform",null,{}],
      ["notoken","GET","/platform",null,{"X-MINT-Internal-Token":null}],
      ["badtoken","GET","/platform",null,{"X-MINT-Internal-Token":"0000"}],
      ["badname","GET","/platform",null,{"X-MINT-Plugin-Name":"other"}],
      ["api2","GET","/platform",null,{"X-MINT-Platform-API-Version":"2"}],
      ["config","GET","/plugin-config/hello",null,{}],
      ["configother","GET","/plugin-config/other",null,{}],
      ["snap","POST","/plugin-config/hello/snapshot",{"owned_keys":["a"]},{}],
      ["cas","POST","/plugin-config/hello/compare-and-swap",{"expected":{"a":1},"settings":{"a":5},"owned_keys":["a"]},{}],
      ["cas2","POST","/plugin-config/hello/compare-and-swap",{"expected":{"a":1},"settings":{"a":6},"owned_keys":["a"]},{}],
      ["casbad","POST","/plugin-config/hello/compare-and-swap",{"expected":{"a":5},"settings":{"a":"x"},"owned_keys":["a"]},{}],
      ["put","PUT","/plugin-config/hello",{"settings":{"b":"z"},"owned_keys":["b"]},{}],
      ["config2","GET","/plugin-config/hello",null,{}],
      ["new","POST","/experiments",{"name":"E","experiment_type":"t"},{"x-mint-user-id":me}],
      ["list","GET","/experiments?skip=0&limit=10&status=planned",null,{}],
      ["badstatus","GET","/experiments?status=nope",null,{}],
      ["badquery","GET","/experiments?limit=x",null,{}],
      ["get","GET","/experiments/1",null,{"X-MINT-SDK-Version":null}],
      ["get404","GET","/experiments/77",null,{}],
      ["getbad","GET","/experiments/xyz",null,{}],
      ["asother","GET","/experiments/1",null,{"x-mint-user-id":"4242"}],
      ["patch","PATCH","/experiments/1",{"status":"ongoing","notes":"n"},{}],
      ["data404","GET","/experiments/1/data",null,{}],
      ["putdata","PUT","/experiments/1/data",{"plugin_id":"hello","data":{"k":1},"schema_version":"1.0"},{}],
      ["putdataother","PUT","/experiments/1/data",{"plugin_id":"other","data":{}},{}],
      ["data","GET","/experiments/1/data",null,{}],
      ["deldata","DELETE","/experiments/1/data",null,{}],
      ["deldata2","DELETE","/experiments/1/data",null,{}],
      ["putres","PUT","/experiments/1/results/hello",{"plugin_id":"hello","result":{"x":1,"y":2}},{}],
      ["res","GET","/experiments/1/results/hello?fields=x",null,{}],
      ["ress","GET","/experiments/1/results",null,{}],
      ["resold","GET","/experiments/1/results/hello",null,{"X-MINT-SDK-Version":null}],
      ["resother","GET","/experiments/1/results/other",null,{}],
      ["arts","PUT","/experiments/1/analysis-artifacts",{"artifacts":[{"artifact_key":"a/b","result":{"q":1},"display_name":null,"note":null}]},{}],
      ["artput","PUT","/experiments/1/analysis-artifacts/c%2Fd",{"result":{"q":2},"display_name":"D"},{}],
      ["art","GET","/experiments/1/analysis-artifacts/hello/a%2Fb",null,{}],
      ["art2","GET","/experiments/1/analysis-artifacts/hello/c/d",null,{}],
      ["artlist","GET","/experiments/1/analysis-artifacts?include_others=false&include_archived=true",null,{}],
      ["archive","POST","/experiments/1/analysis-artifacts/a/b/archive",null,{}],
      ["restore","POST","/experiments/1/analysis-artifacts/a%2Fb/restore",null,{}],
      ["what","POST","/experiments/1/analysis-artifacts/a/frob",null,{}],
      ["obj","PUT","/experiments/1/objects/dir/f.txt","--B\r\nContent-Disposition: form-data; name=\"content_type\"\r\n\r\ntext/x\r\n--B\r\nContent-Disposition: form-data; name=\"metadata\"\r\n\r\n{\"m\":\"1\"}\r\n--B\r\nContent-Disposition: form-data; name=\"file\"; filename=\"f.txt\"\r\nContent-Type: text/plain\r\n\r\nhello file\r\n--B--\r\n",{"Content-Type":"multipart/form-data; boundary=B"}],
      ["objcut","PUT","/experiments/1/objects/cut","--B\r\nContent-Disposition: form-data; name=\"file\"; filename=\"f.txt\"\r\n\r\nhello",{"Content-Type":"multipart/form-data; boundary=B"}],
      ["objnomp","PUT","/experiments/1/objects/cut","x",{}],
      ["objget","GET","/experiments/1/objects/dir/f.txt?format=raw",null,{}],
      ["objhead","HEAD","/experiments/1/objects/dir/f.txt",null,{}],
      ["objhead404","HEAD","/experiments/1/objects/nope",null,{}],
      ["objlist","GET","/experiments/1/objects?prefix=dir/",null,{}],
      ["objdel","DELETE","/experiments/1/objects/dir/f.txt",null,{}],
      ["objdel2","DELETE","/experiments/1/objects/dir/f.txt",null,{}],
      ["users","GET","/users?skip=0&limit=5",null,{}],
      ["user","GET",format!("/users/{me}"),null,{}],
      ["byname","GET","/users/by-username/ana",null,{}],
      ["role","GET",format!("/plugin-roles/{me}"),null,{}],
      ["badjson","POST","/experiments","{nope",{"Content-Type":"application/json"}],
      ["del","DELETE","/experiments/1",null,{}],
      ["nowhere","GET","/nowhere",null,{}],
      ["method","DELETE","/platform",null,{}],
    ]);
    let mut rq = get("/api/hello/call"); rq.headers_mut().insert("x-plan", plan.to_string().parse().unwrap());
    let r: Value = serde_json::from_str(&text(g.handle(w.call(&a, 20000), rq).await.unwrap()).await).unwrap();
    for step in plan.as_array().unwrap() { let v = &r[step[0].as_str().unwrap()]; println!("{:<12} {} {}", step[0].as_str().unwrap(), v[0], v[1]); }
    println!("objhead headers {}", r["objhead"][2]);
    g.stop(Duration::from_secs(1)).await;
}
fn tree(dir: &str) -> (Manifest, PathBuf) { let d = PathBuf::from(dir); (Manifest::parse(&std::fs::read(d.join("manifest.json")).unwrap()).unwrap(), d) }
#[tokio::test(flavor = "multi_thread")]
async fn wheels() {
    let w = world(Duration::from_secs(60)).await;
    let (m, d) = tree(&std::env::var("BUNDLE").unwrap_or("/tmp/whl/dr".into()));
    let mut a = w.activation(m, "dr1", d, Limits::default());
    let t = Instant::now();
    let gr = Grants::default(); let (x, y) = tokio::join!(w.runtime.stage(&a.release, &gr), w.runtime.stage(&a.release, &gr));
    println!("staged {x:?} {y:?} in {:?}", t.elapsed());
    let t = Instant::now(); w.runtime.stage(&a.release, &Grants::default()).await.unwrap(); println!("again {:?}", t.elapsed());
    println!("{}", String::from_utf8_lossy(&std::process::Command::new("sh").arg("-c").arg(format!("ls -la {0}/cache/venvs/*; du -sh {0}/cache/venvs {0}/cache/uv", w.dir.path().display())).output().unwrap().stdout));
    let t = Instant::now(); let g = w.runtime.start(a.clone()).await;
    println!("start {:?} log {:#?}", t.elapsed(), a.log.recent());
    let g = match g { Ok(g) => g, Err(f) => { println!("FAIL {f:?}"); return } };
    println!("{}", g.status());
    let p = a.release.manifest.prefix().unwrap().public();
    for path in ["/me", "/", "/experiments/1", "/_mint/runtime", "/nope"] { let r = g.handle(w.call(&a, 10000), get(&format!("{p}{path}"))).await.unwrap(); println!("{path}: {} {}", r.status(), text(r).await); }
    let t = Instant::now(); for _ in 0..500 { let r = g.handle(w.call(&a, 5000), get(&format!("{p}/_mint/runtime"))).await.unwrap(); text(r).await; } println!("500: {:?}", t.elapsed());
    println!("follows {:?}", g.follows());
    println!("before_save {:?}", g.before_save(w.call(&a, 5000), SaveEvent { experiment: ExperimentId(1), plugin: "hello".parse().unwrap(), data: json!({"x":1}) }).await);
    println!("after_save {:?}", g.after_save(w.call(&a, 5000), SaveEvent { experiment: ExperimentId(1), plugin: "hello".parse().unwrap(), data: json!({"x":1}) }).await);
    println!("status_changed {:?}", g.status_changed(w.call(&a, 5000), ExperimentId(1), "planned", "ongoing").await);
    println!("follows {:?} health {:?}", g.follows(), g.check_health().await);
    let t = Instant::now(); println!("apply bad {:?} {:?}", g.apply_settings(json!({"confidence": "x"})).await, t.elapsed());
    let t = Instant::now(); println!("apply {:?} {:?}", g.apply_settings(json!({"confidence": 0.9})).await, t.elapsed());
    let t = Instant::now(); g.stop(Duration::from_secs(10)).await; println!("stop {:?} {}", t.elapsed(), g.status());
    println!("log {:#?} clean {}", a.log.recent(), w.run_is_empty());
}
fn cfg(dir: &std::path::Path) -> SubprocessConfig { let mut c = SubprocessConfig::new(dir.join("cache"), dir.join("run"), "http://127.0.0.1:9".into(), "/root/.pyenv/versions/3.12.1/bin:/usr/bin:/bin".into()); c.uv = "/root/.cache/mint/tools-proto/bin/uv".into(); c.pass_environment = vec![("UV_CACHE_DIR".into(), "/tmp/uvc".into())]; c }
#[tokio::test(flavor = "multi_thread")]
async fn stagefail() {
    let _ = tracing_subscriber::fmt().with_env_filter("warn").try_init();
    let dir = tempfile::tempdir().unwrap();
    let cp = |n: &str| { let d = dir.path().join(n); std::process::Command::new("cp").args(["-r", "/tmp/whl/v2"]).arg(&d).status().unwrap(); d };
    let go = async |c: SubprocessConfig, d: PathBuf, n: &str| {
        let m = Manifest::parse(&std::fs::read(d.join("manifest.json")).unwrap()).unwrap();
        let r = Release { manifest: Arc::new(m), digest: Digest::of(n.as_bytes()), directory: d };
        let rt = IsolatedRuntime::new(c, Registry::new()).await.unwrap();
        let t = Instant::now(); let x = rt.stage(&r, &Grants::default()).await;
        match x { Ok(()) => println!("{n}: ok {:?}", t.elapsed()), Err(f) => println!("{n}: {:?}\n  {}\n  {}\n  {:?}", t.elapsed(), f.reason, f.hint, f.log_excerpt) }
    };
    let c = || cfg(dir.path());
    let mut x = c(); x.uv = "uv-is-not-here".into(); go(x, cp("a"), "missing uv").await;
    let mut x = c(); x.uv = "uv".into(); x.search_path = "/root/.cache/mint/tools-proto/bin:/root/.pyenv/versions/3.12.1/bin:/usr/bin:/bin".into(); go(x, cp("a2"), "uv by path").await;
    let d = cp("b"); let t = std::fs::read_to_string(d.join("requirements.txt")).unwrap(); std::fs::write(d.join("requirements.txt"), t.replace("sha256:", "sha256:0000").lines().map(|l| if l.contains("sha256:0000") { let i = l.find("sha256:").unwrap() + 7; let mut s: String = l[..i].into(); s.push_str(&l[i+4..i+68]); s.replacen(&l[i+4..i+5], "0", 1) + " \\" } else { l.into() }).collect::<Vec<_>>().join("\n")).unwrap(); go(c(), d, "broken lock").await;
    let d = cp("b2"); let t = std::fs::read_to_string(d.join("requirements.txt")).unwrap(); let t: String = t.lines().filter(|l| !l.trim_start().starts_with("--hash")).map(|l| if l.contains("==") { format!("{} --hash=sha256:{}\n", l.trim_end_matches(" \\"), "0".repeat(64)) } else { String::new() }).collect(); std::fs::write(d.join("requirements.txt"), t).unwrap(); go(c(), d, "wrong hashes").await;
    let mut x = c(); x.python = Some(">=3.20".into()); go(x, cp("c"), "no python").await;
    let mut x = c(); x.index_url = Some("http://127.0.0.1:9/simple".into()); x.pass_environment = vec![]; go(x, cp("d"), "no index").await;
    let mut x = c(); x.pass_environment = vec![]; x.offline = true; x.cache_directory = dir.path().join("emptycache"); go(x, cp("e"), "offline, empty cache").await;
    let mut x = c(); x.offline = true; x.cache_directory = dir.path().join("emptycache2"); go(x, cp("e2"), "offline, warm cache").await;
    let mut x = c(); x.build_timeout = Duration::from_millis(10); go(x, cp("f"), "too slow").await;
    let d = cp("g"); std::fs::write(d.join("wheels/hello_python-1.0.0-py3-none-any.whl"), b"junk").unwrap(); go(c(), d, "junk wheel").await;
    let d = cp("h"); std::fs::write(d.join("requirements.txt"), "no-such-thing-xyz-mint==1.0 --hash=sha256:0000000000000000000000000000000000000000000000000000000000000000\n").unwrap(); go(c(), d, "unknown package").await;
    let x = c(); std::fs::create_dir_all(dir.path().join("ro")).unwrap(); let mut x2 = x.clone(); x2.cache_directory = "/proc/nope".into(); go(x2, cp("i"), "unwritable").await;
    println!("{}", String::from_utf8_lossy(&std::process::Command::new("sh").arg("-c").arg(format!("ls -la {0}/cache/venvs/*; pgrep -fa tools-proto/bin/uv", dir.path().display())).output().unwrap().stdout));
}
#[tokio::test(flavor = "multi_thread")]
async fn hostdies() {
    // parent phase: run child test binary with HOSTRUN
    if let Ok(run) = std::env::var("HOSTRUN") {
        let w = world(Duration::from_secs(5)).await;
        let mut c = cfg(std::path::Path::new(&run)); c.platform_url = w.url.clone();
        let rt = IsolatedRuntime::new(c, w.registry.clone()).await.unwrap();
        let rel = w.dir.path().join("rel"); std::fs::create_dir_all(&rel).unwrap(); std::fs::write(rel.join("p.py"), include_str!("plugin.py")).unwrap();
        let g1 = rt.start(w.activation(manifest("normal"), "d", rel.clone(), Limits::default())).await.unwrap();
        let g2 = rt.start(w.activation(manifest("daemon"), "d", rel, Limits::default())).await.unwrap();
        println!("UP"); tokio::time::sleep(Duration::from_secs(100)).await;
    }
    let dir = tempfile::tempdir().unwrap();
    let exe = std::env::current_exe().unwrap();
    let mut child = std::process::Command::new(exe).args(["--exact", "hostdies", "--nocapture"]).env("HOSTRUN", dir.path()).stdout(std::process::Stdio::piped()).spawn().unwrap();
    use std::io::BufRead; for l in std::io::BufReader::new(child.stdout.take().unwrap()).lines() { if l.unwrap().contains("UP") { break } }
    let find = || String::from_utf8_lossy(&std::process::Command::new("sh").arg("-c").arg(format!("pgrep -fa {}/cache/executables; ls {}/run", dir.path().display(), dir.path().display())).output().unwrap().stdout).to_string();
    tokio::time::sleep(Duration::from_millis(300)).await;
    println!("alive:\n{}", find());
    child.kill().unwrap(); child.wait().unwrap(); tokio::time::sleep(Duration::from_millis(300)).await;
    println!("after SIGKILL of the host:\n{}", find());
    let _rt = IsolatedRuntime::new(cfg(dir.path()), Registry::new()).await.unwrap();
    println!("after sweep:\n{}", find());
}
#[tokio::test(flavor = "multi_thread")]
async fn swap() {
    let w = world(Duration::from_secs(5)).await;
    let (g, a) = w.start("normal", Limits::default()).await; let g = g.unwrap();
    let s = std::fs::read_dir(w.dir.path().join("run")).unwrap().next().unwrap().unwrap().path().join("s");
    std::fs::remove_file(&s).unwrap(); let _l = std::os::unix::net::UnixListener::bind(&s).unwrap();
    println!("swapped: {:?}", g.handle(w.call(&a, 2000), get("/api/hello/x")).await.map(|_| ()));
    println!("health: {:?}", g.check_health().await);
    std::fs::remove_file(&s).unwrap();
    println!("gone: {:?}", g.handle(w.call(&a, 2000), get("/api/hello/x")).await.map(|_| ()));
    let gr = Grants::default(); let mut c = cfg(w.dir.path());
    for n in ["SSL_CERT_FILE"] { c.pass_environment.push((n.into(), std::env::var(n).unwrap())); }
    let d = w.dir.path().join("b2"); std::process::Command::new("cp").args(["-r", "/tmp/whl/v2"]).arg(&d).status().unwrap();
    let t = std::fs::read_to_string(d.join("requirements.txt")).unwrap(); let t: String = t.lines().filter(|l| !l.trim_start().starts_with("--hash")).map(|l| if l.contains("==") { format!("{} --hash=sha256:{}\n", l.trim_end_matches(" \\"), "0".repeat(64)) } else { String::new() }).collect(); std::fs::write(d.join("requirements.txt"), t).unwrap();
    let m = Manifest::parse(&std::fs::read(d.join("manifest.json")).unwrap()).unwrap();
    let rt = IsolatedRuntime::new(c, Registry::new()).await.unwrap();
    println!("{:#?}", rt.stage(&Release { manifest: Arc::new(m), digest: Digest::of(b"z"), directory: d }, &gr).await);
}
