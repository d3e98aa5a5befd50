//! Handles, host memory, files, objects, documents, outbound requests: what a component may hold, keep and send.

use std::time::Duration;

use futures_util::future::join_all;
use http::StatusCode;
use mint_tests::{Guest, Reply, TestServer, bundle, repackaged};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
    task::AbortHandle,
};

use super::{
    exhaust::stopped_at,
    neighbour::{ask, beside, counted_and_told, hostile_with, neighbour_answers},
};

const KIB: u64 = 1 << 10;

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
        assert_eq!(said["error"], "StorageFull", "{said}");
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
        let guest = repackaged(&bundle("everything"), |manifest| {
            let granted = json!({ "name": format!("http:{authority}"), "why": "Asks a server." });
            manifest["capabilities"].as_array_mut().unwrap().push(granted);
        });
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
