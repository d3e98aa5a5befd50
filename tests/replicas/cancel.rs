//! An operation is stopped through whichever server a person reaches.

use mint_tests::{Client, bundle, eventually};
use serde_json::json;

use super::Shared;

#[tokio::test]
async fn another_server_stops_what_runs_here() {
    let Some(shared) = Shared::new().await else { return };
    let mut servers = [shared.server(30), shared.server(30)];
    servers[0].make_admin();
    for server in &mut servers {
        server.serve().await;
    }
    let admin = Client::sign_in(&servers[0].url, "default", "admin").await;
    let decision = json!({ "limits": { "cpu_ms_max": 60_000, "wall_ms_max": 60_000 } });
    let begun = admin.upload(&bundle("endless-start"), &decision).await.json();
    let path = format!("/api/operations/{}", begun["id"]);
    eventually("the start", || async {
        let steps = admin.get(&path).await.json()["steps"].as_array().unwrap().clone();
        steps.last().is_some_and(|last| last["name"] == "start").then_some(())
    })
    .await;
    let other = admin.at(&servers[1].url);
    let asked = other.post(&format!("{path}/cancel"), &json!(null)).await;
    assert_eq!(asked.status, 202, "{asked:?}");
    let ended = other.ended(&begun).await;
    assert_eq!((&ended["status"], &ended["outcome"]["code"]), (&json!("undone"), &json!("operation.cancelled")), "{ended:#}");
    assert_eq!(other.get("/api/plugins/endless-start").await.status, 404);
}
