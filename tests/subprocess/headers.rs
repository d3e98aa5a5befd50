//! What passes between a client and a plugin, and what does not.

use std::collections::BTreeMap;

use http::Method;
use mint_tests::{Client, Reply, TestServer, bundle};
use reqwest::Body;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use super::Program;
use crate::hostile::neighbour::{beside, counted_and_told};

async fn serving() -> TestServer {
    let server = TestServer::start().await;
    for (program, slug) in [(Program::NOSY, "nosy"), (Program::ODD, "odd")] {
        assert_eq!(server.install(&program.bundle(slug)).await["status"], "done");
    }
    server
}

fn seen(reply: &Reply) -> BTreeMap<String, Vec<String>> {
    let mut seen: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for pair in reply.json()["headers"].as_array().unwrap() {
        seen.entry(pair[0].as_str().unwrap().to_owned()).or_default().push(pair[1].as_str().unwrap().to_owned());
    }
    seen
}

#[tokio::test]
async fn a_client_cannot_say_who_it_is() {
    let server = serving().await;
    let viewer = server.client("viewer").await;
    let mut request = viewer.request(Method::GET, "/api/nosy/echo?a=1&b=%20x");
    for (name, value) in [
        ("x-mint-user-id", "1"),
        ("X-MINT-User-Role", "admin"),
        ("x-mint-username", "admin"),
        ("x-mint-user-permissions", "[\"platform.configure\"]"),
        ("x-mint-internal-token", "forged"),
        ("x-mint-anything", "forged"),
        ("x-mld-user-id", "1"),
        ("x-forwarded-prefix", "/forged"),
        ("x-forwarded-for", "forged"),
        ("forwarded", "for=forged"),
        ("x-real-ip", "forged"),
        ("cookie", "mint_access_token=forged; seen=forged"),
        ("proxy-authorization", "forged"),
        ("te", "gzip, trailers"),
        ("connection", "x-private, te"),
        ("x-private", "forged"),
        ("x-own", "passes"),
        ("accept-language", "de"),
        ("x-request-id", "mine-1"),
    ] {
        request = request.header(name, value);
    }
    let reply = viewer.send(request).await;
    let (seen, text) = (seen(&reply), reply.text());
    assert!(!text.contains("forged") && !text.contains(viewer.token()), "{text}");
    for (name, expected) in [
        ("x-mint-username", "viewer"),
        ("x-mint-user-role", "viewer"),
        ("x-forwarded-prefix", "/api/nosy"),
        ("x-request-id", "mine-1"),
        ("x-own", "passes"),
        ("accept-language", "de"),
    ] {
        assert_eq!(seen[name], [expected], "{name}");
    }
    assert_eq!(seen["x-mint-internal-token"][0].len(), 64);
    assert!(!seen["x-mint-user-permissions"][0].contains("platform.configure"), "{seen:?}");
    for name in ["authorization", "cookie", "x-private", "forwarded", "x-real-ip", "x-forwarded-for"] {
        assert!(!seen.contains_key(name), "{name} reached the plugin: {seen:?}");
    }
    assert_eq!(reply.json()["target"], "/api/nosy/echo?a=1&b=%20x");
    assert_eq!(reply.headers["x-request-id"], "mine-1");
}

#[tokio::test]
async fn the_body_passes_and_its_length_is_told_once() {
    let server = serving().await;
    let admin = &server.admin;
    let reply = admin.send(admin.request(Method::POST, "/api/nosy/echo").body(vec![7_u8; 300_000])).await;
    assert_eq!((&reply.json()["bytes"], &reply.json()["method"]), (&json!(300_000), &json!("POST")));
    assert_eq!(seen(&reply)["content-length"], ["300000"]);
}

#[tokio::test]
pub(crate) async fn a_body_that_is_too_long_is_refused_whether_it_says_so_or_not() {
    let server = TestServer::start().await;
    let admin = &server.admin;
    admin.installed(&Program::NOSY.bundle("nosy"), json!({ "request_body_bytes_max": 1_000 })).await;
    admin.installed(&bundle("hello"), json!({})).await;
    let chunks = futures_util::stream::iter((0..100).map(|_| Ok::<_, std::io::Error>(vec![7_u8; 100])));
    for body in [Body::from(vec![7_u8; 10_000]), Body::wrap_stream(chunks)] {
        let refused = admin.send(admin.request(Method::POST, "/api/nosy/echo").body(body));
        let (reply, _) = beside(&server, refused).await;
        assert_eq!((reply.status.as_u16(), reply.code().as_str()), (413, "request.too_large"), "{reply:?}");
        assert_eq!(reply.json()["details"]["limit"], "request_body_bytes_max", "{reply:?}");
    }
    let reply = admin.send(admin.request(Method::POST, "/api/nosy/echo").body(vec![7_u8; 1_000])).await;
    assert_eq!(reply.json()["bytes"], 1_000);
    counted_and_told(admin, "nosy", "request_body_bytes_max").await;
}

#[tokio::test]
async fn a_plugin_cannot_speak_for_the_platform() {
    let server = serving().await;
    let reply = server.admin.get("/api/odd/greedy").await;
    assert_eq!(reply.text(), "{}");
    let cookies: Vec<_> = reply.headers.get_all("set-cookie").iter().collect();
    assert_eq!(cookies, ["seen=1"]);
    for name in ["x-mint-internal-token", "service-worker-allowed", "strict-transport-security", "clear-site-data", "x-hidden"] {
        assert!(!reply.headers.contains_key(name), "{name}: {reply:?}");
    }
    assert_eq!(reply.headers["x-kept"], "1");
    assert!(reply.headers["content-security-policy"].to_str().unwrap().starts_with("sandbox"), "{reply:?}");
}

/// Sends a path as it stands, which clients would tidy up.
async fn raw(server: &TestServer, path: &str) -> String {
    raw_request(server, &format!("GET {path}")).await
}

async fn raw_request(server: &TestServer, line: &str) -> String {
    let mut stream = TcpStream::connect(server.url.strip_prefix("http://").unwrap()).await.unwrap();
    let token = server.admin.token();
    let request = format!("{line} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut said = String::new();
    stream.read_to_string(&mut said).await.unwrap();
    said
}

#[tokio::test]
async fn odd_paths_and_tunnels_are_refused_before_the_plugin() {
    let server = serving().await;
    for path in
        ["/api/nosy/a%2fb", "/api/nosy/../odd/pid", "/api/nosy/%2e%2e/odd/pid", "/api/nosy/.%2E/odd/pid", "/api/nosy//echo"]
    {
        let said = raw(&server, path).await;
        assert!(said.starts_with("HTTP/1.1 400 ") && said.contains("VALIDATION_ERROR"), "{path}: {said}");
    }
    assert!(raw(&server, "/api/nosy/pid").await.starts_with("HTTP/1.1 200 "));
    for (method, path, status) in [("CONNECT", "/api/nosy/echo", "501"), ("CONNECT", "nosy:80", "404")] {
        let said = raw_request(&server, &format!("{method} {path}")).await;
        assert!(said.starts_with(&format!("HTTP/1.1 {status} ")), "{path}: {said}");
    }
    let nobody = Client::anonymous(&server.url).get("/api/nosy/echo").await;
    assert_eq!(nobody.code(), "auth.required");
}
