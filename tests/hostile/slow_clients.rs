//! Clients that take their time, by the thousand, at a server that was started with few open files.

use std::time::{Duration, Instant};

use http::StatusCode;
use mint_tests::{Client, bundle, eventually};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpSocket, TcpStream},
};

use crate::{cli::Mint, subprocess::Program};

/// Of each kind.
const CLIENTS: usize = 250;
/// How long a neighbour's client waits at most, on a machine that may be busy.
const PATIENCE: Duration = Duration::from_secs(5);

/// Clients that each sent this, and do nothing more.
async fn stalled(admin: &Client, text: &str) -> Vec<TcpStream> {
    let mut streams = Vec::new();
    for _ in 0..CLIENTS {
        let mut stream = admin.connect().await;
        stream.write_all(text.as_bytes()).await.unwrap();
        streams.push(stream);
    }
    streams
}

async fn neighbours_answer(admin: &Client) {
    for path in ["/api/hello/", "/api/nosy/pid", "/api/health"] {
        let began = Instant::now();
        let reply = admin.get(path).await;
        assert_eq!(reply.status, StatusCode::OK, "{path}: {reply:?}");
        assert!(began.elapsed() < PATIENCE, "{path} answered after {:?}", began.elapsed());
    }
}

fn as_many_open_files_as_may_be() {
    let most = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: most, maximum: most }).unwrap();
}

/// Connects from another address of this machine, asks, and gives the first line of the answer.
async fn asked_from(address: &str, admin: &Client) -> String {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(format!("{address}:0").parse().unwrap()).unwrap();
    let server = admin.url().strip_prefix("http://").unwrap().parse().unwrap();
    let mut stream = socket.connect(server).await.unwrap();
    let mut answer = String::new();
    // One that is closed at once may be cut off.
    let _cut = stream.write_all(b"GET /api/health HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await;
    let _cut = stream.read_to_string(&mut answer).await;
    answer.lines().next().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn the_connections_of_one_address_leave_room_for_those_of_others() {
    as_many_open_files_as_may_be();
    let mint = Mint::serving_with_open_files(256).await;
    let admin = Client::sign_in(&mint.url, "default", "admin").await;
    let mut crowd = Vec::new();
    for _ in 0..2_500 {
        crowd.push(admin.connect().await);
    }
    eventually("no room for another one", || async { asked_from("127.0.0.1", &admin).await.is_empty().then_some(()) }).await;
    assert_eq!(asked_from("127.0.0.2", &admin).await, "HTTP/1.1 200 OK");
    assert_eq!(mint.log().matches("further connections of an address that has very many are closed").count(), 1);
    drop(crowd);
    eventually("room again", || async { (asked_from("127.0.0.1", &admin).await == "HTTP/1.1 200 OK").then_some(()) }).await;
}

#[tokio::test]
async fn a_thousand_slow_clients_keep_nobody_from_being_served() {
    as_many_open_files_as_may_be();
    let mint = Mint::serving_with_open_files(256).await;
    let admin = Client::sign_in(&mint.url, "default", "admin").await;
    let limits = json!({
        "concurrency_max": 1_000, "queue_max": 100, "processes_max": 2_000, "open_files_max": 4_096, "wall_ms_max": 300_000,
    });
    // The operator gives the laboratory the room that its administrator gives one plugin.
    let given = mint.run(&["tenant", "give", "default", "--set", "laboratory_concurrency_max=2000"]);
    assert_eq!(given.code, Some(0), "{}", given.stderr);
    admin.installed(&Program::BULKY.bundle("bulky"), limits).await;
    admin.installed(&Program::NOSY.bundle("nosy"), json!({})).await;
    admin.installed(&bundle("hello"), json!({})).await;

    let token = admin.token();
    let lines = format!("host: x\r\nauthorization: Bearer {token}\r\n");
    let mut everybody = Vec::new();
    for text in [
        // Half a head, half a body, an answer that nobody reads, and one that is asked for byte by byte.
        format!("GET /api/bulky/pid HTTP/1.1\r\n{lines}"),
        format!("POST /api/bulky/take HTTP/1.1\r\n{lines}content-length: 1000\r\n\r\nhalf"),
        format!("GET /api/bulky/give?bytes=104857600&chunked=0 HTTP/1.1\r\n{lines}\r\n"),
        format!("POST /api/bulky/take HTTP/1.1\r\n{lines}transfer-encoding: chunked\r\n\r\n4\r\nha"),
    ] {
        everybody.push(stalled(&admin, &text).await);
        neighbours_answer(&admin).await;
    }
    eventually("three of four to be served at once", || async {
        let usage = admin.plugin("bulky").await["usage"].clone();
        (usage["in_progress"] == 3 * CLIENTS).then_some(())
    })
    .await;
    for _ in 0..20 {
        neighbours_answer(&admin).await;
    }
    assert_eq!(admin.get("/api/bulky/pid").await.status, StatusCode::OK, "the plugin itself has room for more");
    drop(everybody);
    eventually("all places to be free", || async { (admin.plugin("bulky").await["usage"]["in_progress"] == 0).then_some(()) })
        .await;
    neighbours_answer(&admin).await;
}
