//! Plugins that say how they are, in both modes: shown, and stopped when they are not well for long.

use http::StatusCode;
use mint_tests::{Client, TestServer, bundle, eventually, repackaged};
use serde_json::{Value, json};

use super::sdk_fixture::Fixture;

/// Asked every second, stopped after two unhealthy answers.
const IMPATIENT: [(&str, &str); 2] = [("MINT_PLUGINS__HEALTH__INTERVAL_SECONDS", "1"), ("MINT_PLUGINS__HEALTH__FAILURES", "2")];

async fn shown_as(admin: &Client, slug: &str, status: &str) -> Value {
    eventually("the plugin to be asked how it is", || async {
        let listed = admin.get("/api/plugins").await.json();
        let mut installed = listed["installed"].as_array().unwrap().iter();
        installed.find(|plugin| plugin["name"] == slug && plugin["health_status"] == status).cloned()
    })
    .await
}

/// Goes from well to unwell and back: `mood` makes it so, and a reload brings it back after `mend`.
async fn failed_when_unhealthy<M, N>(admin: &Client, slug: &str, mood: M, mend: impl Future<Output = ()>)
where
    M: Fn(&'static str) -> N,
    N: Future<Output = ()>,
{
    assert_eq!(shown_as(admin, slug, "healthy").await["state"], "ready");
    mood("degraded").await;
    assert_eq!(shown_as(admin, slug, "degraded").await["state"], "ready");
    let health = admin.plugin(slug).await["health"].clone();
    assert_eq!((&health["message"], &health["unhealthy_in_a_row"]), (&json!("I am degraded."), &json!(0)), "{health}");
    assert!(health["checked_at"].as_str().is_some_and(|at| at.contains('T')), "{health}");

    mood("unhealthy").await;
    let failed = eventually("the plugin to be stopped", || async {
        let plugin = admin.plugin(slug).await;
        (plugin["state"] == "failed").then_some(plugin)
    })
    .await;
    assert_eq!(failed["phase"], "health", "{failed:#}");
    assert!(
        failed["reason"].as_str().unwrap().contains("2 times in a row")
            && failed["reason"].as_str().unwrap().contains("I am unhealthy.")
    );
    assert!(failed["hint"].as_str().unwrap().contains("reload"), "{failed:#}");
    assert!(failed["quarantine"]["next_probe_at"].is_string() && failed["health"].is_null(), "{failed:#}");
    let reply = admin.get(&format!("/api/{slug}/seen")).await;
    assert_eq!((reply.status, reply.code().as_str()), (StatusCode::SERVICE_UNAVAILABLE, "plugin.not_ready"), "{reply:?}");

    mend.await;
    let operation = admin.reload(slug).await;
    assert_eq!(operation["status"], "done", "{operation:#}");
    assert_eq!(shown_as(admin, slug, "healthy").await["state"], "ready");
}

async fn in_a_mood(admin: &Client, slug: &str, mood: &str) {
    let reply = admin.post(&format!("/api/{slug}/mood/{mood}"), &Value::Null).await;
    assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
}

#[tokio::test]
async fn an_opinion_that_breaks_or_never_comes_is_a_bad_one() {
    let fixture = Fixture::of("mint_sdk_1_0_0");
    let Some(python) = fixture.python() else { return };
    let server = TestServer::with(&[("MINT_PLUGINS__UV__PYTHON", &python)]).await;
    let operation = server.admin.install(&fixture.bundle(), json!({ "grants": fixture.grants() })).await;
    assert_eq!(operation["status"], "done", "{operation:#}");
    for (mood, status, words) in [
        ("healthy", "healthy", "I am healthy."),
        ("broken", "unhealthy", "check_health failed: RuntimeError: the cupboard is empty"),
        ("silent", "unhealthy", "check_health did not answer within 5 s."),
        ("unknown", "unknown", "I am unknown."),
    ] {
        in_a_mood(&server.admin, fixture.slug(), mood).await;
        let plugin = server.admin.plugin(fixture.slug()).await;
        assert_eq!((&plugin["health"]["status"], &plugin["health"]["message"]), (&json!(status), &json!(words)), "{plugin:#}");
        assert_eq!(plugin["state"], "ready");
    }
}

#[tokio::test]
async fn an_isolated_plugin_that_stays_unhealthy_is_stopped_until_a_reload() {
    let fixture = Fixture::of("mld_sdk_0_16_5");
    let Some(python) = fixture.python() else { return };
    let variables: Vec<_> = IMPATIENT.into_iter().chain([("MINT_PLUGINS__UV__PYTHON", python.as_str())]).collect();
    let server = TestServer::with(&variables).await;
    let operation = server.admin.install(&fixture.bundle(), json!({ "grants": fixture.grants() })).await;
    assert_eq!(operation["status"], "done", "{operation:#}");
    let (admin, slug) = (&server.admin, fixture.slug());
    let mood = |mood| in_a_mood(admin, slug, mood);
    // A new process is in the mood of a new process.
    failed_when_unhealthy(admin, slug, mood, async {}).await;
}

#[tokio::test]
async fn a_shared_plugin_that_stays_unhealthy_is_stopped_until_a_reload() {
    let server = TestServer::with(&IMPATIENT).await;
    let guest = repackaged(&bundle("everything"), |manifest| {
        manifest["settings_schema"]["properties"]["mood"] = json!({ "type": "string" });
    });
    server.admin.installed(&guest, json!({})).await;
    let admin = &server.admin;
    // By the plugin itself: settings with which it is unhealthy are taken from nobody else.
    let mood = |mood| async move {
        let present = admin.post("/api/everything/call/settings.load", &json!({})).await.json();
        let new = json!({ "revision": present["revision"], "values": { "mood": mood } });
        let reply = admin.post("/api/everything/call/settings.compare-and-swap", &new).await;
        assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
    };
    let mend = async {
        let reply = admin.configure("everything", json!({ "mood": "healthy" })).await;
        assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
    };
    failed_when_unhealthy(admin, "everything", mood, mend).await;
}
