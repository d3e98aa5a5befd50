//! A hostile plugin and one that keeps answering beside it.

use std::{
    pin::pin,
    time::{Duration, Instant},
};

use http::StatusCode;
use mint_tests::{Reply, TestServer, bundle};
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

/// Asks the hostile plugin while the neighbour is asked, and checks that it is served again afterwards.
pub(super) async fn ask(server: &TestServer, route: &str) -> Reply {
    let path = format!("/api/hostile{route}");
    let (reply, _) = beside(server, server.admin.get(&path)).await;
    assert_eq!(server.admin.get("/api/hostile/").await.text(), "still here", "after {route}");
    reply
}
