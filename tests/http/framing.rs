//! Requests whose end could be read in two ways, and heads that are none. A plugin sees one proper request, or none.

use mint_tests::{TestServer, bundle};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::subprocess::Program;

/// What is refused: lines of a head after the usual ones, and what comes after it.
pub(crate) const REFUSED: &[(&str, &str)] = &[
    // Lengths that contradict each other, or are none.
    ("content-length: 5\r\ncontent-length: 6", "hello!"),
    ("content-length: 5, 6", "hello!"),
    ("content-length: 5, 5", "hello"),
    ("content-length: +5", "hello"),
    ("content-length: -1", "hello"),
    ("content-length: 0x5", "hello"),
    ("content-length: 5 5", "hello"),
    ("content-length: 99999999999999999999", "hello"),
    // Transfer encodings that some take for `chunked`.
    ("transfer-encoding: chunked\r\ntransfer-encoding: chunked", "0\r\n\r\n"),
    ("transfer-encoding: chunked, chunked", "0\r\n\r\n"),
    ("transfer-encoding: gzip, chunked", "0\r\n\r\n"),
    ("transfer-encoding: chunked, identity", "0\r\n\r\n"),
    ("transfer-encoding: identity", "hello"),
    ("transfer-encoding: xchunked", "0\r\n\r\n"),
    ("transfer-encoding: \"chunked\"", "0\r\n\r\n"),
    ("transfer-encoding:\x0bchunked", "0\r\n\r\n"),
    ("transfer-encoding : chunked", "0\r\n\r\n"),
    // Lines that go on, names and values that are none, two hosts.
    ("x-folded: a\r\n b", ""),
    ("x folded: a", ""),
    ("x-nul: a\0b", ""),
    ("x-return: a\rb", ""),
    (": empty", ""),
    ("host: other", ""),
    // Chunks that are none.
    ("transfer-encoding: chunked", "zz\r\nhello\r\n0\r\n\r\n"),
    ("transfer-encoding: chunked", "-5\r\nhello\r\n0\r\n\r\n"),
    ("transfer-encoding: chunked", "5 5\r\nhello\r\n0\r\n\r\n"),
    ("transfer-encoding: chunked", "fffffffffffffffff\r\nhello\r\n0\r\n\r\n"),
    ("transfer-encoding: chunked", "5\r\nhelloworld\r\n0\r\n\r\n"),
];

/// A body of chunks, and another request behind it, which nobody may answer after a head that could be read in two ways.
const BOTH: &str = "5\r\nhello\r\n0\r\n\r\nGET /api/nosy/pid HTTP/1.1\r\nhost: x\r\n\r\n";

async fn said(server: &TestServer, line: &str, lines: &str, rest: &str) -> String {
    let mut stream = server.admin.connect().await;
    let token = server.admin.token();
    let request = format!("{line}\r\nhost: x\r\nauthorization: Bearer {token}\r\n{lines}\r\n\r\n{rest}");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut said = Vec::new();
    // One that is refused may be reset before the last byte was read.
    let _whole = stream.read_to_end(&mut said).await;
    String::from_utf8_lossy(&said).into_owned()
}

#[tokio::test]
async fn what_could_be_read_in_two_ways_is_refused_and_ends_the_connection() {
    let server = TestServer::start().await;
    server.admin.installed(&Program::NOSY.bundle("nosy"), json!({})).await;
    server.admin.installed(&bundle("hostile"), json!({})).await;
    let smuggled = "GET /api/nosy/pid HTTP/1.1\r\nhost: x\r\n\r\n";
    for path in ["/api/nosy/echo", "/api/hostile/hold?ms=1"] {
        for (lines, rest) in REFUSED {
            if path.contains("hostile") && *lines == "transfer-encoding: chunked" {
                // That one does not read what it is sent.
                continue;
            }
            let said = said(&server, &format!("POST {path} HTTP/1.1"), lines, &format!("{rest}{smuggled}")).await;
            assert!(said.starts_with("HTTP/1.1 400 "), "{path} {lines:?} {rest:?}: {said}");
            assert_eq!(said.matches("HTTP/1.1 ").count(), 1, "{path} {lines:?} {rest:?}: {said}");
        }
        let old = said(&server, &format!("POST {path} HTTP/1.0"), "transfer-encoding: chunked", "0\r\n\r\n").await;
        assert!(old.starts_with("HTTP/1.") && old[8..].starts_with(" 400 "), "{old}");
    }
    let pid = server.admin.get("/api/nosy/pid").await;
    assert!(pid.status.is_success(), "{pid:?}");
    for slug in ["nosy", "hostile"] {
        let usage = server.admin.plugin(slug).await["usage"].clone();
        assert_eq!((&usage["plugin_faults"], &usage["in_progress"]), (&json!(0), &json!(0)), "{usage}");
    }
}

#[tokio::test]
async fn what_can_be_read_in_one_way_only_reaches_the_plugin_in_proper_form() {
    let server = TestServer::start().await;
    server.admin.installed(&Program::NOSY.bundle("nosy"), json!({})).await;
    let token = server.admin.token();
    for (line, lines, rest, bytes) in [
        ("POST /api/nosy/echo HTTP/1.1", "Content-Length: 5", "hello", 5),
        ("POST /api/nosy/echo HTTP/1.1", "Transfer-Encoding: Chunked", "5;a=b\r\nhello\r\n0\r\n\r\n", 5),
        // A length beside the encoding counts for nothing, and is not passed on.
        ("POST /api/nosy/echo HTTP/1.1", "transfer-encoding: chunked\r\ncontent-length: 3", BOTH, 5),
        ("POST /api/nosy/echo HTTP/1.1", "content-length: 3\r\ntransfer-encoding: chunked", BOTH, 5),
        ("POST /api/nosy/echo HTTP/1.1", "content-length: 5\r\ncontent-length: 5", "hello", 5),
        ("POST http://evil.example/api/nosy/echo HTTP/1.1", "content-length: 5", "hello", 5),
    ] {
        let closes = if rest == BOTH { "" } else { "connection: close\r\n" };
        let said = said(&server, line, &format!("{closes}{lines}"), rest).await;
        let (head, body) = said.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 200 "), "{lines}: {said}");
        let heard: Value = serde_json::from_str(body).unwrap();
        assert_eq!((&heard["bytes"], &heard["target"]), (&json!(bytes), &json!("/api/nosy/echo")), "{lines}: {heard}");
        let framing = heard["headers"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|pair| ["content-length", "transfer-encoding"].contains(&pair[0].as_str().unwrap()));
        assert_eq!(framing.count(), 1, "{lines}: {heard}");
        assert!(!heard.to_string().contains(token), "{heard}");
    }
}

#[tokio::test]
async fn heads_are_bounded() {
    let server = TestServer::start().await;
    server.admin.installed(&Program::NOSY.bundle("nosy"), json!({})).await;
    let many: String = (0..200).map(|number| format!("x-{number}: y\r\n")).collect();
    let large = format!("x-large: {}", "y".repeat(1 << 20));
    for lines in [many.trim_end(), &large] {
        let said = said(&server, "GET /api/nosy/pid HTTP/1.1", lines, "").await;
        // A connection that is closed while its client still sends may be reset before the answer is read.
        assert!(said.starts_with("HTTP/1.1 431 ") || said.is_empty(), "{said}");
    }
    assert!(server.admin.get("/api/nosy/pid").await.status.is_success());
}
