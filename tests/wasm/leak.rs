//! Nothing that a request wrote into its memory is seen by another request that gets the same place of the pool.

use futures_util::future::join_all;
use mint_tests::{Client, TestServer, bundle, repackaged};
use serde_json::{Value, json};

/// Places of the pool: fewer than requests at once, so that every place is used again and again.
const SLOTS: &str = "3";
const ROUNDS: usize = 12;

async fn write(client: &Client) -> u64 {
    let reply = client.get("/api/hostile/canary").await;
    assert_eq!(reply.status, 200, "{reply:?}");
    reply.json()["words"].as_u64().unwrap()
}

/// What was found, in how many bytes.
async fn scan(client: &Client) -> (u64, u64) {
    let reply = client.get("/api/hostile/scan").await;
    assert_eq!(reply.status, 200, "{reply:?}");
    let answer = reply.json();
    (answer["found"].as_u64().unwrap(), answer["bytes"].as_u64().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_place_of_the_pool_is_clean() {
    let path = places_are_clean("auto").await;
    assert!(["pagemap-scan", "memset"].contains(&path.as_str()), "{path}");
}

/// The way for machines that may swap, or whose kernel is too old for the other.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_place_of_the_pool_is_clean_on_any_machine() {
    assert_eq!(places_are_clean("memset").await, "memset");
}

/// Gives the way that was taken.
async fn places_are_clean(reset: &str) -> String {
    let server = TestServer::with(&[("MINT_PLUGINS__INSTANCES", SLOTS), ("MINT_PLUGINS__RESET_PATH", reset)]).await;
    let other = server.other_tenant("other").await;
    for client in [&server.admin, &other] {
        client.installed(&bundle("hostile"), json!({ "cpu_ms_max": 60_000, "wall_ms_max": 120_000 })).await;
    }
    let runtime = server.admin.plugin("hostile").await["runtime"].clone();
    let (mut words, mut bytes, mut scans) = (0, 0, 0_u64);
    for _ in 0..ROUNDS {
        let writers = join_all((0..4).map(|index| write(if index % 2 == 0 { &server.admin } else { &other })));
        let readers = join_all((0..4).map(|index| scan(if index % 2 == 0 { &other } else { &server.admin })));
        let (written, seen) = tokio::join!(writers, readers);
        words += written.iter().sum::<u64>();
        let after = join_all([&server.admin, &other, &server.admin].map(scan)).await;
        for (found, looked_at) in seen.into_iter().chain(after) {
            assert_eq!(found, 0, "a place of the pool kept what a request wrote ({runtime})");
            bytes += looked_at;
            scans += 1;
        }
    }
    // The pattern is more than a place holds resident, so that every way of cleaning had something to do.
    assert!(words > (ROUNDS as u64) * 4 * 1_000_000, "{words} words were written");
    assert!(bytes / scans > 8 << 20, "{bytes} bytes were looked at in {scans} scans");
    runtime["reset_path"].as_str().unwrap().to_owned()
}

/// The proof that the scan would find it: in the same warm instance it does.
#[tokio::test]
async fn the_scan_finds_what_is_there() {
    let server = TestServer::start().await;
    let warm = repackaged(&bundle("hostile"), |manifest| manifest["instances"] = Value::from("tenant"));
    let other = server.other_tenant("other").await;
    for client in [&server.admin, &other] {
        client.installed(&warm, json!({ "cpu_ms_max": 60_000 })).await;
    }
    let words = write(&server.admin).await;
    assert!(scan(&server.admin).await.0 >= words * 9 / 10);
    assert_eq!(scan(&other).await.0, 0);
}
