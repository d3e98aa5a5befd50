//! A plugin is started again while people use it.

use std::{
    convert::Infallible,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
};

use bytes::Bytes;
use futures_util::future::join_all;
use http::{Method, StatusCode};
use mint_tests::{TestServer, bundle, eventually, repackaged};
use reqwest::Body;
use serde_json::json;
use tokio_util::sync::CancellationToken;

async fn no_request_fails(policy: &str) {
    let server = TestServer::start().await;
    let policy = json!(policy);
    let guest = repackaged(&bundle("hello"), |manifest| manifest["instances"] = policy);
    server.admin.installed(&guest, json!({ "queue_max": 1000 })).await;
    let (stop, answered) = (AtomicBool::new(false), AtomicUsize::new(0));
    let clients = join_all((0..8).map(|_| async {
        let client = server.client("member").await;
        while !stop.load(Ordering::Relaxed) {
            let reply = client.get("/api/hello/").await;
            assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
            assert_eq!(reply.json()["message"], "Hello, member!");
            answered.fetch_add(1, Ordering::Relaxed);
        }
    }));
    let reloads = async {
        for _ in 0..5 {
            let begun = answered.load(Ordering::Relaxed);
            let operation = server.admin.reload("hello").await;
            assert_eq!(operation["status"], "done", "{operation:#}");
            eventually("requests between two reloads", || async {
                (answered.load(Ordering::Relaxed) > begun + 20).then_some(())
            })
            .await;
        }
        stop.store(true, Ordering::Relaxed);
    };
    tokio::join!(clients, reloads);
    assert_eq!(server.admin.plugin("hello").await["usage"]["plugin_faults"], 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_request_fails_with_fresh_instances() {
    no_request_fails("request").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_request_fails_with_warm_instances() {
    no_request_fails("tenant").await;
}

#[tokio::test]
async fn a_request_that_was_begun_is_finished_by_the_old_generation() {
    let server = TestServer::start().await;
    server.admin.installed(&bundle("hello"), json!({})).await;
    let go_on = CancellationToken::new();
    let waits = go_on.clone();
    let body = async_stream(waits);
    let slow = async {
        let request = server.admin.request(Method::POST, "/api/hello/echo").body(body);
        server.admin.send(request).await
    };
    let reload = async {
        eventually("the slow request", || async {
            (server.admin.plugin("hello").await["usage"]["in_progress"] == 1).then_some(())
        })
        .await;
        let operation = server.admin.post("/api/plugins/hello/reload", &json!(null)).await.json();
        // The new generation answers while the old one still has something to finish.
        eventually("the new generation", || async {
            assert_eq!(server.admin.get("/api/hello/").await.status, StatusCode::OK);
            (server.admin.plugin("hello").await["usage"]["in_progress"] == 0).then_some(())
        })
        .await;
        go_on.cancel();
        server.admin.ended(&operation).await
    };
    let (slow, reloaded) = tokio::join!(slow, reload);
    assert_eq!((slow.status, slow.text().as_str()), (StatusCode::OK, "first second"));
    assert_eq!(reloaded["status"], "done", "{reloaded:#}");
}

/// Says `first `, waits to be told, and says `second`.
fn async_stream(go_on: CancellationToken) -> Body {
    let chunks = futures_util::stream::unfold(0, move |at| {
        let go_on = go_on.clone();
        async move {
            match at {
                0 => Some((Ok::<_, Infallible>(Bytes::from_static(b"first ")), 1)),
                1 => {
                    go_on.cancelled().await;
                    Some((Ok(Bytes::from_static(b"second")), 2))
                }
                _ => None,
            }
        }
    });
    Body::wrap_stream(chunks)
}

#[tokio::test]
async fn one_change_of_a_plugin_at_a_time() {
    let server = TestServer::start().await;
    server.admin.installed(&bundle("hello"), json!({})).await;
    let replies = join_all((0..4).map(|_| server.admin.post("/api/plugins/hello/reload", &json!(null)))).await;
    let mut begun = 0;
    for reply in replies {
        match reply.status {
            StatusCode::ACCEPTED => {
                begun += 1;
                assert_eq!(server.admin.ended(&reply.json()).await["status"], "done");
            }
            status => assert_eq!((status, reply.code().as_str()), (StatusCode::CONFLICT, "CONFLICT"), "{reply:?}"),
        }
    }
    assert!(begun >= 1);
    assert_eq!(server.admin.post("/api/plugins/none/reload", &json!(null)).await.status, StatusCode::NOT_FOUND);
}
