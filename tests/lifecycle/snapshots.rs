//! What a plugin held, put away and put back, on every database.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use http::StatusCode;
use mint_tests::{Client, Guest, TestServer, bundle, repackaged};
use serde_json::{Value, json};

use crate::hostile::tables::{call, execute, other, refused, rows};

fn release(version: &str) -> Guest {
    repackaged(&bundle("everything"), |manifest| manifest["plugin"]["version"] = json!(version))
}

pub(crate) async fn snapshots(client: &Client, slug: &str) -> Vec<Value> {
    client.get(&format!("/api/plugins/{slug}/snapshots")).await.json().as_array().unwrap().clone()
}

/// Takes one and gives its id.
pub(crate) async fn take(client: &Client, slug: &str) -> i64 {
    let reply = client.post(&format!("/api/plugins/{slug}/snapshots"), &Value::Null).await;
    assert_eq!(reply.status, StatusCode::ACCEPTED, "{reply:?}");
    let operation = client.ended(&reply.json()).await;
    assert_eq!(operation["status"], "done", "{operation:#}");
    snapshots(client, slug).await[0]["id"].as_i64().unwrap()
}

/// Puts one back and gives the operation as it ended.
pub(crate) async fn restore(client: &Client, slug: &str, snapshot: i64) -> Value {
    let reply = client.post(&format!("/api/plugins/{slug}/restore"), &json!({ "snapshot": snapshot })).await;
    assert_eq!(reply.status, StatusCode::ACCEPTED, "{reply:?}");
    client.ended(&reply.json()).await
}

/// A plugin `other` that counts up in its own table, until it is told to stop. Gives how many rows it was told are there.
async fn counts(client: &Client, stop: &AtomicBool) -> i64 {
    let mut written = 0;
    while !stop.load(Ordering::Relaxed) {
        let sql = format!("insert into t values ({written})");
        let reply = client.post("/api/other/call/database.execute", &json!({ "sql": sql })).await;
        assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
        written += 1;
    }
    written
}

async fn others_rows(client: &Client) -> Value {
    client.post("/api/other/call/database.query", &json!({ "sql": "select count(*) from t" })).await.json()["rows"][0][0].clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_snapshot_is_one_instant_and_touches_nobody_else() {
    for server in TestServer::on_every_database(&[]).await {
        let admin = &server.admin;
        for guest in [release("1.0.0"), other()] {
            admin.installed(&guest, json!({})).await;
        }
        execute(admin, "create table pairs (a bigint primary key, b text)").await;
        let made = admin.post("/api/other/call/database.execute", &json!({ "sql": "create table t (a bigint)" })).await;
        assert_eq!(made.status, StatusCode::OK, "{made:?}");
        let file = server.data.join("plugin-data/default/everything/artifacts/kept/a b.txt");
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, "first").unwrap();
        assert_eq!(admin.configure("everything", json!({ "colour": "first" })).await.status, StatusCode::OK);

        // Two rows at a time: half of a pair is no instant that ever was.
        let (stop, pairs) = (AtomicBool::new(false), AtomicI64::new(0));
        let writer = async {
            while !stop.load(Ordering::Relaxed) {
                let at = pairs.load(Ordering::Relaxed) * 2;
                let insert = |a: i64| format!("insert into pairs values ({a}, 'x')");
                call(admin, "begin", json!({ "statements": [insert(at), insert(at + 1)], "end": "commit" })).await;
                pairs.fetch_add(1, Ordering::Relaxed);
            }
        };
        let taking = async {
            while pairs.load(Ordering::Relaxed) < 5 {
                tokio::task::yield_now().await;
            }
            let before = pairs.load(Ordering::Relaxed);
            let id = take(admin, "everything").await;
            let after = pairs.load(Ordering::Relaxed);
            stop.store(true, Ordering::Relaxed);
            (id, before, after)
        };
        let ((id, before, after), (), written) = tokio::join!(taking, writer, counts(admin, &stop));
        assert!(written > 0, "the other plugin wrote meanwhile");

        execute(admin, "drop table pairs").await;
        execute(admin, "create table later (a bigint)").await;
        std::fs::write(&file, "second").unwrap();
        assert_eq!(admin.configure("everything", json!({ "colour": "second" })).await.status, StatusCode::OK);
        assert_eq!(admin.upgrade("everything", &release("2.0.0"), &json!({})).await["status"], "done");
        let listed = snapshots(admin, "everything").await;
        let facts: Vec<_> = listed.iter().map(|row| (row["reason"].clone(), row["version"].clone())).collect();
        assert_eq!(facts, [(json!("upgrade"), json!("1.0.0")), (json!("asked"), json!("1.0.0"))]);

        stop.store(false, Ordering::Relaxed);
        execute_other(admin, "delete from t").await;
        let restoring = async {
            let operation = restore(admin, "everything", id).await;
            stop.store(true, Ordering::Relaxed);
            operation
        };
        let (operation, written) = tokio::join!(restoring, counts(admin, &stop));
        assert_eq!(operation["status"], "done", "{operation:#}");
        assert_eq!(others_rows(admin).await, written, "not a row of another plugin's is lost or comes again");
        let found = rows(admin, "select count(*), count(distinct a / 2), max(a) from pairs").await;
        let found: Vec<i64> = found[0].as_array().unwrap().iter().map(|number| number.as_i64().unwrap()).collect();
        assert!(found[0] == found[1] * 2 && (before..=after + 1).contains(&found[1]), "{before} {found:?} {after}");
        assert_eq!(refused(admin, "select * from later").await.0, 400, "what came later is gone");
        assert_eq!(refused(admin, "insert into pairs values (0, 'again')").await.0, 409, "keys are back");
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "first");
        let settings = admin.get("/api/plugins/everything/config").await.json();
        assert_eq!(settings["stored_settings"]["colour"], "first");
        let plugin = admin.plugin("everything").await;
        assert_eq!((&plugin["version"], &plugin["state"]), (&json!("1.0.0"), &json!("ready")));
        // What was there before can be put back again.
        let before = snapshots(admin, "everything").await[0].clone();
        assert_eq!((&before["reason"], &before["version"]), (&json!("restore"), &json!("2.0.0")));
        assert_eq!(restore(admin, "everything", before["id"].as_i64().unwrap()).await["status"], "done");
        assert_eq!(rows(admin, "select count(*) from later").await, json!([[0]]));
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "second");
        assert_eq!(admin.plugin("everything").await["version"], "2.0.0");
    }
}

async fn execute_other(client: &Client, sql: &str) {
    let reply = client.post("/api/other/call/database.execute", &json!({ "sql": sql })).await;
    assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
}

/// A disk with no room to speak of: a mount of the test's own, which only root can make.
pub(crate) struct TinyDisk(std::path::PathBuf);

impl TinyDisk {
    #[expect(clippy::disallowed_methods, reason = "the system's own way to mount")]
    pub(crate) fn mount(place: &std::path::Path, mib: u32) -> Option<Self> {
        let size = format!("size={mib}m");
        let mounted = std::process::Command::new("mount").args(["-t", "tmpfs", "-o", &size, "none"]).arg(place).status();
        mounted.is_ok_and(|status| status.success()).then(|| Self(place.to_owned()))
    }
}

impl Drop for TinyDisk {
    #[expect(clippy::disallowed_methods, reason = "the system's own way to unmount")]
    fn drop(&mut self) {
        let _gone = std::process::Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[tokio::test]
async fn a_full_disk_refuses_the_change_and_leaves_everything() {
    for server in TestServer::on_every_database(&[]).await {
        let admin = &server.admin;
        admin.installed(&release("1.0.0"), json!({})).await;
        execute(admin, "create table t (a bigint)").await;
        // Where archives come to stand: that they do not fit is found by whoever writes them.
        let place = server.data.join("snapshots");
        std::fs::create_dir_all(&place).unwrap();
        let Some(disk) = TinyDisk::mount(&place, 1) else {
            eprintln!("skipped: only root can mount a disk that is full");
            return;
        };
        let file = server.data.join("plugin-data/default/everything/artifacts/noise");
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        let noise: Vec<u8> =
            (0..4_000_000_u32).flat_map(|i| i.wrapping_mul(2_654_435_761).rotate_left(i % 32).to_le_bytes()).collect();
        std::fs::write(&file, noise).unwrap();
        let refused = admin.upgrade("everything", &release("2.0.0"), &json!({})).await;
        assert_eq!(
            (&refused["status"], &refused["outcome"]["code"]),
            (&json!("undone"), &json!("plugin.no_room")),
            "{refused:#}"
        );
        let plugin = admin.plugin("everything").await;
        assert_eq!((&plugin["version"], &plugin["state"]), (&json!("1.0.0"), &json!("ready")));
        assert_eq!(execute(admin, "insert into t values (1)").await, 1, "it goes on");
        assert!(snapshots(admin, "everything").await.is_empty());
        let left = std::fs::read_dir(server.data.join("_uploads")).unwrap().count();
        assert_eq!(left, 0, "nothing half-written is left");
        drop(disk);
        assert_eq!(admin.upgrade("everything", &release("2.0.0"), &json!({})).await["status"], "done");
    }
}

#[tokio::test]
async fn the_second_of_two_administrators_is_told_of_the_first() {
    for server in TestServer::on_every_database(&[("MINT_PLUGINS__TRIAL_SECONDS", "3")]).await {
        let admin = &server.admin;
        admin.installed(&release("1.0.0"), json!({})).await;
        let first = admin.begin_upgrade("everything", &release("2.0.0"), &json!({})).await;
        let second = admin.post("/api/plugins/everything/rollback", &json!({ "version": "1.0.0" })).await;
        assert_eq!((second.status, second.code().as_str()), (StatusCode::CONFLICT, "CONFLICT"), "{second:?}");
        let told = second.json();
        assert_eq!(
            (&told["details"]["operation"]["id"], &told["details"]["operation"]["kind"]),
            (&first["id"], &json!("upgrade"))
        );
        let words = told["message"].as_str().unwrap();
        assert!(words.contains(&format!("Operation {}", first["id"])) && words.contains("upgrade"), "{words}");
        assert_eq!(admin.ended(&first).await["status"], "done");
        assert_eq!(admin.plugin("everything").await["version"], "2.0.0");
    }
}

#[tokio::test]
async fn so_many_are_kept_and_the_oldest_go() {
    let server = TestServer::with(&[("MINT_PLUGINS__SNAPSHOTS_KEPT", "2")]).await;
    let admin = &server.admin;
    admin.installed(&release("1.0.0"), json!({})).await;
    let mut taken = Vec::new();
    for _ in 0..3 {
        taken.push(take(admin, "everything").await);
    }
    let kept: Vec<_> = snapshots(admin, "everything").await.iter().map(|row| row["id"].as_i64().unwrap()).collect();
    assert_eq!(kept, [taken[2], taken[1]]);
    assert_eq!(std::fs::read_dir(server.data.join("snapshots")).unwrap().count(), 2);
    let path = format!("/api/plugins/everything/snapshots/{}", taken[2]);
    assert_eq!(admin.delete(&path).await.status, StatusCode::NO_CONTENT);
    assert_eq!(admin.delete(&path).await.status, StatusCode::NOT_FOUND);
    assert_eq!(std::fs::read_dir(server.data.join("snapshots")).unwrap().count(), 1);
}
