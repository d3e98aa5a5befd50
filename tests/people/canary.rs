//! Two laboratories with the same plugins, in both modes, work at the same time. Each writes a word of its own wherever something can
//! be written; no answer, good or bad, no memory, no table, no process and no file ever has the word of the other.

mod rounds;

use mint_tests::{Client, Guest, TestServer, bundle, manifest, python, repackaged};
use serde_json::{Value, json};

use rounds::{Laboratory, TABLE_LEAK};

/// Rounds of each laboratory, with which both ask more than a thousand times.
const ROUNDS: usize = 50;

/// Another name and policy for a guest that looks through its memory.
fn warm(guest: &Guest, slug: &str) -> Guest {
    repackaged(guest, |manifest| {
        manifest["plugin"]["slug"] = slug.into();
        manifest["plugin"]["routes_prefix"] = Value::Null;
        manifest["instances"] = "tenant".into();
    })
}

fn table_leak() -> Guest {
    let about =
        json!({ "plugin": { "slug": "table-leak", "version": "1.0.0" }, "component": "plugin.wasm", "instances": "request" });
    manifest(about, &[("plugin.wasm", &wat::parse_str(TABLE_LEAK).unwrap())])
}

async fn furnished(which: usize, client: &Client) -> Laboratory {
    let (about, program) = rounds::process(&python().unwrap_or_else(|| "/usr/bin/env python3".to_owned()));
    let process = manifest(about, &[("bin/plugin", program.as_bytes())]);
    let hostile = bundle("hostile");
    for guest in [bundle("everything"), warm(&hostile, "hostile-warm"), hostile, table_leak(), process] {
        client.installed(&guest, json!({})).await;
    }
    Laboratory::begin(which, client.url(), client.token()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_laboratory_writes_no_other_reads() {
    // The cache is looked through too, so that it is one of this test's own.
    let cache = tempfile::tempdir().unwrap();
    let variables = [("MINT_PLUGINS__INSTANCES", "3"), ("MINT_SERVER__CACHE_PATH", cache.path().to_str().unwrap())];
    for server in TestServer::on_every_database(&variables).await {
        let other = server.other_tenant("other").await;
        let mut ours = furnished(0, &server.admin).await;
        let mut theirs = furnished(1, &other).await;
        for number in 0..ROUNDS {
            let (our_experiment, their_experiment) = (ours.experiment, theirs.experiment);
            let (mine, others) = tokio::join!(ours.round(number, their_experiment), theirs.round(number, our_experiment));
            mine.unwrap();
            others.unwrap();
        }
        for laboratory in [&mut ours, &mut theirs] {
            laboratory.look_around().await.unwrap();
            assert_eq!(laboratory.leaks, Vec::<String>::new());
        }
        assert!(ours.requests + theirs.requests >= 1_000, "{} and {} requests", ours.requests, theirs.requests);
        for place in [server.data.parent().unwrap(), cache.path()] {
            assert_eq!(rounds::on_disk(place).unwrap(), Vec::<String>::new());
        }
        finds_what_is_there(&server, &mut ours).await;
    }
}

/// The proof that it would have been found: in the same instance, in the process, and on the disk it is.
async fn finds_what_is_there(server: &TestServer, ours: &mut Laboratory) {
    let mut found = 0;
    // More than one instance may be warm.
    for _ in 0..20 {
        server.admin.get("/api/hostile-warm/fill?word=nightingale&pages=8").await;
        found = found.max(ours.sought("hostile-warm", 0).await.unwrap());
    }
    assert!(found > 8 * 65_536 / 11, "the word was found {found} times in the memory that was filled with it");
    server.admin.installed(&warm(&table_leak(), "table-leak-warm"), json!({})).await;
    assert_eq!(server.admin.get("/api/table-leak-warm/canary").await.status, 201);
    assert_eq!(server.admin.get("/api/table-leak-warm/scan").await.status, 409);
    let places = ours.look_in_process().await.unwrap();
    let left = places.iter().filter(|place| place.ends_with("/left-by-canary")).count();
    assert!(places.iter().any(|place| place == "memory") && left == 2, "{places:?}");
    let stray = server.data.join("releases/stray");
    std::fs::write(&stray, "a nightingale").unwrap();
    assert_eq!(rounds::on_disk(&server.data).unwrap(), [format!("{} has `nightingale`", stray.display())]);
    std::fs::remove_file(stray).unwrap();
}
