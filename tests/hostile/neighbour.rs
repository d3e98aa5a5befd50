//! A hostile plugin and one that keeps answering beside it.

use std::{
    pin::pin,
    time::{Duration, Instant},
};

use http::StatusCode;
use mint_tests::{Client, Reply, TestServer, bundle, eventually};
use serde_json::Value;

/// Longest time for the neighbour's answer, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(3);

/// A server with `hostile` under these limits, and `hello`.
pub(super) async fn hostile_with(limits: Value) -> TestServer {
    let server = TestServer::start().await;
    server.admin.installed(&bundle("hostile"), limits).await;
    server.admin.installed(&bundle("hello"), Value::Object(serde_json::Map::new())).await;
    server
}

/// Asks the neighbour, and the platform itself.
pub(crate) async fn neighbour_answers(server: &TestServer) {
    let begun = Instant::now();
    let reply = server.admin.get("/api/hello/").await;
    assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
    assert_eq!(server.admin.get("/api/health").await.status, StatusCode::OK);
    assert!(begun.elapsed() < PATIENCE, "the neighbour answered after {:?}", begun.elapsed());
}

/// Runs `trouble`, and asks the neighbour all the while. Gives how often it answered meanwhile.
pub(crate) async fn beside<T>(server: &TestServer, trouble: impl Future<Output = T>) -> (T, usize) {
    let mut trouble = pin!(trouble);
    let mut answered = 0;
    let outcome = loop {
        tokio::select! {
            biased;
            outcome = &mut trouble => break outcome,
            () = neighbour_answers(server) => answered += 1,
        }
    };
    neighbour_answers(server).await;
    (outcome, answered)
}

/// The platform counted that a plugin reached a limit.
pub(crate) async fn counted(client: &Client, slug: &str, limit: &str) {
    eventually(limit, || async {
        let limits = client.get(&format!("/api/plugins/{slug}/limits")).await.json();
        let status = limits.as_array()?.iter().find(|status| status["name"] == limit)?.clone();
        assert_eq!(status["holds"], true, "{status}");
        (status["reached"].as_u64()? > 0).then_some(())
    })
    .await;
}

/// The same, and it stands in the plugin's log.
pub(crate) async fn counted_and_told(client: &Client, slug: &str, limit: &str) {
    counted(client, slug, limit).await;
    let log = client.plugin(slug).await["log"].to_string();
    assert!(log.contains(limit), "{limit} is not in {log}");
}

/// Asks the hostile plugin while the neighbour is asked, and checks that it is served again afterwards.
pub(super) async fn ask(server: &TestServer, route: &str) -> Reply {
    let path = format!("/api/hostile{route}");
    let (reply, _) = beside(server, server.admin.get(&path)).await;
    assert_eq!(server.admin.get("/api/hostile/").await.text(), "still here", "after {route}");
    reply
}
