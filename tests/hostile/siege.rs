//! All of it against a real server in a process of its own, one attack after the other, with a meter beside it: how much memory
//! the server takes, how long its neighbours wait, whether anything in it panicked.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use futures_util::StreamExt as _;
use http::{Method, StatusCode};
use mint_tests::{Client, Guest, bundle, eventually, forget_peak, peak_bytes, repackaged};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    task::JoinSet,
    time::timeout,
};

use super::canonical::{EMPTIES, ENDLESS, FILLED, OVERFLOWING, TABLES, component};
use crate::{cli::Mint, http::framing::REFUSED, subprocess::Program};

/// Longest time for a neighbour's answer, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(5);
/// Longest time for an attack to end.
const END: Duration = Duration::from_secs(60);
/// Answers of neighbours while nothing else happens.
const QUIET: usize = 500;
/// What the server may take for an attack, beside what it had: an instance's memory, and bodies on their way.
const MEMORY_MAX: u64 = 384 << 20;

/// What an attack must end with.
#[derive(Clone, Copy, Debug)]
enum End {
    /// This status and this code of an error.
    Refused(u16, &'static str),
    /// A whole answer of the plugin's.
    Answer,
    /// A body that breaks off.
    Cut,
    /// An error of the plugin's, or an answer that it gave just before its end.
    Either,
}

const LIMIT: End = End::Refused(500, "plugin.limit");
const BROKE: End = End::Refused(500, "plugin.broke");
const GARBAGE: End = End::Refused(502, "plugin.garbage");
const TIMEOUT: End = End::Refused(504, "plugin.timeout");

/// Routes of the hostile component.
const SHARED: &[(&str, End)] = &[
    ("spin", LIMIT),
    ("naps", LIMIT),
    ("flood", LIMIT),
    ("stdout", LIMIT),
    ("eat", End::Answer),
    ("handles?count=100000", LIMIT),
    ("say?bytes=4000000", LIMIT),
    ("say?bytes=134217728", LIMIT),
    ("sleep?ms=3600000", TIMEOUT),
    ("endless", End::Cut),
    ("trap", BROKE),
    ("exit", BROKE),
    ("deep", BROKE),
    ("dropped", BROKE),
    ("garbage", GARBAGE),
    ("no-status", GARBAGE),
    ("no-header", GARBAGE),
    ("wrong-length", GARBAGE),
    ("twice", GARBAGE),
];

/// Places of a component made by hand, what it does there, and the end.
const BY_HAND: &[(&str, &str, End)] = &[
    ("realloc", ENDLESS, LIMIT),
    ("post-return", ENDLESS, LIMIT),
    ("handle", FILLED, LIMIT),
    ("handle", EMPTIES, LIMIT),
    ("handle", OVERFLOWING, BROKE),
    ("handle", TABLES, End::Answer),
];

/// Routes of programs.
const ISOLATED: &[(Program, &str, End)] = &[
    (Program::ODD, "no-http", GARBAGE),
    (Program::ODD, "binary", GARBAGE),
    (Program::ODD, "bad-length", GARBAGE),
    (Program::ODD, "negative-length", GARBAGE),
    (Program::ODD, "two-lengths", GARBAGE),
    (Program::ODD, "bad-status", GARBAGE),
    (Program::ODD, "switch", GARBAGE),
    (Program::ODD, "many-headers", GARBAGE),
    (Program::ODD, "large-header", GARBAGE),
    (Program::ODD, "bad-header", GARBAGE),
    (Program::ODD, "nothing", GARBAGE),
    (Program::ODD, "half-a-head", GARBAGE),
    (Program::ODD, "silent", TIMEOUT),
    (Program::ODD, "drip", TIMEOUT),
    (Program::ODD, "announces-too-much", LIMIT),
    (Program::ODD, "too-short", End::Cut),
    (Program::ODD, "bad-chunks", End::Cut),
    (Program::ODD, "half-a-chunk", End::Cut),
    (Program::ODD, "endless", End::Cut),
    (Program::GREEDY, "files", End::Answer),
    (Program::GREEDY, "fork?count=60&apart=0", End::Either),
    (Program::GREEDY, "fork?count=60&apart=1", End::Either),
    (Program::GREEDY, "bomb", End::Either),
    (Program::GREEDY, "keep?temporary=1&mib=40", End::Either),
    (Program::GREEDY, "sleep?ms=3600000", TIMEOUT),
    (Program::MORTAL, "die", BROKE),
];

/// What neighbours were told, and how long each answer took.
#[derive(Clone, Default)]
struct Meter(Arc<Mutex<Vec<Duration>>>);

impl Meter {
    /// Asks a component, a process and the platform, again and again.
    async fn watch(self, admin: Client) {
        loop {
            for path in ["/api/hello/whoami", "/api/nosy/pid", "/api/health"] {
                let begun = Instant::now();
                let Ok(reply) = timeout(PATIENCE, admin.get(path)).await else { panic!("{path} did not answer in {PATIENCE:?}") };
                assert_eq!(reply.status, StatusCode::OK, "{path}: {reply:?}");
                self.0.lock().unwrap().push(begun.elapsed());
            }
        }
    }

    /// The median and the 99th percentile since it was asked last, and of how many.
    fn read(&self) -> String {
        let mut times = std::mem::take(&mut *self.0.lock().unwrap());
        assert!(!times.is_empty(), "no neighbour answered");
        times.sort_unstable();
        let at = |part: usize| times[(times.len() - 1) * part / 100];
        format!("p50 {:.1?}, p99 {:.1?} of {}", at(50), at(99), times.len())
    }
}

/// A server under attack.
struct Siege {
    mint: Mint,
    admin: Client,
    attacks: usize,
}

impl Siege {
    async fn install(&self, guest: &Guest) {
        let limits = json!({
            "cpu_ms_max": 300, "wall_ms_max": 2_000, "instance_memory_bytes_max": 64 << 20, "handles_max": 100,
            "host_memory_bytes_max": 1 << 20, "response_body_bytes_max": 4 << 20, "log_bytes_per_minute_max": 64 << 10,
            "processes_max": 40, "open_files_max": 64, "cache_bytes_max": 8 << 20,
        });
        self.admin.installed(guest, limits).await;
    }

    /// Asks, and looks how it ends.
    async fn attack(&mut self, path: &str, end: End) {
        self.attacks += 1;
        let ended = timeout(END, async {
            let response = match self.admin.request(Method::GET, path).send().await {
                Ok(response) => response,
                Err(_broken) if matches!(end, End::Cut) => return,
                Err(error) => panic!("{path}: {error:?}"),
            };
            let status = response.status().as_u16();
            let (mut body, mut is_whole) = (Vec::new(), true);
            let mut stream = response.bytes_stream();
            while let Some(chunk) = stream.next().await {
                match chunk {
                    Ok(chunk) => body.extend_from_slice(&chunk),
                    Err(_cut) => is_whole = false,
                }
            }
            let said: Value = serde_json::from_slice(&body).unwrap_or_default();
            let code = said["code"].as_str().unwrap_or_default();
            let is_expected = match end {
                End::Refused(expected, name) => is_whole && (status, code) == (expected, name),
                End::Answer => is_whole && status == 200,
                End::Cut => !is_whole,
                End::Either => is_whole && (status == 200 || code == "plugin.limit" || code == "plugin.garbage"),
            };
            assert!(is_expected, "{path}: {status} {code}, whole: {is_whole}, and not {end:?}");
        });
        assert!(ended.await.is_ok(), "{path} did not end");
    }

    /// Sends bytes that are no request, or one that could be read in two ways, and looks that no plugin answered.
    async fn send(&mut self, bytes: &[u8]) {
        self.attacks += 1;
        let mut stream = self.admin.connect().await;
        let mut answer = Vec::new();
        // One that is refused may be reset before the last byte was sent or read.
        let _refused = stream.write_all(bytes).await;
        let _refused = stream.shutdown().await;
        let ended = timeout(END, stream.read_to_end(&mut answer)).await;
        let (said, sent) = (String::from_utf8_lossy(&answer), String::from_utf8_lossy(&bytes[..bytes.len().min(300)]));
        assert!(ended.is_ok(), "{sent}: {said}");
        assert!(said.is_empty() || said[8..].starts_with(" 4"), "{sent}: {said}");
        assert_eq!(said.matches("\"pid\"").count(), 0, "{sent}: {said}");
    }

    async fn components(&mut self) {
        for (number, (route, end)) in SHARED.iter().enumerate() {
            // One each: five faults within a minute end a plugin.
            let slug = format!("hostile-{number}");
            let guest = repackaged(&bundle("hostile"), |manifest| {
                manifest["plugin"]["slug"] = json!(slug);
                manifest["plugin"]["routes_prefix"] = json!(format!("/{slug}"));
            });
            self.install(&guest).await;
            for _ in 0..2 {
                self.attack(&format!("/api/{slug}/{route}"), *end).await;
            }
        }
        for (number, (place, trouble, end)) in BY_HAND.iter().enumerate() {
            let slug = format!("by-hand-{number}");
            self.install(&component(&slug, place, trouble)).await;
            self.attack(&format!("/api/{slug}/"), *end).await;
        }
    }

    async fn processes(&mut self) {
        for (number, (program, route, end)) in ISOLATED.iter().enumerate() {
            let slug = format!("program-{number}");
            self.install(&program.bundle(&slug)).await;
            self.attack(&format!("/api/{slug}/{route}"), *end).await;
            self.admin.uninstall(&slug, "purge").await;
        }
    }

    async fn clients(&mut self) {
        let head = format!("host: x\r\nauthorization: Bearer {}\r\n", self.admin.token());
        let smuggled = "GET /api/nosy/pid HTTP/1.1\r\nhost: x\r\n\r\n";
        for (lines, rest) in REFUSED {
            self.send(format!("POST /api/nosy/echo HTTP/1.1\r\n{head}{lines}\r\n\r\n{rest}{smuggled}").as_bytes()).await;
        }
        let many: String = (0..100_000).map(|number| format!("x-{number}: y\r\n")).collect();
        for bytes in [
            format!("GET /api/nosy/pid HTTP/1.1\r\n{head}{many}\r\n").into_bytes(),
            format!("GET /api/nosy/pid?{} HTTP/1.1\r\n{head}\r\n", "x".repeat(1 << 20)).into_bytes(),
            format!("POST /api/nosy/echo HTTP/1.0\r\n{head}transfer-encoding: chunked\r\n\r\n0\r\n\r\n").into_bytes(),
            format!("GET /api/nosy/..;/nosy/pid HTTP/1.1\r\n{head}\r\n").into_bytes(),
            format!("GET /api/hello/%2e%2e/nosy/pid HTTP/1.1\r\n{head}\r\n").into_bytes(),
            format!("GET /api//nosy/pid HTTP/1.1\r\n{head}\r\n").into_bytes(),
            format!("GET /api/nosy%2Fpid HTTP/1.1\r\n{head}\r\n").into_bytes(),
            format!("GET /api/nosyx/pid HTTP/1.1\r\n{head}\r\n").into_bytes(),
            format!("CONNECT 127.0.0.1:22 HTTP/1.1\r\n{head}\r\n").into_bytes(),
            format!("TRACE /api/nosy/pid HTTP/1.1\r\n{head}\r\n").into_bytes(),
            format!("GET /api/nosy/pid HTTP/1.1\r\n{head}connection: upgrade, http2-settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABk\r\n\r\n")
                .into_bytes(),
            format!("POST /api/nosy/echo HTTP/1.1\r\n{head}expect: 200-ok\r\ncontent-length: 1\r\n\r\nx").into_bytes(),
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0".to_vec(),
            b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03".to_vec(),
            (0..=255).cycle().take(100_000).collect(),
        ] {
            self.send(&bytes).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_goes_on_whatever_is_done_to_it() {
    let mint = Mint::serving().await;
    let admin = Client::sign_in(&mint.url, "default", "admin").await;
    let mut siege = Siege { mint, admin, attacks: 0 };
    siege.install(&bundle("hello")).await;
    siege.install(&Program::NOSY.bundle("nosy")).await;
    let meter = Meter::default();
    let mut watching = JoinSet::new();
    watching.spawn(meter.clone().watch(siege.admin.clone()));
    eventually("answers in quiet", || async { (meter.0.lock().unwrap().len() >= QUIET).then_some(()) }).await;
    println!("neighbours of nothing: {}", meter.read());

    let pid = siege.mint.pid().as_raw_nonzero().get();
    for kind in ["components", "processes", "clients"] {
        forget_peak(pid);
        let (before, attacks) = (peak_bytes(pid), siege.attacks);
        match kind {
            "components" => siege.components().await,
            "processes" => siege.processes().await,
            _ => siege.clients().await,
        }
        // The kernel counts in batches.
        let taken = peak_bytes(pid).saturating_sub(before);
        let attacks = siege.attacks - attacks;
        println!("{attacks} attacks of {kind}: {} MiB more at most; neighbours {}", taken >> 20, meter.read());
        assert!(taken < MEMORY_MAX, "{kind} took {taken} bytes");
        if let Some(ended) = watching.try_join_next() {
            panic!("a neighbour of {kind}: {ended:?}");
        }
    }
    let log = siege.mint.log();
    assert!(!log.contains("panicked"), "{log}");
    assert_eq!(siege.admin.get("/api/health").await.status, StatusCode::OK);
    assert_eq!(siege.mint.end(rustix::process::Signal::TERM), Some(0), "it ends as ever");
}
