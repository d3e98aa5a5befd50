//! What a plugin held is put away when it is removed, and taken up by a later installation.

use std::path::Path;

use http::StatusCode;
use mint_tests::{Client, TestServer, bundle, eventually, repackaged};
use serde_json::{Value, json};

use crate::{
    hostile::tables::{execute, rows},
    subprocess::Program,
};

async fn archive(client: &Client) -> String {
    let removed = client.uninstall("everything", "archive").await;
    assert_eq!(removed["status"], "done", "{removed:#}");
    let archives = client.get("/api/archives").await.json();
    assert_eq!((&archives[0]["tables"], &archives[0]["files"]), (&json!(true), &json!(true)), "{archives:#}");
    archives[0]["name"].as_str().unwrap().to_owned()
}

async fn fill(client: &Client, home: &Path, value: i64) {
    execute(client, "create table t (a bigint)").await;
    execute(client, &format!("insert into t values ({value})")).await;
    std::fs::create_dir_all(home.join("artifacts")).unwrap();
    std::fs::write(home.join("artifacts/file"), value.to_string()).unwrap();
    assert_eq!(client.configure("everything", json!({ "colour": value.to_string() })).await.status, StatusCode::OK);
}

async fn held(client: &Client, home: &Path) -> Value {
    let file = std::fs::read_to_string(home.join("artifacts/file")).unwrap();
    let settings = client.get("/api/plugins/everything/config").await.json()["stored_settings"].clone();
    json!([rows(client, "select a from t").await, file, settings])
}

async fn adopt(client: &Client, archive: &str) -> Value {
    client.install(&bundle("everything"), json!({ "grant_requested": true, "adopt": archive })).await
}

/// Starts at once, but once there is a file `slow`: then it says that it has begun, and waits to be let go.
const SLOW: Program = Program::of(
    "import pathlib\nhome = pathlib.Path(os.environ['HOME'])\nif (home / 'slow').exists():\n    (home / 'begun').touch()\n    \
     while not (home / 'go').exists():\n        threading.Event().wait(0.05)\nserve()\n",
);

#[tokio::test]
async fn what_is_removed_while_it_is_being_started_is_archived_whole() {
    let mut server = TestServer::start().await;
    let home = server.data.join("plugin-data/default/slow");
    let files = json!({ "capabilities": [{ "name": "files", "why": "Waits for them." }] });
    server.admin.installed(&SLOW.bundle_with("slow", files), json!({})).await;
    std::fs::write(home.join("slow"), "").unwrap();
    server.restart().await;
    eventually("the start", || async { home.join("begun").exists().then_some(()) }).await;
    let starting = server.admin.plugin("slow").await;
    assert_eq!((&starting["state"], &starting["waits_for"]), (&json!("ready"), &json!("the end of its start")), "{starting:#}");
    let begun = server.admin.delete("/api/plugins/slow?data=archive").await;
    assert_eq!(begun.status, StatusCode::ACCEPTED, "{begun:?}");
    let words = format!("operation {} (uninstall, asked for by user:admin, now at `stop`)", begun.json()["id"]);
    eventually("what it waits for", || async {
        let leaving = server.admin.plugin("slow").await;
        (leaving["state"] == "uninstalling" && leaving["waits_for"] == words.as_str()).then_some(())
    })
    .await;
    std::fs::write(home.join("go"), "").unwrap();
    let removed = server.admin.ended(&begun.json()).await;
    assert_eq!(removed["status"], "done", "{removed:#}");
    let archived = server.admin.get("/api/archives").await.json()[0]["name"].as_str().unwrap().to_owned();
    assert!(home.with_file_name(archived).join("go").exists() && !home.exists());
    assert_eq!(server.admin.get("/api/slow/pid").await.status, StatusCode::NOT_FOUND);
    assert_eq!(server.admin.get("/api/plugins/slow").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn what_was_archived_is_adopted_and_nothing_else_sees_it() {
    for server in TestServer::on_every_database(&[]).await {
        let (admin, home) = (&server.admin, server.data.join("plugin-data/default/everything"));
        admin.installed(&bundle("everything"), json!({})).await;
        fill(admin, &home, 1).await;
        let before = held(admin, &home).await;
        let first = archive(admin).await;
        assert!(first.starts_with("archived_2") && first.ends_with("_everything") && !home.exists(), "{first}");
        assert_eq!(admin.get("/api/everything/").await.status, StatusCode::NOT_FOUND);

        // Another installation begins with nothing, and its end takes nothing of the archive away.
        admin.installed(&bundle("everything"), json!({})).await;
        fill(admin, &home, 2).await;
        let second = archive(admin).await;
        admin.installed(&bundle("everything"), json!({})).await;
        execute(admin, "create table t (a bigint)").await;
        let names = admin.get("/api/archives").await.json();
        assert_eq!((&names[0]["name"], &names[1]["name"]), (&json!(second), &json!(first)), "{names:#}");
        assert_eq!(admin.uninstall("everything", "keep").await["status"], "done");
        let decision = json!({ "grant_requested": true, "adopt": first });
        let refused = admin.upload(&bundle("everything"), &decision).await;
        assert_eq!((refused.status, refused.code().as_str()), (StatusCode::CONFLICT, "CONFLICT"), "{refused:?}");
        admin.installed(&bundle("everything"), json!({})).await;
        assert_eq!(admin.uninstall("everything", "purge").await["status"], "done");

        let adopted = adopt(admin, &first).await;
        assert_eq!((&adopted["kind"], &adopted["status"]), (&json!("adopt"), &json!("done")), "{adopted:#}");
        assert_eq!(held(admin, &home).await, before);
        assert_eq!(admin.get("/api/archives").await.json().as_array().unwrap().len(), 1);
        execute(admin, "insert into t values (3)").await;
        assert_eq!(admin.uninstall("everything", "purge").await["status"], "done");

        let viewer = server.client("viewer").await;
        let path = format!("/api/archives/{second}");
        assert_eq!(viewer.delete(&format!("{path}?confirm=everything")).await.status, StatusCode::FORBIDDEN);
        assert_eq!(admin.delete(&path).await.code(), "VALIDATION_ERROR");
        let purged = admin.ended(&admin.delete(&format!("{path}?confirm=everything")).await.json()).await;
        assert_eq!((&purged["kind"], &purged["status"]), (&json!("purge"), &json!("done")), "{purged:#}");
        assert_eq!(admin.get("/api/archives").await.json(), json!([]));
        assert_eq!(admin.delete(&format!("{path}?confirm=everything")).await.status, StatusCode::NOT_FOUND);
    }
}

#[tokio::test]
async fn an_install_that_is_refused_leaves_the_archive() {
    for server in TestServer::on_every_database(&[]).await {
        let (admin, home) = (&server.admin, server.data.join("plugin-data/default/everything"));
        admin.installed(&bundle("everything"), json!({})).await;
        fill(admin, &home, 1).await;
        let before = held(admin, &home).await;
        let archive = archive(admin).await;
        let strict = repackaged(&bundle("everything"), |manifest| {
            manifest["plugin"]["version"] = json!("2.0.0");
            manifest["settings_schema"] = json!({ "type": "object", "properties": { "colour": { "type": "integer" } } });
        });
        let refused = admin.install(&strict, json!({ "grant_requested": true, "adopt": archive })).await;
        assert_eq!(
            (&refused["status"], &refused["outcome"]["code"]),
            (&json!("undone"), &json!("VALIDATION_ERROR")),
            "{refused:#}"
        );
        assert!(!home.exists());
        let foreign = admin.upload(&bundle("hello"), &json!({ "adopt": archive })).await;
        assert_eq!(foreign.code(), "CONFLICT", "{foreign:?}");
        let other = server.other_tenant("other").await;
        let elsewhere = other.upload(&bundle("everything"), &json!({ "grant_requested": true, "adopt": archive })).await;
        assert_eq!(elsewhere.status, StatusCode::NOT_FOUND, "{elsewhere:?}");
        assert_eq!(adopt(admin, &archive).await["status"], "done");
        assert_eq!(held(admin, &home).await, before);
    }
}
