//! The way out of processes: the platform's proxy to what is granted, and no other.

use std::io;

use http::StatusCode;
use mint_tests::TestServer;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

use super::sandbox::{holds, prisoner, tries};
use crate::hostile::neighbour::counted_and_told;

/// A server of plain HTTP that tells what it was asked. At `/away` it sends whoever asks to another address, at `/give/n` it
/// gives so many bytes, without a length, and at `/take` it takes all that comes.
pub(crate) async fn listen(away: &str, serving: &mut JoinSet<()>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let away = away.to_owned();
    serving.spawn(async move {
        let mut connections = JoinSet::new();
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let away = away.clone();
            connections.spawn(async move {
                let mut asked = vec![0; 4096];
                let read = stream.read(&mut asked).await.unwrap_or(0);
                let asked = String::from_utf8_lossy(&asked[..read]).into_owned();
                if let Some(count) = asked.strip_prefix("GET /give/").and_then(|rest| rest.split_once(' ')) {
                    let _gone = give(&mut stream, count.0.parse().unwrap()).await;
                    return;
                }
                if asked.starts_with("POST /take ") {
                    take(&mut stream, asked).await;
                    return;
                }
                let head = if asked.starts_with("GET /away ") {
                    format!("HTTP/1.1 302 Found\r\nlocation: {away}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
                } else {
                    format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{asked}", asked.len())
                };
                let _gone = stream.write_all(head.as_bytes()).await;
            });
        }
    });
    port
}

async fn give(stream: &mut TcpStream, mut bytes: usize) -> io::Result<()> {
    stream.write_all(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n").await?;
    while bytes > 0 {
        let chunk = bytes.min(1 << 16);
        stream.write_all(&vec![b'x'; chunk]).await?;
        bytes -= chunk;
    }
    stream.shutdown().await
}

/// Answers after the end of a chunked body, if it comes.
async fn take(stream: &mut TcpStream, begin: String) {
    let mut end = begin;
    let mut more = vec![0; 1 << 16];
    while !end.ends_with("0\r\n\r\n") {
        let Ok(read @ 1..) = stream.read(&mut more).await else { return };
        end.push_str(&String::from_utf8_lossy(&more[..read]));
    }
    let _gone = stream.write_all(b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n").await;
}

/// What came of one attempt: a status or a first line, and the rest.
fn said(answer: &Value) -> (String, String) {
    let words = answer["done"].as_array().unwrap_or_else(|| panic!("{answer}"));
    (words[0].to_string().trim_matches('"').to_owned(), words[1].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn what_is_granted_is_reached_by_the_proxy_and_nothing_else() {
    let mut serving = JoinSet::new();
    let other = listen("/", &mut serving).await;
    let granted = listen(&format!("http://127.0.0.1:{other}/"), &mut serving).await;
    let server = TestServer::start().await;
    let grants = [format!("http:127.0.0.1:{granted}"), format!("http:localhost:{granted}")];
    server.install(&prisoner("caller", &[&grants[0], &grants[1]])).await;
    let platform = server.url.strip_prefix("http://").unwrap();
    let ask =
        |method: &str, target: &str, more: &str| json!(["by_proxy", format!("{method} {target} HTTP/1.1\r\n{more}\r\n\r\n")]);
    let at = |port: u16| format!("127.0.0.1:{port}");

    let fetched = tries(
        &server,
        "caller",
        json!([
            ["fetch", format!("http://{}/data?a=1", at(granted))],
            ["fetch", format!("http://{}/", at(other))],
            ["fetch", format!("http://{}/away", at(granted))],
            // A name that leads inside, whatever it led to when it was granted.
            ["fetch", format!("http://localhost:{granted}/")],
            ["fetch", "http://169.254.169.254/latest/meta-data"],
            ["fetch", format!("http://{platform}/api/health")],
        ]),
    )
    .await;
    let (status, body) = said(&fetched[0]);
    assert_eq!(status, "200");
    assert!(body.starts_with("GET /data?a=1 HTTP/1.1\r\n") && !body.to_lowercase().contains("proxy"), "{body}");
    for (answer, words) in [
        (&fetched[1], "was not granted `http:127.0.0.1:"),
        (&fetched[2], "was not granted `http:127.0.0.1:"),
        (&fetched[4], "was not granted `http:169.254.169.254"),
    ] {
        let (status, body) = said(answer);
        assert!(status == "403" && body.contains(words), "{answer}");
    }
    let inside = said(&fetched[3]);
    assert!(inside.0 == "403" && inside.1.contains("not a public address"), "{inside:?}");
    assert_eq!(said(&fetched[5]).0, "200", "the platform is reached as ever");

    let raw = tries(
        &server,
        "caller",
        json!([
            ask("CONNECT", &at(granted), "CREDENTIAL"),
            ask("CONNECT", &at(other), "CREDENTIAL"),
            ask("CONNECT", &format!("localhost:{granted}"), "CREDENTIAL"),
            ask("CONNECT", &format!("[::ffff:127.0.0.1]:{granted}"), "CREDENTIAL"),
            ask("CONNECT", &format!("0x7f000001:{granted}"), "CREDENTIAL"),
            ask("CONNECT", &at(granted), "X: y"),
            ask("GET", &format!("http://{}/", at(granted)), "Proxy-Authorization: Basic bWludDp4"),
            ask("GET", &format!("http://{}/", at(granted)), "CREDENTIAL\r\nHost: elsewhere.example"),
            ask("GET", &format!("http://elsewhere.example@{}/", at(granted)), "CREDENTIAL"),
            ask("GET", &format!("https://{}/", at(granted)), "CREDENTIAL"),
            ask("GET", "/", "CREDENTIAL\r\nHost: 127.0.0.1"),
        ]),
    )
    .await;
    let lines: Vec<String> = raw.iter().map(|answer| said(answer).0).collect();
    for (line, expected) in lines.iter().zip([200, 403, 403, 400, 403, 407, 407, 200, 400, 400, 400]) {
        assert!(line.starts_with(&format!("HTTP/1.1 {expected} ")), "{expected} is not in {lines:#?}");
    }
    let told = said(&raw[7]).1;
    assert!(told.contains(&format!("host: {}", at(granted))) && !told.contains("elsewhere"), "{told}");

    if holds(&server, "caller", "network").await {
        let around = json!([["connect", "127.0.0.1", granted], ["connect", "192.0.2.1", 443]]);
        assert_eq!(tries(&server, "caller", around).await, [json!("ECONNREFUSED"), json!("ENETUNREACH")]);
    }
    let changed = server.admin.patch("/api/plugins/caller/grants", &json!({ "revoke": [grants[0]] })).await;
    assert_eq!(changed.status, StatusCode::OK, "{changed:?}");
    let now = tries(&server, "caller", json!([["fetch", format!("http://{}/", at(granted))]])).await;
    assert_ne!(now[0]["done"][0], 200, "what was taken away is refused from then on: {now:?}");
}

#[tokio::test]
pub(crate) async fn a_process_has_so_many_outbound_requests_at_once() {
    let mut serving = JoinSet::new();
    let granted = listen("/", &mut serving).await;
    let server = TestServer::start().await;
    let guest = prisoner("caller", &[&format!("http:127.0.0.1:{granted}")]);
    server.admin.installed(&guest, json!({ "outbound_concurrency_max": 2 })).await;
    let hold = json!(["by_proxy", format!("CONNECT 127.0.0.1:{granted} HTTP/1.1\r\nCREDENTIAL\r\n\r\n"), true]);
    let answers = tries(&server, "caller", json!([hold, hold, hold])).await;
    let lines: Vec<String> = answers.iter().map(|answer| said(answer).0).collect();
    assert!(lines[0].contains(" 200 ") && lines[1].contains(" 200 ") && lines[2].contains(" 429 "), "{lines:?}");
    assert!(said(&answers[2]).1.contains("outbound_concurrency_max"), "{answers:?}");
    counted_and_told(&server.admin, "caller", "outbound_concurrency_max").await;
}

#[tokio::test]
pub(crate) async fn a_process_has_so_many_outbound_requests_in_a_minute() {
    let mut serving = JoinSet::new();
    let granted = listen("/", &mut serving).await;
    let server = TestServer::start().await;
    let guest = prisoner("caller", &[&format!("http:127.0.0.1:{granted}")]);
    server.admin.installed(&guest, json!({ "outbound_per_minute_max": 2 })).await;
    let fetch = json!(["fetch", format!("http://127.0.0.1:{granted}/")]);
    let answers = tries(&server, "caller", json!([fetch, fetch, fetch])).await;
    let statuses: Vec<String> = answers.iter().map(|answer| said(answer).0).collect();
    assert_eq!(statuses, ["200", "200", "429"], "{answers:?}");
    counted_and_told(&server.admin, "caller", "outbound_per_minute_max").await;
    let more = server.admin.patch("/api/plugins/caller/limits", &json!({ "outbound_per_minute_max": 600 })).await;
    assert_eq!((more.status, &more.json()["operation"]), (StatusCode::OK, &Value::Null), "{more:?}");
    assert_eq!(said(&tries(&server, "caller", json!([fetch])).await[0]).0, "200", "what is set holds from the next request on");
}

#[tokio::test]
pub(crate) async fn a_process_sends_and_gets_no_longer_bodies_than_its_limit() {
    let mut serving = JoinSet::new();
    let granted = listen("/", &mut serving).await;
    let server = TestServer::start().await;
    let guest = prisoner("caller", &[&format!("http:127.0.0.1:{granted}")]);
    server.admin.installed(&guest, json!({ "outbound_body_bytes_max": 100_000 })).await;
    let give = |count: u32| json!(["length", format!("http://127.0.0.1:{granted}/give/{count}")]);
    let raw = |bytes: usize| {
        let head = format!("POST http://127.0.0.1:{granted}/take HTTP/1.1\r\nCREDENTIAL\r\ntransfer-encoding: chunked\r\n\r\n");
        json!(["by_proxy", format!("{head}{bytes:x}\r\n{}\r\n0\r\n\r\n", "x".repeat(bytes))])
    };
    let through = format!("CONNECT 127.0.0.1:{granted} HTTP/1.1\r\nCREDENTIAL\r\n\r\n");
    let tunnel = |count: u32| json!(["tunnel", through, format!("GET /give/{count} HTTP/1.1\r\n\r\n")]);
    let answers = tries(
        &server,
        "caller",
        json!([give(100_000), give(300_000), raw(90_000), raw(200_000), tunnel(90_000), tunnel(900_000)]),
    )
    .await;
    assert_eq!(answers[0], json!({ "done": 100_000 }));
    assert!(answers[1].as_str().is_some_and(|error| error.contains("IncompleteRead")), "{answers:?}");
    assert!(said(&answers[2]).0.contains(" 204 "), "{answers:?}");
    let (line, words) = said(&answers[3]);
    assert!(line.contains(" 429 ") && words.contains("outbound_body_bytes_max"), "{line} {words}");
    assert!(answers[4]["done"].as_u64().unwrap() >= 90_000, "{answers:?}");
    assert!(answers[5]["done"].as_u64().unwrap_or(0) < 200_000, "{answers:?}");
    counted_and_told(&server.admin, "caller", "outbound_body_bytes_max").await;
}
