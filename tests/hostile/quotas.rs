//! Handles, host memory, files, objects, documents, outbound requests: what a component may hold, keep and send.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use http::StatusCode;
use mint_tests::{Guest, Reply, TestServer, bundle, repackaged};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
    task::{AbortHandle, JoinSet},
};

use super::{
    exhaust::stopped_at,
    neighbour::{ask, beside, counted_and_told, hostile_with, neighbour_answers},
};

use crate::subprocess::egress::listen;

const KIB: u64 = 1 << 10;

/// Whether it is the refusal of a write for want of room: `ENOSPC`, or `EIO` where the component's standard library keeps
/// to itself why a stream failed, as wasi-libc does since it speaks WASI 0.2 itself.
pub(super) fn is_full(said: &Value) -> bool {
    [51, 29].iter().any(|errno| said["errno"] == *errno)
}

/// A server with `everything` under these limits, and `hello`.
async fn everything_with(guest: &Guest, limits: Value) -> TestServer {
    let server = TestServer::start().await;
    server.admin.installed(guest, limits).await;
    server.admin.installed(&bundle("hello"), json!({})).await;
    server
}

async fn call(server: &TestServer, function: &str, arguments: Value) -> Reply {
    server.admin.post(&format!("/api/everything/call/{function}"), &arguments).await
}

/// Asks the plugin, which answers with the error that the platform gave it.
async fn refused(server: &TestServer, limit: &str, function: &str, arguments: Value) {
    let (reply, _) = beside(server, call(server, function, arguments)).await;
    assert_eq!((reply.status.as_u16(), reply.code().as_str()), (507, "QUOTA_EXCEEDED"), "{reply:?}");
    assert_eq!(reply.json()["details"]["limit"], limit, "{reply:?}");
}

async fn log_names(server: &TestServer, limit: &str) {
    let log = server.admin.plugin("everything").await["log"].to_string();
    assert!(log.contains(&format!("The plugin reached its limit {limit}.")), "{log}");
}

#[tokio::test]
pub(super) async fn handles_end_at_their_limit() {
    let server = hostile_with(json!({ "handles_max": 100 })).await;
    assert_eq!(ask(&server, "/handles?count=50").await.text(), "50 handles held");
    let reply = ask(&server, "/handles?count=200").await;
    stopped_at(&reply, "handles_max", "more handles than its limit");
    counted_and_told(&server.admin, "hostile", "handles_max").await;
}

#[tokio::test]
pub(super) async fn one_call_does_not_fill_the_hosts_memory() {
    let server = hostile_with(json!({ "host_memory_bytes_max": 64 * KIB })).await;
    assert_eq!(ask(&server, "/say?bytes=10000").await.text(), "10000 bytes said");
    let reply = ask(&server, "/say?bytes=200000").await;
    stopped_at(&reply, "host_memory_bytes_max", "more to the platform in one call");
    counted_and_told(&server.admin, "hostile", "host_memory_bytes_max").await;
}

/// Fills a directory twice: what was deleted gives its room back.
async fn fills(directory: &str, limit: &str, bytes_max: u64) {
    let server = everything_with(&bundle("everything"), json!({ limit: bytes_max })).await;
    for _ in 0..2 {
        let path = format!("/api/everything/fill?directory={directory}");
        let (reply, _) = beside(&server, server.admin.get(&path)).await;
        assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
        let said = reply.json();
        assert!(is_full(&said), "{said}");
        let bytes = said["bytes"].as_u64().unwrap();
        assert!((bytes_max - 32 * KIB..=bytes_max).contains(&bytes), "{bytes} of {bytes_max} bytes");
    }
    log_names(&server, limit).await;
    counted_and_told(&server.admin, "everything", limit).await;
}

#[tokio::test]
pub(super) async fn artifacts_end_at_their_quota() {
    fills("/artifacts", "files_bytes_max", 256 * KIB).await;
}

#[tokio::test]
pub(super) async fn the_cache_ends_at_its_quota() {
    fills("/cache", "cache_bytes_max", 512 * KIB).await;
}

#[tokio::test]
pub(super) async fn objects_end_at_their_quota() {
    let server = everything_with(&bundle("everything"), json!({ "objects_bytes_max": 100_000 })).await;
    let id = server.admin.experiment("files").await;
    let object = |key: &str| json!({ "experiment": id, "key": key, "bytes": 60_000 });
    assert_eq!(call(&server, "objects.put", object("a")).await.json()["size"], 60_000);
    refused(&server, "objects_bytes_max", "objects.put", object("b")).await;
    assert_eq!(call(&server, "objects.exists", object("b")).await.json(), false, "nothing is left of it");
    assert_eq!(call(&server, "objects.delete", object("a")).await.json(), true);

    // Many that begin while there is still room for each.
    let keys = ["b", "c", "d", "e"];
    let replies = join_all(keys.map(|key| call(&server, "objects.put", object(key)))).await;
    let stored = replies.iter().filter(|reply| reply.status == StatusCode::OK).count();
    assert_eq!(stored, 1, "{replies:?}");
    let listed = call(&server, "objects.list", json!({ "experiment": id })).await.json();
    assert_eq!(listed.as_array().unwrap().len(), 1, "{listed}");
    neighbour_answers(&server).await;
    counted_and_told(&server.admin, "everything", "objects_bytes_max").await;
}

#[tokio::test]
pub(super) async fn documents_end_at_their_limit() {
    let server = everything_with(&bundle("everything"), json!({ "document_bytes_max": 10_000 })).await;
    let id = server.admin.experiment("documents").await;
    for function in ["results.save", "designs.save"] {
        let document = |bytes: u64| json!({ "experiment": id, "key": "default", "bytes": bytes });
        let reply = call(&server, function, document(10_000)).await;
        assert_eq!(reply.status, StatusCode::OK, "{function}: {reply:?}");
        refused(&server, "document_bytes_max", function, document(10_001)).await;
    }
    counted_and_told(&server.admin, "everything", "document_bytes_max").await;
}

/// No document is so deep that whoever reads it runs out of stack: it is refused, and the server goes on.
#[tokio::test]
async fn a_document_that_is_too_deep_is_refused() {
    let server = everything_with(&bundle("everything"), json!({})).await;
    let id = server.admin.experiment("documents").await;
    for function in ["results.save", "designs.save"] {
        for depth in [1_000, 100_000, 3_000_000] {
            let arguments = json!({ "experiment": id, "key": "default", "depth": depth });
            let (reply, _) = beside(&server, call(&server, function, arguments)).await;
            assert_eq!((reply.status.as_u16(), reply.code().as_str()), (400, "VALIDATION_ERROR"), "{function}: {reply:?}");
        }
    }
}

/// `everything`, which may ask this server.
fn asking(authority: &str) -> Guest {
    repackaged(&bundle("everything"), |manifest| {
        let granted = json!({ "name": format!("http:{authority}"), "why": "Asks a server." });
        manifest["capabilities"].as_array_mut().unwrap().push(granted);
    })
}

/// A server outside that takes its time, and a plugin that may ask it.
struct Outside {
    server: TestServer,
    authority: String,
    serving: AbortHandle,
}

impl Outside {
    #[expect(clippy::disallowed_methods, reason = "aborted when this value is dropped")]
    async fn with(limits: Value) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let authority = listener.local_addr().unwrap().to_string();
        let serving = tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                tokio::spawn(async move {
                    let _request = stream.read(&mut [0; 4096]).await;
                    tokio::time::sleep(Duration::from_millis(500)).await;
                    let _gone = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok").await;
                });
            }
        })
        .abort_handle();
        let guest = asking(&authority);
        Self { server: everything_with(&guest, limits).await, authority, serving }
    }

    /// How many of so many requests were answered; the others met a limit.
    async fn answered(&self, count: usize) -> usize {
        let path = format!("/api/everything/outbound?authority={}&count={count}", self.authority);
        let (reply, _) = beside(&self.server, self.server.admin.get(&path)).await;
        let answers = reply.json();
        let answers = answers.as_array().unwrap();
        assert_eq!(answers.len(), count, "{reply:?}");
        let refused = answers.iter().filter(|answer| *answer == "ConnectionLimitReached").count();
        let answered = answers.iter().filter(|answer| **answer == json!(200)).count();
        assert_eq!(refused + answered, count, "{answers:?}");
        answered
    }
}

impl Drop for Outside {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

#[tokio::test]
pub(super) async fn outbound_requests_at_once_end_at_their_limit() {
    let outside = Outside::with(json!({ "outbound_concurrency_max": 2 })).await;
    assert_eq!(outside.answered(5).await, 2);
    log_names(&outside.server, "outbound_concurrency_max").await;
    assert_eq!(outside.answered(2).await, 2, "the places are free again");
    counted_and_told(&outside.server.admin, "everything", "outbound_concurrency_max").await;
}

#[tokio::test]
pub(super) async fn outbound_requests_in_a_minute_end_at_their_limit() {
    let outside = Outside::with(json!({ "outbound_per_minute_max": 3 })).await;
    assert_eq!(outside.answered(5).await, 3);
    log_names(&outside.server, "outbound_per_minute_max").await;
    assert_eq!(outside.answered(2).await, 0, "it is not over with the request");
    counted_and_told(&outside.server.admin, "everything", "outbound_per_minute_max").await;
}

#[tokio::test]
pub(super) async fn outbound_bodies_end_at_their_limit() {
    let mut serving = JoinSet::new();
    let port = listen("http://127.0.0.1:9/", &mut serving).await;
    let guest = asking(&format!("127.0.0.1:{port}"));
    let server = everything_with(&guest, json!({ "outbound_body_bytes_max": 100_000 })).await;
    let exchanged = async |path: &str, bytes: u64| {
        let path = format!("/api/everything/exchange?authority=127.0.0.1:{port}&path={path}&bytes={bytes}");
        let (reply, _) = beside(&server, server.admin.get(&path)).await;
        assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
        reply.json()
    };
    assert_eq!(exchanged("/give/100000", 0).await, json!({ "bytes": 100_000, "error": null }));
    let cut = exchanged("/give/100001", 0).await;
    assert_eq!(cut["error"], "HTTP response body size exceeds limit", "{cut}");
    assert!(cut["bytes"].as_u64().unwrap() <= 100_000, "{cut}");
    let endless = exchanged("/give/100000000000", 0).await;
    assert_eq!(endless["error"], cut["error"]);
    assert_eq!(exchanged("/take", 90_000).await["error"], Value::Null);
    assert_eq!(exchanged("/take", 2_000_000).await["error"], "HttpRequestBodySize");
    log_names(&server, "outbound_body_bytes_max").await;
    counted_and_told(&server.admin, "everything", "outbound_body_bytes_max").await;
    // Where an answer sends it is another request, and not one that it may make.
    assert_eq!(outbound(&server, &format!("127.0.0.1:{port}&path=/away")).await, json!([302]));
    assert_eq!(outbound(&server, "127.0.0.1:9").await, json!(["HttpRequestDenied"]));
}

async fn outbound(server: &TestServer, errand: &str) -> Value {
    server.admin.get(&format!("/api/everything/outbound?authority={errand}")).await.json()
}

/// Who has no time for an answer has none; nobody waits for ever, and nothing breaks.
#[tokio::test]
async fn no_patience_is_a_timeout() {
    let outside = Outside::with(json!({})).await;
    for patience in [0, 1] {
        let begun = Instant::now();
        let said = outbound(&outside.server, &format!("{}&patience={patience}", outside.authority)).await;
        assert!(["ConnectionTimeout", "ConnectionReadTimeout"].map(|name| json!([name])).contains(&said), "{said}");
        assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    }
    let endless = outbound(&outside.server, &format!("{}&patience={}", outside.authority, u64::MAX)).await;
    assert_eq!(endless, json!([200]), "it waits as long as the platform does");
    neighbour_answers(&outside.server).await;
}
