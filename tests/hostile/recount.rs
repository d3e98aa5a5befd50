//! What a plugin keeps is counted right after a server that was killed in the middle.

use std::fs;

use http::{Method, StatusCode};
use mint_tests::{Client, bundle, eventually};
use rustix::process::Signal;
use serde_json::json;

use super::quotas::is_full;
use crate::cli::Mint;

const KIB: u64 = 1 << 10;
const BYTES_MAX: u64 = 512 * KIB;

#[tokio::test]
async fn a_killed_server_neither_forgets_files_nor_counts_them_twice() {
    let mut mint = Mint::serving().await;
    let admin = Client::sign_in(&mint.url, "default", "admin").await;
    let artifacts = mint.home().join("data/plugin-data/default/everything/artifacts");
    admin.installed(&bundle("everything"), json!({ "files_bytes_max": BYTES_MAX })).await;
    let fill = "/api/everything/fill?directory=/artifacts";
    assert!(is_full(&admin.get(fill).await.json()));
    for round in 1..=2 {
        // It writes and deletes when the server dies, and something of an earlier run stays.
        let mut filling = tokio::task::JoinSet::new();
        filling.spawn({
            let admin = admin.at(&mint.url);
            async move { while admin.request(Method::GET, fill).send().await.is_ok() {} }
        });
        eventually("a file", || async { artifacts.join("filling").exists().then_some(()) }).await;
        assert_eq!(mint.end(Signal::KILL), None);
        filling.join_all().await;
        fs::write(artifacts.join(format!("kept-{round}")), vec![0; 100 * KIB as usize]).unwrap();
        mint.serve().await;
        let admin = admin.at(&mint.url);
        let said = eventually("the plugin", || async {
            let reply = admin.get(fill).await;
            (reply.status == StatusCode::OK).then(|| reply.json())
        })
        .await;
        let left = BYTES_MAX - round * 100 * KIB;
        let bytes = said["bytes"].as_u64().unwrap();
        assert!((left - 32 * KIB..=left).contains(&bytes) && is_full(&said), "{said}, {left} were left");
        assert_eq!(admin.get(fill).await.json(), said, "what was deleted gives its room back");
    }
    assert_eq!(mint.end(Signal::TERM), Some(0));
}
