//! The disk of the server is full in the middle of an upgrade: what answers is wholly the old release or wholly the new one, and
//! whoever looks is told of the disk.

use std::{
    fs::{self, File},
    io::Write as _,
    path::Path,
};

use mint_tests::{Client, bundle, eventually, repackaged};
use rustix::process::{Signal, kill_process};
use serde_json::json;

use super::{Mint, crashes::settled};
use crate::lifecycle::snapshots::TinyDisk;

/// More than a snapshot wants to leave free, twice.
const DISK_MIB: u32 = 192;

/// Takes all the room that there is.
fn fill(directory: &Path) {
    let mut file = File::create(directory.join("filler")).unwrap();
    for length in [1 << 20, 4096, 1] {
        let noise = vec![7_u8; length];
        while file.write_all(&noise).is_ok() {}
    }
}

/// The server freezes at `moment` of an upgrade to `version`, finds no room when it goes on, and has some again later.
async fn upgrades_without_room(mint: &mut Mint, client: &Client, moment: &str, version: &str) {
    let data = mint.home().join("data");
    mint.end(Signal::TERM);
    mint.serve_until_frozen(moment).await;
    let client = client.at(&mint.url);
    eventually("the plugin", || async { (client.get("/api/hello/").await.status == 200).then_some(()) }).await;
    let before = client.plugin("hello").await["version"].clone();
    let next = repackaged(&bundle("hello"), |manifest| manifest["plugin"]["version"] = json!(version));
    client.begin_upgrade("hello", &next, &json!({})).await;
    mint.frozen().await;
    fill(&data);
    kill_process(mint.pid(), Signal::CONT).unwrap();
    // Nothing can be written, and all that needs no writing goes on.
    eventually("the full disk to be met", || async {
        let made = client.post("/api/experiments", &json!({ "name": "e", "experiment_type": "test" })).await;
        (made.status != 201).then(|| assert_eq!(made.code(), "service.no_room", "{made:?}"))
    })
    .await;
    assert_eq!(client.get("/api/hello/").await.status, 200, "{moment}");

    fs::remove_file(data.join("filler")).unwrap();
    let operation = settled(&client).await;
    let plugin = client.plugin("hello").await;
    let is_done = operation["status"] == "done";
    let expected = if is_done { json!(version) } else { before };
    assert_eq!((&plugin["version"], &plugin["state"]), (&expected, &json!("ready")), "{moment}: {operation:#}\n{}", mint.log());
    assert_eq!(client.get("/api/hello/").await.status, 200, "{moment}");
    // Whoever looks is told of the disk, if that is why nothing was changed.
    let words = operation["outcome"]["message"].as_str().unwrap_or_default();
    assert!(is_done || words.starts_with("There is no room on the disk of the database. Make some"), "{moment}: {operation:#}");
    let reply = client.post("/api/experiments", &json!({ "name": "there is room", "experiment_type": "test" })).await;
    assert_eq!(reply.status, 201, "{reply:?}");
}

#[tokio::test]
async fn an_upgrade_on_a_full_disk_changes_nothing_or_everything() {
    let mut mint = Mint::new();
    // What could not be written down is taken up again after this time.
    mint.set("MINT_SERVER__LEASE_SECONDS", "3".to_owned());
    let data = mint.home().join("data");
    fs::create_dir(&data).unwrap();
    let Some(disk) = TinyDisk::mount(&data, DISK_MIB) else {
        eprintln!("skipped: only root can mount a disk that is full");
        return;
    };
    mint.make_admin();
    mint.serve().await;
    let client = Client::sign_in(&mint.url, "default", "admin").await;
    client.installed(&bundle("hello"), json!({})).await;
    upgrades_without_room(&mut mint, &client, "upgrade/switch/begun", "2.0.0").await;
    upgrades_without_room(&mut mint, &client, "upgrade/trial/begun", "3.0.0").await;
    // With room, the upgrade that was undone is done.
    let client = client.at(&mint.url);
    let again = repackaged(&bundle("hello"), |manifest| manifest["plugin"]["version"] = json!("4.0.0"));
    assert_eq!(client.upgrade("hello", &again, &json!({})).await["status"], "done");
    assert_eq!(client.plugin("hello").await["version"], "4.0.0");
    mint.end(Signal::TERM);
    drop(disk);
}
