//! What plugins do when nobody waits, in both modes.

mod asked;
mod ends;
mod lives;
mod people;

use http::StatusCode;
use mint_tests::{Client, Guest, Reply, bundle, eventually};
use serde_json::{Value, json};

use crate::subprocess::Program;

/// A process that does jobs.
pub(crate) fn worker() -> Guest {
    Program::WORKER.bundle_with("worker", json!({ "capabilities": [{ "name": "jobs", "why": "Works at night." }] }))
}

/// A plugin in each mode, with the same routes and the same kinds of jobs.
fn plugins() -> [(&'static str, Guest); 2] {
    [("hostile", bundle("hostile")), ("worker", worker())]
}

/// Asks a plugin to ask for a job.
pub(crate) async fn ask(client: &Client, slug: &str, wanted: Value) -> Reply {
    client.post(&format!("/api/{slug}/jobs"), &wanted).await
}

/// The same, which must succeed, and gives the job's id.
pub(crate) async fn begin(client: &Client, slug: &str, wanted: Value) -> i64 {
    let reply = ask(client, slug, wanted).await;
    assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
    reply.json()["id"].as_i64().unwrap_or_else(|| panic!("{reply:?}"))
}

/// A job as a person sees it.
pub(crate) async fn job(client: &Client, id: i64) -> Value {
    let reply = client.get(&format!("/api/jobs/{id}")).await;
    assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
    reply.json()
}

/// A job once it stands so.
pub(crate) async fn stands(client: &Client, id: i64, status: &str) -> Value {
    eventually(&format!("job {id} to be {status}"), || async {
        let job = job(client, id).await;
        let is_over = ["completed", "failed", "cancelled"].contains(&job["status"].as_str().unwrap());
        assert!(!is_over || job["status"] == status, "{job:#}");
        (job["status"] == status).then_some(job)
    })
    .await
}

/// Takes a job back, and waits until it has ended.
pub(crate) async fn is_cancelled(client: &Client, id: i64) -> Value {
    let reply = client.post(&format!("/api/jobs/{id}/cancel"), &Value::Null).await;
    assert_eq!((reply.status, reply.json()), (StatusCode::OK, json!({ "cancelled": true })), "{reply:?}");
    stands(client, id, "cancelled").await
}
