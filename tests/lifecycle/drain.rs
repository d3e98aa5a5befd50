//! What was begun with a release goes on when another takes its place, and ends in time: streams and WebSockets, in both modes.

use std::time::Duration;

use http::{Method, StatusCode};
use mint_tests::{Guest, HANDSHAKE, TestServer, bundle, repackaged};
use reqwest::Response;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::subprocess::Program;

/// A plugin in each mode, as two releases.
fn releases() -> [(&'static str, Guest, Guest); 2] {
    let second = |guest: &Guest| repackaged(guest, |manifest| manifest["plugin"]["version"] = json!("2.0.0"));
    let (shared, isolated) = (bundle("hostile"), Program::TUNNELS.bundle("tunnels"));
    let (shared_2, isolated_2) = (second(&shared), second(&isolated));
    [("hostile", shared, shared_2), ("tunnels", isolated, isolated_2)]
}

/// A stream of the plugin, after its first words.
async fn streaming(server: &TestServer, slug: &str, query: &str) -> Response {
    let request = server.admin.request(Method::GET, &format!("/api/{slug}/ticks?{query}"));
    let mut response = request.send().await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert!(response.chunk().await.unwrap().is_some());
    response
}

/// A WebSocket, after its first frame.
async fn opened(server: &TestServer) -> TcpStream {
    let (head, mut stream) = server.admin.handshake("/api/tunnels/frames", &HANDSHAKE).await;
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    let mut frame = [0; 7];
    stream.read_exact(&mut frame).await.unwrap();
    assert_eq!(&frame, b"\x81\x05hello");
    stream
}

/// It ends with a frame that says why: 1001, going away.
async fn is_told_to_go(mut stream: TcpStream) {
    let mut farewell = [0; 4];
    stream.read_exact(&mut farewell).await.unwrap();
    assert_eq!(farewell, [0x88, 0x02, 0x03, 0xe9]);
    // Who is polite says it, too, and is let go.
    stream.write_all(&[0x88, 0x82, 1, 2, 3, 4, 0x03 ^ 1, 0xe9 ^ 2]).await.unwrap();
    assert_eq!(stream.read(&mut [0; 1]).await.unwrap(), 0);
}

#[tokio::test]
async fn what_ends_in_time_is_not_cut_off() {
    let server = TestServer::with(&[("MINT_PLUGINS__DRAIN_SECONDS", "120")]).await;
    for (slug, first, second) in releases() {
        server.admin.installed(&first, json!({})).await;
        let events = streaming(&server, slug, "count=50").await;
        let download = streaming(&server, slug, "count=50&type=text/plain").await;
        let read = async { (events.bytes().await.unwrap().len(), download.bytes().await.unwrap().len()) };
        let decision = json!({});
        let (upgraded, (events, download)) = tokio::join!(server.admin.upgrade(slug, &second, &decision), read);
        assert_eq!(upgraded["status"], "done", "{upgraded:#}");
        // The first of each was read before.
        let expected = 49 * "data: tick\n\n".len();
        assert!(events >= expected && download >= expected, "{slug}: {events} {download} {expected}");
    }
}

#[tokio::test]
async fn what_has_no_end_is_told_to_go() {
    let server = TestServer::with(&[("MINT_PLUGINS__DRAIN_SECONDS", "2")]).await;
    for (slug, first, second) in releases() {
        server.admin.installed(&first, json!({})).await;
        let events = streaming(&server, slug, "").await;
        let download = streaming(&server, slug, "type=text/plain").await;
        let socket = if slug == "tunnels" { Some(opened(&server).await) } else { None };
        let read = async { (events.bytes().await, download.bytes().await) };
        let decision = json!({});
        let (upgraded, (events, download)) = tokio::join!(server.admin.upgrade(slug, &second, &decision), read);
        assert_eq!(upgraded["status"], "done", "{upgraded:#}");
        assert!(events.is_ok(), "{slug}: a stream of events ends, so that whoever reads it asks again: {events:?}");
        assert!(download.is_err(), "{slug}: half of a file does not look like all of it");
        if let Some(socket) = socket {
            is_told_to_go(socket).await;
        }
        assert_eq!(server.admin.plugin(slug).await["version"], "2.0.0");
        streaming(&server, slug, "count=2").await;
    }
}

#[tokio::test]
async fn nobody_waits_for_streams_of_a_plugin_that_is_removed() {
    let server = TestServer::with(&[("MINT_PLUGINS__DRAIN_SECONDS", "3600")]).await;
    for (slug, first, _) in releases() {
        server.admin.installed(&first, json!({})).await;
        let events = streaming(&server, slug, "").await;
        let socket = if slug == "tunnels" { Some(opened(&server).await) } else { None };
        let removed = server.admin.uninstall(slug, "purge").await;
        assert_eq!(removed["status"], "done", "{removed:#}");
        assert!(events.bytes().await.is_ok(), "{slug}");
        if let Some(socket) = socket {
            is_told_to_go(socket).await;
        }
    }
}

#[tokio::test]
async fn a_server_that_ends_tells_websockets_to_go() {
    let mut server = TestServer::start().await;
    server.admin.installed(&Program::TUNNELS.bundle("tunnels"), json!({})).await;
    let socket = opened(&server).await;
    let stopped = async { tokio::time::timeout(Duration::from_secs(60), server.stop()).await.unwrap() };
    tokio::join!(is_told_to_go(socket), stopped);
}
