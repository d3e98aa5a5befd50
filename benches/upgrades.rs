//! Releases take each other's place while people use the plugin: what fails, and how long whoever asks meanwhile waits.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use bytes::BytesMut;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    runtime,
    task::JoinSet,
};

use crate::{
    Plan,
    api::Client,
    bundles::Guest,
    load::Request,
    mint::Mint,
    process::{Address, Server},
    report,
    response::whole,
};

/// How `--only` calls them.
pub(crate) const NAME: &str = "upgrades";

const CONNECTIONS: usize = 32;
/// Upgrades of each plugin that are measured.
const UPGRADES: usize = 5;
const GUESTS: [(&str, &str); 2] = [("shared", "hello"), ("isolated", "hello-process")];

/// What was found in one mode on one database.
#[derive(Debug)]
pub(crate) struct Upgraded {
    pub(crate) name: String,
    pub(crate) requests: usize,
    pub(crate) failed: usize,
    pub(crate) requests_per_second: f64,
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
    pub(crate) max_us: f64,
}

/// What the load met.
#[derive(Debug, Default)]
struct Met {
    latencies_ns: Vec<u64>,
    failed: usize,
    /// What the first that failed met.
    first: Option<String>,
}

/// Measures and prints.
pub(crate) fn run(plan: &Plan, dir: &Path) -> Result<()> {
    let runtime = runtime::Runtime::new()?;
    let mut rows = Vec::new();
    let databases = [("SQLite", None), ("PostgreSQL", plan.postgres.clone())];
    for (database, url) in databases.into_iter().filter(|(name, url)| *name == "SQLite" || url.is_some()) {
        let mut variables = vec![("MINT_PLUGINS__TRIAL_SECONDS", "1".to_owned())];
        variables.extend(url.map(|url| ("MINT_DATABASE__URL", url)));
        let platform = Mint::prepare_with(plan, dir, &format!("upgrades-{database}"), variables)?;
        let server = platform.serve()?;
        let client = runtime.block_on(platform.sign_in(server.port()?))?;
        for (mode, guest) in GUESTS {
            let place = dir.join(format!("upgrades-{database}-{mode}"));
            std::fs::create_dir(&place)?;
            let guest = Guest::unpack(&plan.guests, guest, &place)?;
            runtime.block_on(client.install(&guest.release("1.0.0")?))?;
            let under = Load { server: &server, client: &client, guest: &guest, runtime: &runtime };
            report::progress(&format!("{mode}, {database}: without an upgrade"));
            let quiet = under.during(|_| {
                thread::sleep(plan.duration);
                Ok(())
            })?;
            report::progress(&format!("{mode}, {database}: upgrades"));
            let changing = under.during(|load| {
                let upgrades = if plan.quick { 1 } else { UPGRADES };
                (2..2 + upgrades).try_for_each(|number| load.upgrade(&format!("{number}.0.0")))
            })?;
            rows.push(evaluate(format!("{mode}, {database}: quiet"), quiet));
            rows.push(evaluate(format!("{mode}, {database}: upgrades"), changing));
        }
    }
    report::upgrades(&rows);
    if plan.postgres.is_none() {
        report::note("no rows for PostgreSQL, which is not installed");
    }
    Ok(())
}

struct Load<'a> {
    server: &'a Server,
    client: &'a Client,
    guest: &'a Guest,
    runtime: &'a runtime::Runtime,
}

impl Load<'_> {
    /// What people meet while `work` is done, and how long that takes.
    fn during(&self, work: impl FnOnce(&Self) -> Result<()>) -> Result<(Met, Duration)> {
        let slug = &self.guest.manifest.plugin.slug;
        let request = Request::get(self.server.address.clone(), &format!("/api/{slug}/whoami"), &self.client.token);
        let (stop, begun) = (Arc::new(AtomicBool::new(false)), Instant::now());
        let load = thread::spawn({
            let stop = Arc::clone(&stop);
            move || people(&request, &stop)
        });
        let worked = work(self);
        stop.store(true, Ordering::Relaxed);
        let met = load.join().ok().context("the load broke")??;
        worked?;
        Ok((met, begun.elapsed()))
    }

    fn upgrade(&self, version: &str) -> Result<()> {
        let bundle = self.guest.release(version)?;
        self.runtime.block_on(self.client.upgrade(self.guest.manifest.plugin.slug.as_str(), &bundle))
    }
}

fn people(request: &Request, stop: &Arc<AtomicBool>) -> Result<Met> {
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut clients = JoinSet::new();
        for _ in 0..CONNECTIONS {
            clients.spawn(person(request.clone(), Arc::clone(stop)));
        }
        let mut all = Met::default();
        while let Some(met) = clients.join_next().await {
            let mut met = met??;
            all.latencies_ns.append(&mut met.latencies_ns);
            all.failed += met.failed;
            all.first = all.first.or(met.first);
        }
        Ok(all)
    })
}

async fn person(request: Request, stop: Arc<AtomicBool>) -> Result<Met> {
    let Address::Tcp(address) = request.address else { anyhow::bail!("the platform listens at a port") };
    let (mut met, mut connection) = (Met::default(), None);
    while !stop.load(Ordering::Relaxed) {
        let mut stream = match connection.take() {
            Some(stream) => stream,
            None => {
                let stream = TcpStream::connect(address).await?;
                stream.set_nodelay(true)?;
                stream
            }
        };
        let begun = Instant::now();
        match ask(&mut stream, &request.bytes).await {
            Ok(()) => {
                met.latencies_ns.push(u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX));
                connection = Some(stream);
            }
            Err(error) => {
                met.failed += 1;
                met.first.get_or_insert_with(|| format!("{error:#}"));
            }
        }
    }
    Ok(met)
}

async fn ask(stream: &mut TcpStream, request: &[u8]) -> Result<()> {
    stream.write_all(request).await?;
    let mut buffer = BytesMut::with_capacity(4 << 10);
    loop {
        anyhow::ensure!(stream.read_buf(&mut buffer).await? > 0, "the connection was closed in the middle of a response");
        if let Some(answer) = whole(&buffer)? {
            anyhow::ensure!(answer.status == 200, "{}", String::from_utf8_lossy(&buffer));
            return Ok(());
        }
    }
}

fn evaluate(name: String, (mut met, elapsed): (Met, Duration)) -> Upgraded {
    if let Some(first) = &met.first {
        report::note(&format!("{name}: the first that failed met: {first}"));
    }
    met.latencies_ns.sort_unstable();
    let requests = met.latencies_ns.len();
    let at = |share: f64| {
        let at = ((requests as f64 * share) as usize).min(requests.saturating_sub(1));
        met.latencies_ns.get(at).copied().map_or(f64::NAN, |ns| ns as f64 / 1e3)
    };
    Upgraded {
        name,
        requests: requests + met.failed,
        failed: met.failed,
        requests_per_second: requests as f64 / elapsed.as_secs_f64(),
        p50_us: at(0.5),
        p99_us: at(0.99),
        max_us: at(1.0),
    }
}
