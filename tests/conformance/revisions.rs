//! Tables that are changed by revisions of Alembic, as the later of MINT's SDKs run them: at the start of the process, by its own
//! connection.

use http::StatusCode;
use mint_tests::{Client, TestServer};
use serde_json::{Value, json};

use super::sdk_fixture::Fixture;

async fn got(client: &Client, path: &str) -> Value {
    let reply = client.get(&format!("/api/revised/{path}")).await;
    assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
    reply.json()
}

#[tokio::test]
async fn revisions_are_applied_once_and_what_they_kept_stays() {
    let first = Fixture::of("revisions").without("r2_wells.py");
    let Some(python) = first.python() else { return };
    for server in TestServer::on_every_database(&[("MINT_PLUGINS__UV__PYTHON", &python)]).await {
        let admin = &server.admin;
        let operation = admin.install(&first.bundle(), json!({ "grants": first.grants() })).await;
        assert_eq!(operation["status"], "done", "{operation:#}");
        let added = admin.post("/api/revised/plates", &json!({ "name": "a plate" })).await;
        assert_eq!(added.status, StatusCode::OK, "{added:?}");
        assert_eq!(got(admin, "revision").await, "r1");
        assert_eq!(admin.reload("revised").await["status"], "done");
        assert_eq!(got(admin, "plates").await, json!([{ "id": 1, "name": "a plate" }]));
        let second = Fixture::of("revisions").release("2.0.0");
        let upgraded = admin.upgrade("revised", &second.bundle(), &json!({})).await;
        assert_eq!(upgraded["status"], "done", "{upgraded:#}");
        assert_eq!(got(admin, "plates").await, json!([{ "id": 1, "name": "a plate", "wells": 96 }]));
        assert_eq!(got(admin, "revision").await, "r2");
        let edited = Fixture::of("revisions").release("3.0.0").edited("server_default=\"96\"", "server_default=\"384\"");
        let refused = admin.upgrade("revised", &edited.bundle(), &json!({})).await;
        assert_ne!(refused["status"], "done", "{refused:#}");
        assert!(refused.to_string().contains("checksum or owner mismatch"), "{refused:#}");
        assert_eq!(got(admin, "plates").await[0]["wells"], 96, "the release of before answers");
    }
}
