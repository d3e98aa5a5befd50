//! `mint fsck` finds what was damaged, and mends what can be mended.

use std::{
    fs,
    path::{Path, PathBuf},
};

use mint_tests::{Client, bundle, eventually};
use rustix::process::Signal;
use serde_json::{Value, json};

use super::Mint;
use crate::hostile::tables;

/// Every file under a directory.
fn files(directory: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(directory) else { return Vec::new() };
    let paths = entries.map(|entry| entry.unwrap().path());
    paths.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

fn file_of(directory: &Path, bytes: usize) -> PathBuf {
    let mut all = files(directory).into_iter();
    all.find(|path| fs::metadata(path).unwrap().len() == bytes as u64).unwrap()
}

/// What was found, as `kind: problem`.
fn fsck(mint: &Mint, arguments: &[&str]) -> (Option<i32>, Vec<String>) {
    let ran = mint.run(&[&["--json", "fsck"], arguments].concat());
    let found: Value = serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {}{}", ran.stdout, ran.stderr));
    let line = |finding: &Value| {
        let text = |name: &str| finding[name].as_str().unwrap();
        let repaired = if finding["repaired"] == true { " (repaired)" } else { "" };
        format!("{}: {}{repaired}", text("kind"), text("problem"))
    };
    let mut lines: Vec<String> = found.as_array().unwrap().iter().map(line).collect();
    lines.sort();
    (ran.code, lines)
}

async fn answers(client: &Client) {
    for path in ["/api/hello/", "/api/everything/call/database.query"] {
        eventually(path, || async { (client.get(path).await.status != 503).then_some(()) }).await;
    }
    assert_eq!(client.get("/api/hello/").await.status, 200);
}

#[tokio::test]
async fn every_kind_of_damage_is_found_and_mended() {
    for database in mint_store::testing::databases().await {
        let is_file = database.url.starts_with("sqlite");
        let mut mint = Mint::new();
        if !is_file {
            mint.set("MINT_DATABASE__URL", database.url.clone());
        }
        let (data, cache) = (mint.home().join("data"), mint.home().join("cache"));
        mint.set("MINT_SERVER__CACHE_PATH", cache.display().to_string());
        mint.make_admin();
        mint.serve().await;
        let admin = Client::sign_in(&mint.url, "default", "admin").await;
        admin.installed(&bundle("hello"), json!({})).await;
        admin.installed(&bundle("everything"), json!({})).await;
        tables::execute(&admin, "create table t (a text)").await;
        tables::execute(&admin, "insert into t values ('kept')").await;
        let id = admin.experiment("e").await;
        for (name, bytes) in [("gone", 1_111), ("short", 2_222), ("other", 3_333), ("fine", 4_444)] {
            let put = admin.put(&format!("/api/experiments/{id}/objects/{name}"), vec![7; bytes]).await;
            assert!(put.status.is_success(), "{put:?}");
        }
        for _ in 0..2 {
            let taken = admin.post("/api/plugins/everything/snapshots", &Value::Null).await;
            assert_eq!(taken.status, 202, "{taken:?}");
            assert_eq!(admin.ended(&taken.json()).await["status"], "done");
        }
        let busy = mint.run(&["fsck"]);
        assert!(busy.code == Some(1) && busy.stderr.contains("another `mint serve`"), "{}{}", busy.stdout, busy.stderr);
        mint.end(Signal::TERM);
        assert_eq!(fsck(&mint, &["--deep"]), (Some(0), Vec::new()));

        let (hello, everything) = digests(&data);
        fs::write(data.join("releases").join(&everything).join("plugin.wasm"), "altered").unwrap();
        fs::write(data.join("releases").join(format!("{hello}.frontend/files/index.html")), "altered").unwrap();
        fs::remove_file(file_of(&data.join("objects"), 1_111)).unwrap();
        fs::write(file_of(&data.join("objects"), 2_222), "short").unwrap();
        fs::write(file_of(&data.join("objects"), 3_333), vec![8; 3_333]).unwrap();
        fs::write(data.join("objects").join("stray"), "x").unwrap();
        fs::write(data.join("bundles").join("stray.mint"), "x").unwrap();
        fs::create_dir_all(data.join("releases").join("stray.frontend")).unwrap();
        let archives = files(&data.join("snapshots"));
        fs::remove_file(&archives[0]).unwrap();
        fs::write(&archives[1], "altered").unwrap();
        fs::write(data.join("snapshots").join("stray.zip"), "x").unwrap();
        fs::create_dir_all(cache.join("venvs/plugin/0123/bin")).unwrap();
        let mendable = [
            "blob: no row names it",
            "bundle: it belongs to no release",
            "front-end: it belongs to no release",
            "front-end: it was changed",
            "object: its bytes are gone",
            "release: `plugin.wasm` was changed",
            "snapshot: its archive is gone",
            "snapshot: no row names its archive",
            "venv: it is not whole",
        ];
        let lasting = [
            "object: it has 5 bytes, and had 2222 when it was put",
            "object: its bytes are not those that were put",
            "snapshot: its archive was changed",
        ];
        let mut all: Vec<String> = [&mendable[..], &lasting[..]].concat().into_iter().map(str::to_owned).collect();
        all.sort();
        assert_eq!(fsck(&mint, &["--deep"]), (Some(1), all.clone()));
        assert_eq!(fsck(&mint, &["--deep"]), (Some(1), all), "it changed something without being asked to");
        let (code, repaired) = fsck(&mint, &["--deep", "--repair"]);
        assert_eq!((code, repaired.iter().filter(|line| line.ends_with(" (repaired)")).count()), (Some(1), mendable.len()));
        assert_eq!(fsck(&mint, &["--deep"]).1, lasting);

        mint.serve().await;
        let admin = admin.at(&mint.url);
        answers(&admin).await;
        assert_eq!(tables::rows(&admin, "select a from t").await, json!([["kept"]]));
        assert_eq!(admin.get(&format!("/api/experiments/{id}/objects/gone")).await.status, 404);
        assert_eq!(admin.get(&format!("/api/experiments/{id}/objects/fine")).await.body.len(), 4_444);
        mint.end(Signal::TERM);
        if is_file {
            damaged_tables(&mint, &data);
        }
        bundle_gone(&mint, &data, &hello);
    }
}

/// The digests of `hello`, which has a front-end, and of `everything`, which has none.
fn digests(data: &Path) -> (String, String) {
    let releases = fs::read_dir(data.join("releases")).unwrap();
    let names: Vec<String> = releases.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    let hello = names.iter().find_map(|name| name.strip_suffix(".frontend")).unwrap().to_owned();
    let everything = names.into_iter().find(|name| !name.starts_with(&hello)).unwrap();
    (hello, everything)
}

/// Nothing makes tables again from nothing.
fn damaged_tables(mint: &Mint, data: &Path) {
    let mut files = files(&data.join("plugin-tables")).into_iter();
    let file = files.find(|path| path.extension().is_some_and(|extension| extension == "sqlite")).unwrap();
    let mut bytes = fs::read(&file).unwrap();
    let half = bytes.len() / 2;
    bytes[half..].fill(0xff);
    fs::write(&file, bytes).unwrap();
    let (code, found) = fsck(mint, &["--repair"]);
    assert!(code == Some(1) && found.iter().any(|line| line.starts_with("tables: ")), "{found:?}");
}

/// A bundle that was changed is not unpacked, and one that is gone is told of.
fn bundle_gone(mint: &Mint, data: &Path, hello: &str) {
    let bundle = data.join("bundles").join(format!("{hello}.mint"));
    fs::write(&bundle, "altered").unwrap();
    let (_, found) = fsck(mint, &["--repair"]);
    assert!(found.iter().any(|line| line.starts_with("bundle: its bundle in the storage was changed")), "{found:?}");
    assert!(!bundle.exists());
    let (code, found) = fsck(mint, &["--repair"]);
    assert!(
        code == Some(1) && found.iter().any(|line| line.starts_with("bundle: its bundle is not in the storage")),
        "{found:?}"
    );
}

/// Tables that nobody has are removed when they are empty; those that an uninstall kept are nobody's business; those that are
/// gone are told of.
#[tokio::test]
async fn tables_and_installations_are_compared() {
    const NOBODYS: &str = "tables: no installation has them, and there is nothing in them";
    for database in mint_store::testing::databases().await {
        let is_file = database.url.starts_with("sqlite");
        let mut mint = Mint::new();
        if !is_file {
            mint.set("MINT_DATABASE__URL", database.url.clone());
        }
        mint.make_admin();
        mint.serve().await;
        let admin = Client::sign_in(&mint.url, "default", "admin").await;
        for guest in [bundle("everything"), tables::other()] {
            admin.installed(&guest, json!({})).await;
        }
        let made = admin.post("/api/other/call/database.execute", &json!({ "sql": "create table t (a bigint)" })).await;
        assert_eq!(made.status, 200, "{made:?}");
        assert_eq!(admin.uninstall("other", "keep").await["status"], "done");
        mint.end(Signal::TERM);
        // The uninstalled release's bundle is still there for a day.
        fsck(&mint, &["--repair"]);
        assert_eq!(fsck(&mint, &[]), (Some(0), Vec::new()), "what was kept is no disagreement");

        let place = mint.home().join("data/plugin-tables/default");
        let role = "mint_nobody_0123456789abcdef";
        if is_file {
            fs::create_dir_all(place.join("nobody")).unwrap();
            fs::create_dir_all(place.join("archived_20260101T000000Z_nobody")).unwrap();
        } else {
            let here = "drop role if exists {role}; create role {role}; create schema {role}; create schema archived_1_nobody";
            mint_store::testing::administer(&database.url, &here.replace("{role}", role)).await;
        }
        assert_eq!(fsck(&mint, &[]), (Some(1), vec![NOBODYS.to_owned()]));
        assert_eq!(fsck(&mint, &["--repair"]), (Some(0), vec![format!("{NOBODYS} (repaired)")]));
        assert_eq!(fsck(&mint, &[]), (Some(0), Vec::new()));

        if is_file {
            fs::remove_dir_all(place.join("everything")).unwrap();
        } else {
            let gone = "do $$ declare name text; begin \
                select nspname into strict name from pg_namespace where nspname like 'mint\\_everything\\_%'; \
                execute format('drop schema %I cascade', name); end $$";
            mint_store::testing::administer(&database.url, gone).await;
        }
        let (code, found) = fsck(&mint, &["--repair"]);
        assert!(code == Some(1) && found.len() == 1 && found[0].starts_with("tables: they are gone"), "{found:?}");
        mint.serve().await;
        let admin = admin.at(&mint.url);
        admin.installed(&tables::other(), json!({})).await;
        let kept = admin.post("/api/other/call/database.query", &json!({ "sql": "select count(*) from t" })).await;
        assert_eq!(kept.json()["rows"], json!([[0]]));
    }
}
