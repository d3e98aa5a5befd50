//! A component of the standard `wasi:http/proxy` world, which knows nothing of the platform.

use bytes::Bytes;
use futures_util::stream;
use http::{Method, StatusCode};
use mint_tests::{TestServer, bundle};
use reqwest::Body;
use serde_json::json;

const MIB: usize = 1 << 20;

#[tokio::test]
async fn it_is_installed_and_serves_under_its_prefix() {
    let server = TestServer::start().await;
    server.admin.installed(&bundle("standard"), json!({})).await;
    let reply = server.admin.get("/api/standard/runs/7?all=1").await;
    assert_eq!((reply.status, reply.text()), (StatusCode::OK, "/api/standard/runs/7?all=1".to_owned()));

    let pieces = stream::iter((0..32).map(|n| Ok::<_, std::io::Error>(Bytes::from(vec![n; MIB / 8]))));
    let sent = server.admin.request(Method::POST, "/api/standard/echo").body(Body::wrap_stream(pieces));
    let reply = server.admin.send(sent).await;
    let expected: Vec<u8> = b"/api/standard/echo".iter().copied().chain((0..32).flat_map(|n| vec![n; MIB / 8])).collect();
    assert!(reply.status == StatusCode::OK && reply.body == expected, "{} bytes", reply.body.len());
}
