//! A server that is frozen in the middle of a change for longer than it may be, and then goes on.

use mint_tests::{Client, bundle, eventually, repackaged};
use rustix::process::Signal;
use serde_json::json;

use super::{Shared, last_operation, run_operation};

/// Freezes a server at a moment, lets another take over, and lets the first go on: what the other made of it stays.
async fn changes_nothing(kind: &str, moment: &str, status: &str, version: Option<&str>) {
    let Some(shared) = Shared::new().await else { return };
    let mut first = shared.server(3);
    first.make_admin();
    first.serve_until_frozen(&format!("{kind}/{moment}")).await;
    let admin = Client::sign_in(&first.url, "default", "admin").await;
    admin.installed(&bundle("hello"), json!({})).await;
    let second = repackaged(&bundle("hello"), |manifest| manifest["plugin"]["version"] = json!("2.0.0"));
    tokio::join!(first.frozen(), async {
        run_operation(&admin, kind, &second).await;
    });

    let mut second = shared.server(3);
    second.serve().await;
    let other = admin.at(&second.url);
    let before = last_operation(&other).await;
    assert_eq!(before["status"], status, "{before:#}");
    let seen = |reply: mint_tests::Reply| (reply.status == 200).then(|| reply.json()["version"].as_str().unwrap().to_owned());
    assert_eq!(seen(other.get("/api/plugins/hello").await).as_deref(), version);
    let plugin = other.get("/api/plugins/hello").await.json();

    first.signal(Signal::CONT);
    eventually("the first to notice", || async { first.log().contains("an operation was let go of").then_some(()) }).await;
    eventually("the first to be ready", || async { (admin.get("/readyz").await.status == 200).then_some(()) }).await;
    let after = last_operation(&admin).await;
    assert_eq!(after, before, "what had ended was changed");
    let now = other.get("/api/plugins/hello").await.json();
    assert_eq!((&now["version"], &now["state_since"]), (&plugin["version"], &plugin["state_since"]));
    let answered = if version.is_some() { 200 } else { 404 };
    for client in [&admin, &other] {
        eventually("the same answer everywhere", || async { (client.get("/api/hello/").await.status == answered).then_some(()) })
            .await;
    }
    if version.is_some() {
        // Nothing of the first stands in the way of another change.
        assert_eq!(other.reload("hello").await["status"], "done");
    }
}

#[tokio::test]
async fn before_the_switch_of_an_upgrade() {
    changes_nothing("upgrade", "switch/begun", "undone", Some("1.0.0")).await;
}

#[tokio::test]
async fn after_the_switch_of_an_upgrade() {
    changes_nothing("upgrade", "switch/did", "done", Some("2.0.0")).await;
}

#[tokio::test]
async fn in_a_reload() {
    changes_nothing("reload", "switch/begun", "done", Some("1.0.0")).await;
}

#[tokio::test]
async fn in_an_uninstall() {
    changes_nothing("uninstall", "files/begun", "done", None).await;
}
