//! Bodies that are too long, never end, or are never read.

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use http::{Method, StatusCode};
use mint_tests::{TestServer, bundle, eventually, resident_bytes};
use reqwest::Body;
use serde_json::json;

use super::exhaust::stopped_at;
use super::neighbour::{beside, counted_and_told, hostile_with, neighbour_answers};

const MIB: u64 = 1 << 20;

/// A body of so many MiB that does not say how long it is.
fn chunked(mib: u64) -> Body {
    let chunk = Bytes::from(vec![b'x'; 64 << 10]);
    Body::wrap_stream(stream::iter((0..mib * 16).map(move |_| Ok::<_, std::io::Error>(chunk.clone()))))
}

#[tokio::test]
pub(super) async fn an_endless_answer_is_cut_off_at_its_limit() {
    let server = hostile_with(json!({ "response_body_bytes_max": 8 * MIB, "cpu_ms_max": 60_000 })).await;
    let before = resident_bytes();
    let endless = async {
        let response = server.admin.request(Method::GET, "/api/hostile/endless").send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        let (mut received, mut broke) = (0, false);
        let mut chunks = response.bytes_stream();
        while let Some(chunk) = chunks.next().await {
            match chunk {
                Ok(chunk) => received += chunk.len() as u64,
                Err(_) => broke = true,
            }
        }
        (received, broke)
    };
    let ((received, broke), _) = beside(&server, endless).await;
    assert!(broke, "the client is told that the answer is not whole");
    assert!((6 * MIB..=8 * MIB).contains(&received), "{received} bytes");
    let grown = resident_bytes().saturating_sub(before);
    assert!(grown < 32 * MIB, "the server grew by {} MiB", grown / MIB);
    let plugin = server.admin.plugin("hostile").await;
    assert!(plugin["log"].to_string().contains("response_body_bytes_max"), "{plugin:#}");
    assert_eq!(server.admin.get("/api/hostile/").await.text(), "still here");
    counted_and_told(&server.admin, "hostile", "response_body_bytes_max").await;
}

/// One that is done before anything was sent is an error with a name.
#[tokio::test]
pub(super) async fn a_short_answer_that_is_too_long_names_its_limit() {
    let server = TestServer::start().await;
    server.admin.installed(&bundle("hello"), json!({})).await;
    server.admin.installed(&bundle("hostile"), json!({ "response_body_bytes_max": 9 })).await;
    let (reply, _) = beside(&server, server.admin.get("/api/hostile/")).await;
    stopped_at(&reply, "response_body_bytes_max", "longer than its 9 bytes");
    counted_and_told(&server.admin, "hostile", "response_body_bytes_max").await;
}

#[tokio::test]
async fn a_client_that_goes_away_takes_its_request_along() {
    let server = hostile_with(json!({ "concurrency_max": 1, "queue_max": 1, "cpu_ms_max": 60_000 })).await;
    let response = server.admin.request(Method::GET, "/api/hostile/endless").send().await.unwrap();
    let mut chunks = response.bytes_stream();
    assert!(chunks.next().await.unwrap().is_ok());
    assert_eq!(server.admin.plugin("hostile").await["usage"]["in_progress"], 1);
    drop(chunks);
    eventually("the place to be free again", || async {
        (server.admin.plugin("hostile").await["usage"]["in_progress"] == 0).then_some(())
    })
    .await;
    assert_eq!(server.admin.get("/api/hostile/").await.text(), "still here");
}

#[tokio::test]
async fn a_slow_reader_holds_no_memory_and_ends() {
    let server = hostile_with(json!({ "wall_ms_max": 1500, "cpu_ms_max": 60_000, "concurrency_max": 1, "queue_max": 1 })).await;
    let before = resident_bytes();
    let response = server.admin.request(Method::GET, "/api/hostile/endless").send().await.unwrap();
    // It reads nothing. What the sockets do not take, the plugin must not make.
    for _ in 0..5 {
        neighbour_answers(&server).await;
    }
    let grown = resident_bytes().saturating_sub(before);
    assert!(grown < 32 * MIB, "the server grew by {} MiB", grown / MIB);
    drop(response);
    eventually("the place to be free again", || async {
        (server.admin.plugin("hostile").await["usage"]["in_progress"] == 0).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_body_that_is_never_read_stays_with_its_sender() {
    let server = hostile_with(json!({})).await;
    let before = resident_bytes();
    let small = server.admin.request(Method::POST, "/api/hostile/hold?ms=50").body(chunked(4));
    assert_eq!(server.admin.send(small).await.text(), "the body was not read");

    let request = server.admin.request(Method::POST, "/api/hostile/hold?ms=700").body(chunked(200));
    let (sent, _) = beside(&server, request.send()).await;
    // Whether the sender hears the answer before its connection is closed is the client's luck.
    if let Ok(response) = sent {
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.text().await.unwrap(), "the body was not read");
    }
    let grown = resident_bytes().saturating_sub(before);
    assert!(grown < 48 * MIB, "the server grew by {} MiB", grown / MIB);
    assert_eq!(server.admin.get("/api/hostile/").await.text(), "still here");
}

#[tokio::test]
pub(super) async fn a_body_that_says_it_is_too_long_is_refused_before_the_plugin_is_asked() {
    let server = hostile_with(json!({ "request_body_bytes_max": MIB })).await;
    let declared =
        server.admin.request(Method::POST, "/api/hostile/hold?ms=1").header("content-length", 2 * MIB).body(chunked(2));
    let reply = server.admin.send(declared).await;
    assert_eq!((reply.status, reply.code().as_str()), (StatusCode::PAYLOAD_TOO_LARGE, "request.too_large"), "{reply:?}");
    assert_eq!(reply.json()["details"]["limit"], "request_body_bytes_max");
    assert_eq!(server.admin.plugin("hostile").await["usage"]["requests"], 0);
    let exact = server.admin.request(Method::POST, "/api/hostile/hold?ms=1").body(vec![b'x'; MIB as usize]);
    assert_eq!(server.admin.send(exact).await.status, StatusCode::OK);
    counted_and_told(&server.admin, "hostile", "request_body_bytes_max").await;
}

/// A plugin that reads its body first, here as JSON.
#[tokio::test]
async fn a_body_that_turns_out_too_long_is_refused_and_is_nobodys_fault_but_the_clients() {
    let server = TestServer::start().await;
    server.admin.installed(&bundle("lcms-features"), json!({ "request_body_bytes_max": 100_000 })).await;
    let id = server.admin.experiment("x").await;
    let path = format!("/api/lcms-features/experiments/{id}/analyse");
    let reply = server.admin.send(server.admin.request(Method::POST, &path).body(chunked(1))).await;
    assert_eq!((reply.status, reply.code().as_str()), (StatusCode::PAYLOAD_TOO_LARGE, "request.too_large"), "{reply:?}");
    let usage = server.admin.plugin("lcms-features").await["usage"].clone();
    assert_eq!((&usage["plugin_faults"], &usage["host_faults"]), (&json!(0), &json!(0)), "{usage:#}");
}

/// One that answers while it reads: the answer breaks off, and never more than the limit comes back.
#[tokio::test]
async fn a_streamed_body_is_cut_off_at_the_limit() {
    let server = TestServer::start().await;
    server.admin.installed(&bundle("hello"), json!({ "request_body_bytes_max": MIB })).await;
    let sent = server.admin.request(Method::POST, "/api/hello/echo").body(chunked(4)).send().await;
    if let Ok(response) = sent {
        match response.status() {
            StatusCode::PAYLOAD_TOO_LARGE => {}
            StatusCode::OK => {
                let body = response.bytes().await;
                assert!(body.is_err(), "an echo of half a body looks whole: {} bytes", body.unwrap().len());
            }
            other => panic!("{other}"),
        }
    }
    let usage = server.admin.plugin("hello").await["usage"].clone();
    assert_eq!((&usage["plugin_faults"], &usage["host_faults"]), (&json!(0), &json!(0)), "{usage:#}");
    assert_eq!(server.admin.get("/api/hello/").await.status, StatusCode::OK);
}
