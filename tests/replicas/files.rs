//! Files of plugins stand in one directory, which all servers have, or one of them.

use std::{fs, path::Path};

use mint_tests::{Client, Reply, bundle, eventually};
use rustix::process::Signal;
use serde_json::json;

use super::Shared;

/// What another server archived can be adopted and purged there, and nowhere else.
async fn archives_stay_where_their_files_are(there: &Client, stranger: &Client, files: &Path) {
    let file = files.join("default/everything/artifacts/file");
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(&file, "kept").unwrap();
    let elsewhere = |reply: Reply| {
        assert_eq!((reply.status.as_u16(), reply.code().as_str()), (503, "plugin.files_elsewhere"), "{reply:?}");
        assert!(reply.text().contains("of the server at 127.0.0.1:"), "{reply:?}");
    };
    elsewhere(stranger.delete("/api/plugins/everything?data=archive").await);
    assert_eq!(there.uninstall("everything", "archive").await["status"], "done");
    let archive = there.get("/api/archives").await.json()[0]["name"].clone();
    let path = format!("/api/archives/{}?confirm=everything", archive.as_str().unwrap());
    elsewhere(stranger.delete(&path).await);
    let adopting = json!({ "grant_requested": true, "adopt": archive });
    elsewhere(stranger.upload(&bundle("everything"), &adopting).await);
    assert_eq!(there.install(&bundle("everything"), adopting).await["status"], "done");
    assert_eq!(fs::read_to_string(&file).unwrap(), "kept");
}

#[tokio::test]
async fn who_has_not_the_files_of_plugins_does_not_run_those_and_says_so() {
    let Some(shared) = Shared::new().await else { return };
    let mut first = shared.server(30);
    first.make_admin();
    first.serve().await;
    let admin = Client::sign_in(&first.url, "default", "admin").await;
    admin.installed(&bundle("everything"), json!({})).await;
    let (mut second, mut stranger) = (shared.server(30), shared.server_with_files_of_its_own(30));
    second.serve().await;
    stranger.serve().await;
    let status = |url: &str| {
        let client = admin.at(url);
        async move { client.post("/api/everything/call/identity.current", &json!({})).await.status.as_u16() }
    };
    let answers = async |url: &str| {
        eventually("the plugin", || async { (status(url).await == 200).then_some(()) }).await;
    };
    answers(&second.url).await;
    let ready = admin.at(&stranger.url).get("/readyz").await;
    assert_eq!((ready.status.as_u16(), ready.code().as_str()), (503, "plugin.files_elsewhere"), "{ready:?}");
    assert!(ready.text().contains("one `plugin-data` directory"), "{ready:?}");
    assert_eq!(status(&stranger.url).await, 503);
    let begun = admin.at(&stranger.url).post("/api/plugins/everything/snapshots", &json!(null)).await;
    let refused = admin.at(&stranger.url).ended(&begun.json()).await;
    assert_eq!(
        (&refused["status"], &refused["outcome"]["code"]),
        (&json!("undone"), &json!("plugin.files_elsewhere")),
        "{refused:#}"
    );
    assert_eq!(admin.at(&second.url).get("/readyz").await.status, 200);
    eventually("the true reason", || async {
        let refused = admin.at(&stranger.url).post("/api/everything/call/identity.current", &json!({})).await;
        let told = refused.text().contains("stand in the data directory of the server at");
        (refused.status == 503 && refused.code() == "plugin.not_ready" && told).then_some(())
    })
    .await;
    archives_stay_where_their_files_are(&admin.at(&second.url), &admin.at(&stranger.url), shared.files.path()).await;

    // The directory is lost with those who had it, and an operator says so.
    for server in [&mut first, &mut second, &mut stranger] {
        server.end(Signal::TERM);
    }
    let found = stranger.run(&["fsck"]);
    assert!(
        found.code == Some(1) && found.stdout.contains("they stand in the data directory of the server at"),
        "{}",
        found.stdout
    );
    assert_eq!(stranger.run(&["fsck", "--repair"]).code, Some(0));
    stranger.serve().await;
    answers(&stranger.url).await;
    assert_eq!(admin.at(&stranger.url).get("/readyz").await.status, 200);
}
