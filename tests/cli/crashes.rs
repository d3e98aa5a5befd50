//! The server dies in the middle of a change, at each moment that is written down and between them, and is started again.

use mint_platform::{archives, configure, disable, install, uninstall};
use mint_store::testing::TestDb;
use mint_tests::{Client, Guest, bundle, eventually, repackaged};
use reqwest::Method;
use rustix::process::Signal;
use serde_json::{Value, json};

use super::Mint;

/// When a step can be cut off.
pub(super) const WHEN: [&str; 3] = ["begun", "did", "ended"];

pub(crate) fn changes() -> Vec<(&'static str, Vec<&'static str>)> {
    let others = [archives::change(), configure::change(), disable::change(), uninstall::change()];
    install::changes().into_iter().chain(others).collect()
}

fn second() -> Guest {
    repackaged(&bundle("hello"), |manifest| manifest["plugin"]["version"] = json!("2.0.0"))
}

/// The database whose address begins so, where there is one for tests.
pub(super) async fn only(kind: &str) -> Vec<TestDb> {
    let databases = mint_store::testing::databases().await;
    databases.into_iter().filter(|database| database.url.starts_with(kind)).collect()
}

/// Asks for a change. The server may be gone before it answers.
async fn begin(client: &Client, kind: &str) {
    let form = |guest: &Guest| {
        let file = std::fs::read(&guest.path).unwrap();
        reqwest::multipart::Form::new()
            .text("decision", "{}")
            .part("bundle", reqwest::multipart::Part::bytes(file).file_name("bundle.mint"))
    };
    let request = match kind {
        "install" => client.request(Method::POST, "/api/plugins/upload").multipart(form(&bundle("hello"))),
        "upgrade" => client.request(Method::POST, "/api/plugins/hello/upgrade").multipart(form(&second())),
        "rollback" => client.request(Method::POST, "/api/plugins/hello/rollback").json(&json!({})),
        "reload" => client.request(Method::POST, "/api/plugins/hello/reload"),
        "disable" => client.request(Method::POST, "/api/plugins/hello/disable"),
        "enable" => client.request(Method::POST, "/api/plugins/hello/enable"),
        "configure" => {
            let tag = client.get("/api/plugins/hello/config").await.headers["etag"].clone();
            let request = client.request(Method::PUT, "/api/plugins/hello/config").header("if-match", tag);
            request.json(&json!({ "config": greeting() }))
        }
        "snapshot" => client.request(Method::POST, "/api/plugins/hello/snapshots"),
        "uninstall" => client.request(Method::DELETE, "/api/plugins/hello?data=purge&confirm=hello"),
        other => panic!("{other}: a kind of change that this test does not know how to begin"),
    };
    let _answered_or_not = request.send().await;
}

/// The default one, said by an administrator.
fn greeting() -> Value {
    json!({ "greeting": "Hello" })
}

/// Waits until no operation runs any more, and gives the last one.
pub(super) async fn settled(client: &Client) -> Value {
    eventually("the end of what was interrupted", || async {
        let mut last = None;
        for id in 1.. {
            let reply = client.get(&format!("/api/operations/{id}")).await;
            if reply.status != 200 {
                break;
            }
            last = Some(reply.json());
        }
        last.filter(|last| last["status"] != "running")
    })
    .await
}

/// The versions that may be there after a crash in such a change; none of them for a plugin that may be gone.
fn allowed(kind: &str) -> &'static [Option<&'static str>] {
    match kind {
        "install" => &[None, Some("1.0.0")],
        "uninstall" => &[None],
        "reload" | "configure" | "snapshot" | "disable" | "enable" => &[Some("1.0.0")],
        _ => &[Some("1.0.0"), Some("2.0.0")],
    }
}

async fn check(client: &Client, kind: &str, moment: &str) {
    let operation = settled(client).await;
    let plugin = client.get("/api/plugins/hello").await;
    let version = (plugin.status == 200).then(|| plugin.json()["version"].as_str().unwrap().to_owned());
    assert!(allowed(kind).contains(&version.as_deref()), "{moment}: {version:?}, {operation:#}");
    let Some(version) = version else {
        assert_eq!(client.get("/api/hello/").await.status, 404, "{moment}");
        return;
    };
    if kind == "disable" {
        let refused = client.get("/api/hello/").await;
        assert_eq!((refused.status.as_u16(), refused.code().as_str()), (503, "plugin.disabled"), "{moment}: {operation:#}");
        assert_eq!(client.plugin("hello").await["state"], "disabled", "{moment}");
        return;
    }
    let answer = eventually("the plugin", || async {
        let reply = client.get("/api/hello/").await;
        (reply.status == 200).then_some(reply)
    })
    .await;
    assert_eq!(answer.json()["message"], "Hello, admin!", "{moment}");
    if kind == "configure" {
        let stored = client.get("/api/plugins/hello/config").await.json()["stored_settings"].clone();
        let expected = if operation["status"] == "done" { greeting() } else { json!({}) };
        assert_eq!(stored, expected, "{moment}: {operation:#}");
    }
    let plugin = client.plugin("hello").await;
    assert_eq!(plugin["state"], "ready", "{moment}: {plugin:#}, {operation:#}");
    let snapshots = client.get("/api/plugins/hello/snapshots").await.json().as_array().unwrap().len();
    let kept = match (kind, operation["status"].as_str()) {
        // It was taken before the release that answers now, and stays.
        ("rollback", Some("done")) => 2,
        ("rollback", _) | ("upgrade", Some("done")) => 1,
        _ => 0,
    };
    assert_eq!(snapshots, kept, "{moment}: {operation:#}");
    let releases = client.get("/api/plugins/hello/releases").await.json();
    let active: Vec<_> = releases.as_array().unwrap().iter().filter(|release| release["ended_at"].is_null()).collect();
    assert_eq!((active.len(), active[0]["version"].as_str()), (1, Some(version.as_str())), "{moment}: {releases:#}");
}

/// Cuts a change off at each of its moments, on the database of this kind. Whatever was interrupted is taken up and ended, and the plugin
/// is wholly as it was or wholly as it was to be.
async fn survives(kind: &str, database: &str) {
    let changes = changes();
    let (_, steps) = changes.into_iter().find(|(known, _)| *known == kind).unwrap();
    for database in only(database).await {
        let url = (!database.url.starts_with("sqlite")).then_some(database.url.as_str());
        let mut mint = Mint::serving_on(url).await;
        for moment in steps.iter().flat_map(|step| WHEN.map(|when| format!("{kind}/{step}/{when}"))) {
            let client = Client::sign_in(&mint.url, "default", "admin").await;
            if kind != "install" {
                client.installed(&bundle("hello"), json!({})).await;
            }
            if kind == "enable" {
                assert_eq!(client.change("hello", "disable").await["status"], "done");
            }
            if kind == "rollback" {
                assert_eq!(client.upgrade("hello", &second(), &json!({})).await["status"], "done");
            }
            mint.end(Signal::TERM);
            mint.serve_until(Some(&moment)).await;
            let client = client.at(&mint.url);
            begin(&client, kind).await;
            assert_eq!(mint.died().await, Some(Signal::ABORT.as_raw()), "{moment}: {}", mint.log());
            mint.serve().await;
            let client = client.at(&mint.url);
            check(&client, kind, &moment).await;
            if client.get("/api/plugins/hello").await.status == 200 {
                assert_eq!(client.uninstall("hello", "purge").await["status"], "done");
            }
        }
    }
}

on_each_database! {
    in_an_install => async |database| survives("install", database).await;
    in_a_reload => async |database| survives("reload", database).await;
    in_an_upgrade => async |database| survives("upgrade", database).await;
    in_a_roll_back => async |database| survives("rollback", database).await;
    in_a_configure => async |database| survives("configure", database).await;
    in_a_snapshot => async |database| survives("snapshot", database).await;
    in_a_disable => async |database| survives("disable", database).await;
    in_an_enable => async |database| survives("enable", database).await;
    in_an_uninstall => async |database| survives("uninstall", database).await;
}

/// A new kind of change without a test here fails.
#[test]
fn every_kind_of_change_is_tried() {
    let kinds: Vec<_> = changes().into_iter().map(|(kind, _)| kind).collect();
    // A probe is a reload that the time asks for.
    // A restore, a reset, and what is about archives have files of their own.
    let expected = [
        "install",
        "adopt",
        "reload",
        "probe",
        "enable",
        "upgrade",
        "rollback",
        "restore",
        "snapshot",
        "reset",
        "purge",
        "configure",
        "disable",
        "uninstall",
    ];
    assert_eq!(kinds, expected);
}
