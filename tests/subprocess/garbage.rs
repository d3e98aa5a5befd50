//! Answers that are none: a clear error for the client, and everything goes on.

use futures_util::StreamExt as _;
use http::{Method, StatusCode};
use mint_tests::{Client, TestServer, bundle, eventually};
use serde_json::json;

use super::Program;
use crate::hostile::neighbour::{beside, counted_and_told};

const BODY_MAX: u64 = 4 << 20;

async fn serving() -> TestServer {
    let server = TestServer::start().await;
    let decision = json!({ "limits": { "response_body_bytes_max": BODY_MAX, "wall_ms_max": 2_000, "concurrency_max": 2 } });
    let operation = server.admin.install(&Program::ODD.bundle("odd"), decision).await;
    assert_eq!(operation["status"], "done", "{operation}");
    server.admin.installed(&bundle("hello"), json!({})).await;
    server
}

async fn is_well(admin: &Client) {
    let reply = admin.get("/api/odd/pid").await;
    assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
}

#[tokio::test]
async fn what_is_not_a_response_is_a_bad_gateway() {
    let server = serving().await;
    let admin = &server.admin;
    let first = admin.get("/api/odd/pid").await.json();
    for path in [
        "no-http",
        "binary",
        "bad-length",
        "negative-length",
        "two-lengths",
        "bad-status",
        "switch",
        "many-headers",
        "large-header",
        "bad-header",
        "nothing",
        "half-a-head",
    ] {
        for _ in 0..2 {
            let reply = admin.get(&format!("/api/odd/{path}")).await;
            assert_eq!((reply.status, reply.code().as_str()), (StatusCode::BAD_GATEWAY, "plugin.garbage"), "{path}: {reply:?}");
            assert!(!reply.text().contains("smuggled") && reply.body.len() < 1_000, "{path}: {reply:?}");
        }
        is_well(admin).await;
    }
    assert_eq!(admin.get("/api/odd/pid").await.json(), first, "the process was not replaced");
    let usage = admin.plugin("odd").await["usage"].clone();
    assert_eq!((&usage["plugin_faults"], &usage["host_faults"], &usage["in_progress"]), (&json!(24), &json!(0), &json!(0)));
}

/// Reads a response that must break off, and gives the bytes of its body that came.
async fn broken_off(admin: &Client, path: &str) -> u64 {
    let Ok(response) = admin.request(Method::GET, path).send().await else { return 0 };
    assert_eq!(response.status(), StatusCode::OK);
    let (mut stream, mut bytes) = (response.bytes_stream(), 0);
    while let Some(chunk) = stream.next().await {
        match chunk {
            Ok(chunk) => bytes += chunk.len() as u64,
            Err(_) => return bytes,
        }
    }
    panic!("{path} ended as if it were whole, after {bytes} bytes");
}

#[tokio::test]
pub(crate) async fn a_body_that_breaks_off_or_is_too_long_never_looks_whole() {
    let server = serving().await;
    let admin = &server.admin;
    for path in ["too-short", "bad-chunks", "half-a-chunk"] {
        assert!(broken_off(admin, &format!("/api/odd/{path}")).await < 10, "{path}");
        is_well(admin).await;
    }
    let (bytes, _) = beside(&server, broken_off(admin, "/api/odd/endless")).await;
    assert!(bytes <= BODY_MAX, "{bytes}");
    is_well(admin).await;
    let reply = admin.get("/api/odd/announces-too-much").await;
    assert_eq!((reply.status.as_u16(), reply.code().as_str()), (500, "plugin.limit"), "{reply:?}");
    assert_eq!(reply.json()["details"]["limit"], "response_body_bytes_max");
    is_well(admin).await;
    counted_and_told(admin, "odd", "response_body_bytes_max").await;
}

#[tokio::test]
pub(crate) async fn one_that_does_not_answer_in_time_is_given_up_and_its_place_is_free_again() {
    let server = serving().await;
    let admin = &server.admin;
    for path in ["/api/odd/silent", "/api/odd/drip"] {
        let ((one, other), _) = beside(&server, async { tokio::join!(admin.get(path), admin.get(path)) }).await;
        for reply in [one, other] {
            assert_eq!((reply.status, reply.code().as_str()), (StatusCode::GATEWAY_TIMEOUT, "plugin.timeout"), "{reply:?}");
            assert!(reply.json()["message"].as_str().unwrap().contains("within 2"), "{reply:?}");
            assert_eq!(reply.json()["details"]["limit"], "wall_ms_max");
        }
        // What is cut off while it writes fills the log with words of its own.
        if path.ends_with("silent") {
            counted_and_told(admin, "odd", "wall_ms_max").await;
        }
        is_well(admin).await;
    }
}

#[tokio::test]
async fn a_client_that_goes_away_frees_the_place() {
    let server = serving().await;
    let admin = &server.admin;
    let abandoned: Vec<_> = (0..2).map(|_| admin.request(Method::GET, "/api/odd/endless").send()).collect();
    for request in abandoned {
        let response = request.await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        drop(response);
    }
    eventually("two free places", || async { (admin.plugin("odd").await["usage"]["in_progress"] == 0).then_some(()) }).await;
    is_well(admin).await;
}
