//! A process whose settings change gives way to a new one without a request failing.

use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::future::join_all;
use http::StatusCode;
use mint_tests::{TestServer, eventually};
use serde_json::json;

use super::{Program, is_alive};

#[tokio::test]
async fn no_request_fails_while_one_process_gives_way_to_the_next() {
    let server = TestServer::start().await;
    let admin = &server.admin;
    let schema = json!({ "type": "object", "properties": { "mood": { "type": "integer" } } });
    assert_eq!(server.install(&Program::NOSY.bundle_with("nosy", json!({ "settings_schema": schema }))).await["status"], "done");
    let ended = AtomicBool::new(false);
    let asking = join_all((0..8).map(async |_| {
        while !ended.load(Ordering::Relaxed) {
            let reply = admin.post("/api/nosy/call", &json!({ "method": "GET", "path": "/platform" })).await;
            assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
        }
    }));
    let changing = async {
        let mut pids = vec![admin.plugin("nosy").await["runtime"]["pid"].clone()];
        for mood in 1..=4 {
            assert_eq!(admin.configure("nosy", json!({ "mood": mood })).await.status, StatusCode::OK);
            pids.push(admin.plugin("nosy").await["runtime"]["pid"].clone());
        }
        ended.store(true, Ordering::Relaxed);
        pids
    };
    let (_, mut pids) = tokio::join!(asking, changing);
    let last = pids.pop().unwrap();
    assert!(is_alive(&last) && !pids.contains(&last), "{pids:?} {last}");
    for replaced in pids {
        eventually("its end", || async { (!is_alive(&replaced)).then_some(()) }).await;
    }
}
