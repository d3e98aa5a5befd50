//! Files of plugins stand in one directory, which all servers have, or one of them.

use mint_tests::{Client, bundle, eventually};
use rustix::process::Signal;
use serde_json::json;

use super::Shared;

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
