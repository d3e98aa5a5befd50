//! The disk of the server is full in the middle of an upgrade: what answers is wholly the old release or wholly the new one, and
//! whoever looks is told of the disk.

use std::{
    fs::{self, File},
    io::Write as _,
    path::Path,
};

use mint_tests::{Client, bundle, repackaged};
use rustix::process::Signal;
use serde_json::json;

use super::{Mint, crashes::settled};
use crate::lifecycle::snapshots::TinyDisk;

/// Takes all the room that there is.
fn fill(directory: &Path) {
    let mut file = File::create(directory.join("filler")).unwrap();
    for length in [1 << 20, 4096, 1] {
        let noise = vec![7_u8; length];
        while file.write_all(&noise).is_ok() {}
    }
}

#[tokio::test]
async fn an_upgrade_on_a_full_disk_changes_nothing_or_everything() {
    let mut mint = Mint::new();
    let data = mint.home().join("data");
    fs::create_dir(&data).unwrap();
    let Some(disk) = TinyDisk::mount(&data, 64) else {
        eprintln!("skipped: only root can mount a disk that is full");
        return;
    };
    mint.make_admin();
    mint.serve().await;
    let client = Client::sign_in(&mint.url, "default", "admin").await;
    client.installed(&bundle("hello"), json!({})).await;
    for (moment, version, becomes) in [("upgrade/switch/begun", "2.0.0", "1.0.0"), ("upgrade/trial/begun", "3.0.0", "3.0.0")] {
        mint.end(Signal::TERM);
        mint.serve_until_frozen(moment).await;
        let client = client.at(&mint.url);
        let second = repackaged(&bundle("hello"), |manifest| manifest["plugin"]["version"] = json!(version));
        client.begin_upgrade("hello", &second, &json!({})).await;
        mint.frozen().await;
        fill(&data);
        mint.signal(Signal::CONT);
        let made = client.post("/api/experiments", &json!({ "name": "e", "experiment_type": "test" })).await;
        assert_eq!((made.status.as_u16(), made.code().as_str()), (507, "service.no_room"), "{made:?}");
        assert_eq!(client.get("/api/hello/").await.status, 200, "{moment}");

        fs::remove_file(data.join("filler")).unwrap();
        let operation = settled(&client).await;
        let plugin = client.plugin("hello").await;
        assert_eq!((&plugin["version"], &plugin["state"]), (&json!(becomes), &json!("ready")), "{moment}: {operation:#}");
        assert_eq!(client.get("/api/hello/").await.status, 200, "{moment}");
        let is_done = operation["status"] == "done";
        assert_eq!(is_done, becomes == version, "{moment}: {operation:#}");
        if !is_done {
            let words = operation["outcome"]["message"].as_str().unwrap();
            assert!(words.starts_with("There is no room on the disk of the database. Make some"), "{words}");
        }
        client.experiment("there is room again").await;
    }
    mint.end(Signal::TERM);
    drop(disk);
}
