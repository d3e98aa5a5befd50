//! Three servers under load. One after another dies in the middle of a change; somebody finishes it, nobody notices.

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use mint_tests::{Client, Guest, Reply, bundle, eventually, repackaged};
use reqwest::Method;
use rustix::process::Signal;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::{Shared, run_operation};
use crate::cli::Mint;

/// Clients at once.
const CLIENTS: usize = 4;

/// What stands before the servers: it knows those that are there, and asks another once where one does not answer.
#[derive(Debug)]
struct Balancer {
    admin: Client,
    servers: Mutex<Vec<Option<String>>>,
    next: AtomicUsize,
    is_installed: AtomicBool,
    ended: AtomicBool,
    failures: Mutex<Vec<String>>,
    retried: AtomicUsize,
    acknowledged: Mutex<Vec<String>>,
    answers: AtomicUsize,
}

impl Balancer {
    fn pick(&self, but: Option<&str>) -> String {
        let servers = self.servers.lock().unwrap();
        let there: Vec<_> = servers.iter().flatten().filter(|url| Some(url.as_str()) != but).collect();
        there[self.next.fetch_add(1, Ordering::Relaxed) % there.len()].clone()
    }

    fn set(&self, position: usize, url: Option<String>) {
        self.servers.lock().unwrap()[position] = url;
    }

    async fn once(&self, url: &str, method: &Method, path: &str, body: Option<&Value>) -> Result<Reply, String> {
        let mut request = self.admin.at(url).request(method.clone(), path).timeout(Duration::from_secs(20));
        if let Some(body) = body {
            request = request.json(body);
        }
        let answered = async {
            let response = request.send().await?;
            let (status, headers) = (response.status(), response.headers().clone());
            Ok::<_, reqwest::Error>(Reply { status, headers, body: response.bytes().await? })
        };
        match answered.await {
            Ok(reply) if reply.status.is_success() => Ok(reply),
            Ok(reply) => Err(format!("{url}{path}: {reply:?}")),
            Err(error) => Err(format!("{url}{path}: {error:?}")),
        }
    }

    /// Sends a request, and sends it to another server once if it failed.
    async fn send(&self, method: Method, path: &str, body: Option<Value>) -> bool {
        let first = self.pick(None);
        let Err(why) = self.once(&first, &method, path, body.as_ref()).await else { return true };
        self.retried.fetch_add(1, Ordering::Relaxed);
        let second = self.pick(Some(&first));
        match self.once(&second, &method, path, body.as_ref()).await {
            Ok(_) => true,
            Err(again) => {
                self.failures.lock().unwrap().push(format!("{why}\n  then {again}"));
                false
            }
        }
    }

    /// One client: writes, reads, and asks the plugin, until the end.
    async fn load(self: Arc<Self>, client: usize) {
        for number in 0.. {
            if self.ended.load(Ordering::Relaxed) {
                return;
            }
            let name = format!("{client}-{number}");
            let experiment = json!({ "name": name, "experiment_type": "test" });
            if self.send(Method::POST, "/api/experiments", Some(experiment)).await {
                self.acknowledged.lock().unwrap().push(name);
            }
            if self.is_installed.load(Ordering::Relaxed) && self.send(Method::GET, "/api/hello/", None).await {
                self.answers.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

fn second() -> Guest {
    repackaged(&bundle("hello"), |manifest| manifest["plugin"]["version"] = json!("2.0.0"))
}

/// The change is asked of a server that dies in it. Gives how it ended, once another has taken it up.
async fn dies(balancer: &Balancer, servers: &mut [Mint], position: usize, moment: &str) -> Value {
    let server = &mut servers[position];
    balancer.set(position, None);
    server.end(Signal::TERM);
    server.serve_until(Some(moment)).await;
    joins(balancer, server, position).await;
    let before = balancer.admin.at(&balancer.pick(Some(&server.url))).clone();
    let kind = moment.split('/').next().unwrap();
    let guest = if kind == "install" { bundle("hello") } else { second() };
    run_operation(&balancer.admin.at(&server.url), kind, &guest).await;
    assert_eq!(server.died().await, Some(Signal::ABORT.as_raw()), "{moment}: {}", server.log());
    balancer.set(position, None);
    let operation = super::last_operation(&before).await;
    assert_eq!(operation["kind"], kind, "{operation:#}");
    server.serve().await;
    joins(balancer, server, position).await;
    operation
}

/// Waits until a server says that it is ready, and lets it have its share.
async fn joins(balancer: &Balancer, server: &Mint, position: usize) {
    let client = balancer.admin.at(&server.url);
    eventually("a server to be ready", || async { (client.get("/readyz").await.status == 200).then_some(()) }).await;
    balancer.set(position, Some(server.url.clone()));
}

/// Waits until every server answers with this version.
async fn converges(balancer: &Balancer, servers: &[Mint], version: &str) {
    for server in servers {
        let client = balancer.admin.at(&server.url);
        eventually(&format!("{version} at every server"), || async {
            let plugin = client.get("/api/plugins/hello").await;
            let answers = client.get("/api/hello/").await;
            let replicas = client.get("/api/replicas").await;
            let here = |replica: &Value| {
                let mut serves = replica["serves"].as_array().unwrap().iter();
                serves.len() == 1 && serves.all(|served| served["version"] == version)
            };
            let all = replicas.status == 200 && {
                let replicas = replicas.json();
                let replicas = replicas.as_array().unwrap();
                replicas.len() == servers.len() && replicas.iter().all(here)
            };
            let is_there = plugin.status == 200 && plugin.json()["version"] == version && answers.status == 200;
            (is_there && all).then_some(())
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_after_another() {
    let Some(shared) = Shared::new().await else { return };
    let mut servers = vec![shared.server(3), shared.server(3), shared.server(3)];
    servers[0].make_admin();
    for server in &mut servers {
        server.serve().await;
    }
    let admin = Client::sign_in(&servers[0].url, "default", "admin").await;
    let balancer = Arc::new(Balancer {
        admin: admin.clone(),
        servers: Mutex::new(servers.iter().map(|server| Some(server.url.clone())).collect()),
        next: AtomicUsize::new(0),
        is_installed: AtomicBool::new(false),
        ended: AtomicBool::new(false),
        failures: Mutex::default(),
        retried: AtomicUsize::new(0),
        acknowledged: Mutex::default(),
        answers: AtomicUsize::new(0),
    });
    let mut clients = JoinSet::new();
    for client in 0..CLIENTS {
        clients.spawn(balancer.clone().load(client));
    }

    let installed = dies(&balancer, &mut servers, 0, "install/switch/begun").await;
    assert_eq!(installed["status"], "done", "{installed:#}");
    converges(&balancer, &servers, "1.0.0").await;
    balancer.is_installed.store(true, Ordering::Relaxed);
    let undone = dies(&balancer, &mut servers, 1, "upgrade/switch/begun").await;
    assert_eq!(undone["status"], "undone", "{undone:#}");
    converges(&balancer, &servers, "1.0.0").await;
    let upgraded = dies(&balancer, &mut servers, 2, "upgrade/switch/did").await;
    assert_eq!(upgraded["status"], "done", "{upgraded:#}");
    converges(&balancer, &servers, "2.0.0").await;
    let back = dies(&balancer, &mut servers, 0, "rollback/switch/did").await;
    assert_eq!(back["status"], "done", "{back:#}");
    converges(&balancer, &servers, "1.0.0").await;

    balancer.ended.store(true, Ordering::Relaxed);
    while let Some(client) = clients.join_next().await {
        client.unwrap();
    }
    let failures = balancer.failures.lock().unwrap().clone();
    assert!(failures.is_empty(), "requests that one retry did not cover: {failures:#?}");
    let acknowledged = balancer.acknowledged.lock().unwrap().clone();
    println!(
        "{} writes, {} answers of the plugin, {} retried",
        acknowledged.len(),
        balancer.answers.load(Ordering::Relaxed),
        balancer.retried.load(Ordering::Relaxed)
    );
    assert!(acknowledged.len() > 100 && balancer.answers.load(Ordering::Relaxed) > 100, "there was hardly any load");
    let there = names(&admin.at(&servers[1].url)).await;
    let lost: Vec<_> = acknowledged.iter().filter(|name| !there.contains(*name)).collect();
    assert!(lost.is_empty(), "writes that were acknowledged and are gone: {lost:?}");
}

/// The names of all experiments.
async fn names(client: &Client) -> BTreeSet<String> {
    let (mut names, mut seen) = (BTreeSet::new(), 0);
    loop {
        let page = client.get(&format!("/api/experiments?skip={seen}&limit=500")).await.json();
        let items = page["experiments"].as_array().unwrap().clone();
        if items.is_empty() {
            return names;
        }
        // One that was sent twice may be there twice.
        seen += items.len();
        names.extend(items.iter().map(|item| item["name"].as_str().unwrap().to_owned()));
    }
}
