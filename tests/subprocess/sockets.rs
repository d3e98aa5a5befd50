//! WebSockets: what is one passes byte by byte, what is none is refused, and none holds more than its place.

use http::{Method, StatusCode};
use mint_tests::{Client, HANDSHAKE, TestServer, bundle, eventually, resident_bytes};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use super::Program;
use crate::hostile::neighbour::beside;

async fn serving(limits: Value) -> TestServer {
    let server = TestServer::start().await;
    server.admin.installed(&Program::TUNNELS.bundle("tunnels"), limits).await;
    server.admin.installed(&bundle("hello"), json!({})).await;
    server
}

fn with<'a>(changes: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let kept = HANDSHAKE.into_iter().filter(|(name, _)| changes.iter().all(|(changed, _)| changed != name));
    kept.chain(changes.iter().copied().filter(|(_, value)| !value.is_empty())).collect()
}

async fn opened(client: &Client, path: &str) -> TcpStream {
    let (head, stream) = client.handshake(path, &HANDSHAKE).await;
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    stream
}

async fn until_in_progress(server: &TestServer, count: u64) {
    eventually("the number of places taken", || async {
        (server.admin.plugin("tunnels").await["usage"]["in_progress"] == count).then_some(())
    })
    .await;
}

#[tokio::test]
async fn bytes_pass_both_ways_after_the_plugin_has_agreed() {
    let server = serving(json!({})).await;
    let (head, mut stream) = server.admin.handshake("/api/tunnels/echo", &HANDSHAKE).await;
    let lower = head.to_ascii_lowercase();
    for line in ["upgrade: websocket\r\n", "connection: upgrade\r\n", "sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo=\r\n"] {
        assert_eq!(lower.matches(line).count(), 1, "{head}");
    }
    let mut heard = [0; 5];
    stream.read_exact(&mut heard).await.unwrap();
    assert_eq!(&heard, b"hello");
    let said: Vec<u8> = (0..1_000_000_u32).map(|number| number as u8).collect();
    let (mut from, mut to) = stream.split();
    let mut heard = vec![0; said.len()];
    let (sent, read) = tokio::join!(to.write_all(&said), from.read_exact(&mut heard));
    sent.unwrap();
    read.unwrap();
    assert!(heard == said);
    until_in_progress(&server, 1).await;
    drop(stream);
    until_in_progress(&server, 0).await;
}

#[tokio::test]
async fn a_plugin_hears_who_asks_and_nothing_that_came_too_early() {
    let server = serving(json!({})).await;
    let viewer = server.client("viewer").await;
    let lines = with(&[
        ("x-mint-user-id", "1"),
        ("cookie", "mint_access_token=forged"),
        ("te", "trailers"),
        ("sec-websocket-protocol", "chat"),
        ("connection", "Upgrade, x-private"),
        ("x-private", "forged"),
        ("http2-settings", "forged"),
    ]);
    let mut stream = viewer.connect().await;
    let lines: String = lines.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let authorization = format!("authorization: Bearer {}", viewer.token());
    let request = format!("GET /api/tunnels/seen?a=1 HTTP/1.1\r\nhost: x\r\n{authorization}\r\n{lines}\r\nGET /early");
    stream.write_all(request.as_bytes()).await.unwrap();
    assert!(mint_tests::read_head(&mut stream).await.starts_with("HTTP/1.1 101 "));
    stream.write_all(b" end").await.unwrap();
    let mut said = String::new();
    stream.read_to_string(&mut said).await.unwrap();
    let said: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(said["data"], "GET /early end");
    let heard = &said["headers"];
    assert!(!said.to_string().contains("forged"), "{said}");
    assert_eq!((&heard["x-mint-username"], &heard["x-forwarded-prefix"]), (&json!("viewer"), &json!("/api/tunnels")), "{said}");
    assert_eq!((&heard["upgrade"], &heard["connection"]), (&json!("websocket"), &json!("Upgrade")), "{said}");
    assert_eq!(heard["sec-websocket-protocol"], "chat");
    for name in ["authorization", "cookie", "te", "x-private", "content-length", "transfer-encoding"] {
        assert_eq!(heard.get(name), None, "{name}: {said}");
    }
}

#[tokio::test]
async fn what_is_no_handshake_never_reaches_the_plugin() {
    let server = serving(json!({})).await;
    for changes in [
        [("connection", "keep-alive")],
        [("upgrade", "websocket, h2c")],
        [("sec-websocket-key", "")],
        [("sec-websocket-key", "bm90IHNpeHRlZW4=")],
        [("sec-websocket-version", "8")],
        [("content-length", "5")],
        [("transfer-encoding", "chunked")],
    ] {
        let (head, _) = server.admin.handshake("/api/tunnels/echo", &with(&changes)).await;
        assert!(head.starts_with("HTTP/1.1 400 "), "{changes:?}: {head}");
    }
    for doubled in HANDSHAKE.iter().skip(1) {
        let lines: Vec<_> = HANDSHAKE.into_iter().chain([*doubled]).collect();
        let (head, _) = server.admin.handshake("/api/tunnels/echo", &lines).await;
        assert!(head.starts_with("HTTP/1.1 400 "), "{doubled:?}: {head}");
    }
    let post = server.admin.request(Method::POST, "/api/tunnels/echo");
    let reply = server.admin.send(HANDSHAKE.iter().fold(post, |request, (name, value)| request.header(*name, *value))).await;
    assert_eq!((reply.status, reply.code().as_str()), (StatusCode::BAD_REQUEST, "VALIDATION_ERROR"), "{reply:?}");
    assert_eq!(server.admin.plugin("tunnels").await["usage"]["requests"], 0);
    // Another protocol is not offered, and what asks for it is a request like any other.
    let h2c = [("connection", "Upgrade, HTTP2-Settings"), ("upgrade", "h2c"), ("http2-settings", "AAMAAABkAAQAAP__")];
    let (head, _) = server.admin.handshake("/api/tunnels/pid", &h2c).await;
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
}

#[tokio::test]
async fn another_sites_page_opens_none_with_the_visitors_cookie() {
    let server = serving(json!({})).await;
    let host = server.url.strip_prefix("http://").unwrap();
    let cookie = format!("mint_access_token={}", server.admin.token());
    let own = format!("http://{host}");
    for (origin, expected) in [(own.as_str(), "101"), ("http://evil.example", "403"), ("null", "403")] {
        let mut stream = server.admin.connect().await;
        let lines: String = HANDSHAKE.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let request =
            format!("GET /api/tunnels/echo HTTP/1.1\r\nhost: {host}\r\ncookie: {cookie}\r\norigin: {origin}\r\n{lines}\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let head = mint_tests::read_head(&mut stream).await;
        assert!(head.starts_with(&format!("HTTP/1.1 {expected} ")), "{origin}: {head}");
    }
    let nobody = Client::anonymous(&server.url).request(Method::GET, "/api/tunnels/echo");
    let reply = nobody.header("upgrade", "websocket").header("connection", "upgrade").send().await.unwrap();
    assert_eq!(reply.status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn an_answer_that_is_none_is_the_plugins_fault_and_nothing_of_it_passes() {
    let server = serving(json!({ "wall_ms_max": 2_000 })).await;
    let paths = [
        "no-accept",
        "empty-accept",
        "two-accepts",
        "no-upgrade",
        "no-connection",
        "h2c",
        "two-protocols",
        "large",
        "bytes-before",
        "continue-for-ever",
        "nothing",
    ];
    for path in paths {
        let (head, mut stream) = server.admin.handshake(&format!("/api/tunnels/{path}"), &HANDSHAKE).await;
        assert!(head.starts_with("HTTP/1.1 502 "), "{path}: {head}");
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap().parse().unwrap();
        let mut body = vec![0; length];
        stream.read_exact(&mut body).await.unwrap();
        assert!(!String::from_utf8(body).unwrap().contains("smuggled"), "{path}");
    }
    // One that answers a plain request by switching, and one that does not answer.
    let reply = server.admin.get("/api/tunnels/echo").await;
    assert_eq!((reply.status, reply.code().as_str()), (StatusCode::BAD_GATEWAY, "plugin.garbage"), "{reply:?}");
    let silent = server.admin.handshake("/api/tunnels/silent", &HANDSHAKE);
    let ((head, _), _) = beside(&server, silent).await;
    assert!(head.starts_with("HTTP/1.1 504 "), "{head}");
    let usage = server.admin.plugin("tunnels").await["usage"].clone();
    assert_eq!((&usage["plugin_faults"], &usage["in_progress"]), (&json!(paths.len() + 2), &json!(0)), "{usage}");
    // Its other answers are those of any request.
    let (head, _) = server.admin.handshake("/api/tunnels/pid", &HANDSHAKE).await;
    assert!(head.starts_with("HTTP/1.1 200 ") && head.contains("content-security-policy: sandbox"), "{head}");
}

#[tokio::test]
async fn a_flood_waits_for_a_client_that_does_not_read() {
    let server = serving(json!({})).await;
    let before = resident_bytes();
    let flooded = async {
        let mut streams = Vec::new();
        for _ in 0..8 {
            streams.push(opened(&server.admin, "/api/tunnels/flood").await);
        }
        let mut first = [0; 65_536];
        for stream in &mut streams {
            stream.read_exact(&mut first).await.unwrap();
        }
        streams
    };
    let (streams, _) = beside(&server, flooded).await;
    for _ in 0..20 {
        crate::hostile::neighbour::neighbour_answers(&server).await;
    }
    let grown = resident_bytes().saturating_sub(before);
    assert!(grown < 24 << 20, "the server grew by {grown} bytes");
    drop(streams);
    until_in_progress(&server, 0).await;
}

#[tokio::test]
async fn each_has_a_place_until_it_ends() {
    let server = serving(json!({ "concurrency_max": 2, "queue_max": 1, "wall_ms_max": 1_000 })).await;
    let first = opened(&server.admin, "/api/tunnels/echo").await;
    let second = opened(&server.admin, "/api/tunnels/echo").await;
    until_in_progress(&server, 2).await;
    let reply = server.admin.get("/api/tunnels/pid").await;
    assert_eq!(
        (reply.code().as_str(), &reply.json()["details"]["limit"]),
        ("plugin.busy", &json!("concurrency_max")),
        "{reply:?}"
    );
    drop(first);
    until_in_progress(&server, 1).await;
    assert_eq!(server.admin.get("/api/tunnels/pid").await.status, StatusCode::OK);
    drop(second);
}

#[tokio::test]
async fn it_ends_with_the_plugins_process() {
    let server = serving(json!({})).await;
    let mut stream = opened(&server.admin, "/api/tunnels/echo").await;
    stream.read_exact(&mut [0; 5]).await.unwrap();
    let pid = server.admin.plugin("tunnels").await["runtime"]["pid"].as_i64().unwrap();
    let pid = rustix::process::Pid::from_raw(pid as i32).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    assert_eq!(stream.read(&mut [0; 1]).await.unwrap_or(0), 0);
    until_in_progress(&server, 0).await;
    let again = eventually("another process", || async {
        let (head, stream) = server.admin.handshake("/api/tunnels/echo", &HANDSHAKE).await;
        head.starts_with("HTTP/1.1 101 ").then_some(stream)
    })
    .await;
    drop(again);
}

#[tokio::test]
async fn an_open_one_does_not_keep_the_server_from_ending() {
    let mut server = serving(json!({})).await;
    let mut stream = opened(&server.admin, "/api/tunnels/echo").await;
    stream.read_exact(&mut [0; 5]).await.unwrap();
    let began = std::time::Instant::now();
    server.stop().await;
    // The plugin echoes that it was told to go.
    stream.read_to_end(&mut Vec::new()).await.unwrap();
    assert!(began.elapsed().as_secs() < 20, "{:?}", began.elapsed());
}

#[tokio::test]
async fn shared_plugins_have_none_and_say_so() {
    let server = serving(json!({})).await;
    let (head, mut stream) = server.admin.handshake("/api/hello/", &HANDSHAKE).await;
    assert!(head.starts_with("HTTP/1.1 501 "), "{head}");
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap().parse().unwrap();
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.unwrap();
    let envelope: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(envelope["code"], "feature.not_implemented");
    assert!(envelope["message"].as_str().unwrap().contains("shared mode"), "{envelope}");
}
