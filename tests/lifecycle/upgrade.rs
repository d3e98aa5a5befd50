//! Another release takes the place of one that people use, and the way back.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use futures_util::future::join_all;
use http::StatusCode;
use mint_tests::{Guest, TestServer, bundle, eventually, repackaged};
use serde_json::{Value, json};

/// The same guest as another release.
fn release(guest: &str, version: &str) -> Guest {
    repackaged(&bundle(guest), |manifest| manifest["plugin"]["version"] = json!(version))
}

/// Another guest as a release of `hello`.
pub(super) fn passed_off(guest: &str, version: &str) -> Guest {
    repackaged(&bundle(guest), |manifest| {
        manifest["plugin"]["slug"] = json!("hello");
        manifest["plugin"]["version"] = json!(version);
        manifest["plugin"]["routes_prefix"] = json!("/hello");
    })
}

async fn versions(server: &TestServer, slug: &str) -> Vec<Value> {
    let releases = server.admin.get(&format!("/api/plugins/{slug}/releases")).await.json();
    releases.as_array().unwrap().iter().map(|release| release["version"].clone()).collect()
}

/// Releases come and go while eight people use the plugin. Gives how many requests were answered.
async fn nobody_notices(server: &TestServer, guest: &str, path: &str) {
    server.admin.installed(&bundle(guest), json!({ "queue_max": 1000 })).await;
    let (stop, answered) = (AtomicBool::new(false), AtomicUsize::new(0));
    let clients = join_all((0..8).map(|_| async {
        let client = server.client("member").await;
        while !stop.load(Ordering::Relaxed) {
            let reply = client.get(path).await;
            assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
            answered.fetch_add(1, Ordering::Relaxed);
        }
    }));
    let changes = async {
        for version in ["2.0.0", "3.0.0", "back"] {
            let begun = answered.load(Ordering::Relaxed);
            let operation = match version {
                "back" => server.admin.roll_back(guest, &json!({})).await,
                version => server.admin.upgrade(guest, &release(guest, version), &json!({})).await,
            };
            assert_eq!(operation["status"], "done", "{operation:#}");
            eventually("requests between two changes", || async {
                (answered.load(Ordering::Relaxed) > begun + 20).then_some(())
            })
            .await;
        }
        stop.store(true, Ordering::Relaxed);
    };
    tokio::join!(clients, changes);
    let plugin = server.admin.plugin(guest).await;
    assert_eq!((&plugin["version"], &plugin["state"]), (&json!("2.0.0"), &json!("ready")));
    assert_eq!(plugin["limits"]["queue_max"], 1000, "what an administrator set goes with it");
    assert_eq!(versions(server, guest).await, ["2.0.0", "3.0.0", "2.0.0", "1.0.0"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_notices_a_shared_plugin_change() {
    for server in TestServer::on_every_database(&[]).await {
        nobody_notices(&server, "hello", "/api/hello/").await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_notices_an_isolated_plugin_change() {
    for server in TestServer::on_every_database(&[]).await {
        nobody_notices(&server, "hello-process", "/api/hello-process/whoami").await;
    }
}

#[tokio::test]
async fn an_upgrade_tells_its_steps() {
    let server = TestServer::start().await;
    server.admin.installed(&bundle("hello"), json!({})).await;
    let operation = server.admin.upgrade("hello", &release("hello", "2.0.0"), &json!({})).await;
    assert_eq!((&operation["kind"], &operation["status"]), (&json!("upgrade"), &json!("done")), "{operation:#}");
    let steps: Vec<_> = operation["steps"].as_array().unwrap().iter().map(|step| step["name"].as_str().unwrap()).collect();
    assert_eq!(
        steps,
        [
            "verify", "frontend", "plan", "approve", "prepare", "stage", "snapshot", "migrate", "start", "switch", "trial",
            "retire", "contract"
        ]
    );

    let again = server.admin.upgrade("hello", &release("hello", "2.0.0"), &json!({})).await;
    assert_eq!((&again["status"], &again["outcome"]["changed"]), (&json!("done"), &json!(false)), "{again:#}");
    let nowhere = server.admin.post("/api/plugins/hello/rollback", &json!({ "version": "9.9.9" })).await;
    assert_eq!(nowhere.status, StatusCode::NOT_FOUND);
    assert!(nowhere.json()["message"].as_str().unwrap().contains("Kept: 1.0.0."), "{nowhere:?}");
    let not_theirs = server.client("member").await.post("/api/plugins/hello/rollback", &json!({})).await;
    assert_eq!(not_theirs.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn a_release_that_does_not_start_changes_nothing() {
    for server in TestServer::on_every_database(&[]).await {
        server.admin.installed(&bundle("hello"), json!({})).await;
        let before = server.admin.plugin("hello").await;
        let refused = server.admin.upgrade("hello", &passed_off("broken-start", "2.0.0"), &json!({})).await;
        assert_eq!(
            (&refused["status"], &refused["outcome"]["code"]),
            (&json!("undone"), &json!("plugin.release_failed")),
            "{refused:#}"
        );
        assert!(refused["outcome"]["message"].as_str().unwrap().contains("calibration"), "{refused:#}");
        assert_eq!(server.admin.get("/api/hello/").await.json()["message"], "Hello, admin!");
        let after = server.admin.plugin("hello").await;
        for unchanged in ["version", "digest", "state", "mode", "grants"] {
            assert_eq!(before[unchanged], after[unchanged], "{unchanged}");
        }
        assert_eq!(versions(&server, "hello").await, ["1.0.0"]);
        // The version is free again: what was refused never was.
        let corrected = server.admin.upgrade("hello", &release("hello", "2.0.0"), &json!({})).await;
        assert_eq!(corrected["status"], "done", "{corrected:#}");
    }
}

#[tokio::test]
async fn a_release_that_fails_its_trial_makes_way_for_the_old_one() {
    for server in TestServer::on_every_database(&[("MINT_PLUGINS__TRIAL_SECONDS", "600")]).await {
        server.admin.installed(&bundle("hello"), json!({})).await;
        let bad = passed_off("hostile", "2.0.0");
        let people = async {
            eventually("the new release", || async {
                let reply = server.admin.get("/api/hello/trap").await;
                // Five faults within a minute are too many for anybody.
                (reply.status == StatusCode::INTERNAL_SERVER_ERROR).then_some(())
            })
            .await;
            eventually("the old release", || async {
                let reply = server.admin.get("/api/hello/trap").await;
                (reply.status == StatusCode::NOT_FOUND).then_some(())
            })
            .await;
        };
        let decision = json!({ "grant_requested": true });
        let (operation, ()) = tokio::join!(server.admin.upgrade("hello", &bad, &decision), people);
        assert_eq!(
            (&operation["status"], &operation["outcome"]["code"]),
            (&json!("undone"), &json!("plugin.release_failed")),
            "{operation:#}"
        );
        assert!(operation["outcome"]["message"].as_str().unwrap().contains("failed 5 times"), "{operation:#}");
        assert_eq!(server.admin.get("/api/hello/").await.json()["message"], "Hello, admin!");
        let plugin = server.admin.plugin("hello").await;
        assert_eq!((&plugin["version"], &plugin["state"]), (&json!("1.0.0"), &json!("ready")));
    }
}

/// A release that fails when people go back to it is still there to be looked at, and to be gone back to once more.
#[tokio::test]
async fn a_roll_back_that_fails_its_trial_keeps_the_release() {
    let mut server = TestServer::start().await;
    server.admin.installed(&passed_off("hostile", "1.0.0"), json!({})).await;
    assert_eq!(server.admin.upgrade("hello", &release("hello", "2.0.0"), &json!({})).await["status"], "done");
    server.set("MINT_PLUGINS__TRIAL_SECONDS", "600");
    server.restart().await;
    eventually("the plugin", || async { (server.admin.get("/api/hello/").await.status == StatusCode::OK).then_some(()) }).await;
    let people = eventually("the release to fail", || async {
        let reply = server.admin.get("/api/hello/trap").await;
        let operations = server.admin.get("/api/operations/3").await;
        (reply.status == StatusCode::NOT_FOUND && operations.status == 200 && operations.json()["status"] == "undone")
            .then_some(())
    });
    let to = json!({});
    let (operation, ()) = tokio::join!(server.admin.roll_back("hello", &to), people);
    assert_eq!(operation["outcome"]["code"], "plugin.release_failed", "{operation:#}");
    assert!(versions(&server, "hello").await.contains(&json!("1.0.0")));
    assert_eq!(server.admin.get("/api/hello/").await.json()["message"], "Hello, admin!");
}

#[tokio::test]
async fn a_failed_plugin_is_mended_by_another_release() {
    let server = TestServer::start().await;
    let failed = server.install(&passed_off("broken-start", "1.0.0")).await;
    assert_eq!(failed["status"], "failed", "{failed:#}");
    // What fails as well leaves the reason of the first.
    let still = server.admin.upgrade("hello", &passed_off("broken-start", "1.5.0"), &json!({})).await;
    assert_eq!(still["status"], "undone", "{still:#}");
    assert_eq!(server.admin.plugin("hello").await["state"], "failed");
    let mended = server.admin.upgrade("hello", &release("hello", "2.0.0"), &json!({})).await;
    assert_eq!(mended["status"], "done", "{mended:#}");
    assert_eq!(server.admin.get("/api/hello/").await.status, StatusCode::OK);
}

#[tokio::test]
async fn what_a_release_asks_for_anew_is_for_the_administrator_to_grant() {
    let server = TestServer::start().await;
    server.admin.installed(&bundle("hello"), json!({})).await;
    let curious = repackaged(&bundle("hello"), |manifest| {
        manifest["plugin"]["version"] = json!("2.0.0");
        manifest["capabilities"] = json!([{ "name": "experiments:read", "why": "Counts them." }]);
    });
    let refused = server.admin.upgrade("hello", &curious, &json!({})).await;
    assert_eq!(
        (&refused["outcome"]["code"], &refused["outcome"]["details"]["missing"][0]["why"]),
        (&json!("plugin.grants_missing"), &json!("Counts them.")),
        "{refused:#}"
    );
    let granted = server.admin.upgrade("hello", &curious, &json!({ "grants": ["experiments:read"] })).await;
    assert_eq!(granted["status"], "done", "{granted:#}");
    assert_eq!(server.admin.plugin("hello").await["grants"], json!(["experiments:read"]));
}

#[tokio::test]
async fn stored_settings_must_fit_the_new_release() {
    let server = TestServer::start().await;
    server.admin.installed(&bundle("hello"), json!({})).await;
    assert_eq!(server.admin.configure("hello", json!({ "greeting": "Moin" })).await.status, StatusCode::OK);
    let strict = repackaged(&bundle("hello"), |manifest| {
        manifest["plugin"]["version"] = json!("2.0.0");
        manifest["settings_schema"] = json!({ "type": "object", "additionalProperties": false });
    });
    let refused = server.admin.upgrade("hello", &strict, &json!({})).await;
    assert_eq!(refused["status"], "undone", "{refused:#}");
    assert!(refused["outcome"]["message"].as_str().unwrap().contains("do not fit 2.0.0"), "{refused:#}");
    let kept = server.admin.upgrade("hello", &release("hello", "2.0.0"), &json!({})).await;
    assert_eq!(kept["status"], "done", "{kept:#}");
    assert_eq!(server.admin.get("/api/hello/").await.json()["message"], "Moin, admin!");
}
