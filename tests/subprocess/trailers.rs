//! Fields that come after a body, both ways.

use mint_tests::{TestServer, bundle};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::Program;

async fn serving() -> TestServer {
    let server = TestServer::start().await;
    assert_eq!(server.install(&Program::TRAILERS.bundle("trailers")).await["status"], "done");
    server
}

/// Sends a request as it stands, and gives all of the answer.
async fn said(server: &TestServer, method: &str, path: &str, rest: &str) -> String {
    let mut stream = server.admin.connect().await;
    let token = server.admin.token();
    let request =
        format!("{method} {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\nconnection: close, TE\r\n{rest}");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut said = String::new();
    stream.read_to_string(&mut said).await.unwrap();
    said
}

#[tokio::test]
async fn a_client_sends_those_that_it_announces_and_may() {
    let server = serving().await;
    let rest = "transfer-encoding: chunked\r\nte: gzip, trailers\r\n\
                trailer: X-Checksum, X-MINT-User-Id, Authorization, Cookie, X-Forwarded-For, Host\r\n\r\n\
                5\r\nhello\r\n0\r\nx-checksum: 7\r\nx-unannounced: 1\r\nx-mint-user-id: 1\r\nauthorization: forged\r\n\
                cookie: forged\r\nx-forwarded-for: forged\r\nhost: forged\r\n\r\n";
    let said = said(&server, "POST", "/api/trailers/heard", rest).await;
    let heard: Value = serde_json::from_str(&said[said.find("\r\n\r\n").unwrap() + 4..]).unwrap();
    assert_eq!(heard["trailers"], serde_json::json!({ "x-checksum": "7" }), "{heard}");
    assert_eq!((&heard["headers"]["trailer"], &heard["headers"]["te"]), (&"x-checksum".into(), &"trailers".into()), "{heard}");
    assert!(!heard.to_string().contains("forged"), "{heard}");
}

#[tokio::test]
async fn a_plugin_sends_those_that_it_announces_and_may_to_clients_that_take_them() {
    let server = serving().await;
    for (te, taken) in [("te: trailers\r\n\r\n", true), ("\r\n", false)] {
        let said = said(&server, "GET", "/api/trailers/late", te).await.to_ascii_lowercase();
        let (head, body) = said.split_once("\r\n\r\n").unwrap();
        assert!(head.contains("transfer-encoding: chunked") && head.contains("\r\ntrailer: x-checksum"), "{said}");
        assert!(body.contains("hello") && body.contains("world"), "{said}");
        assert!(body.ends_with(if taken { "0\r\nx-checksum: 7\r\n\r\n" } else { "0\r\n\r\n" }), "{said}");
        assert!(!said.contains("stolen") && !body.contains("text/html"), "{said}");
    }
}

#[tokio::test]
async fn shared_plugins_are_not_troubled_by_them() {
    let server = TestServer::start().await;
    server.admin.installed(&bundle("hostile"), serde_json::json!({})).await;
    let rest = "transfer-encoding: chunked\r\nte: trailers\r\ntrailer: X-Checksum, X-MINT-User-Id\r\n\r\n\
                5\r\nhello\r\n0\r\nx-checksum: 7\r\nx-mint-user-id: 77\r\n\r\n";
    let path = "/api/hostile/heard?names=x-mint-username,x-mint-user-id";
    let said = said(&server, "GET", path, rest).await;
    let (head, body) = said.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200 ") && body.contains("admin") && !body.contains("77"), "{said}");
}
