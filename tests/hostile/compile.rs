//! Components that are small and take the compiler more than they should.

use http::StatusCode;
use mint_tests::{TestServer, bundle, eventually, manifest, resident_bytes};
use serde_json::json;

use super::neighbour::beside;

/// Much arithmetic in one function: some megabytes that take an optimising compiler a while, and a hundred times as much memory.
fn long_winded() -> Vec<u8> {
    // Numbers that do not repeat: a bundle that packs too well is taken for another kind of bomb.
    let numbers = std::iter::successors(Some(1_i64), |n| Some(n.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1)));
    let sums: String = numbers
        .take(120_000)
        .map(|n| format!("(local.set 0 (i64.mul (i64.add (local.get 0) (i64.const {n})) (i64.const 13)))"))
        .collect();
    wat::parse_str(format!("(component (core module (func (export \"x\") (param i64) (result i64) {sums} (local.get 0))))"))
        .unwrap()
}

#[tokio::test]
async fn a_compiler_that_takes_too_much_is_ended_and_nobody_else_feels_it() {
    for (bound, at_most, words) in [
        ("MINT_PLUGINS__COMPILE__SECONDS_MAX", "1", ["took longer than 1 s", "plugins.compile.secondsMax"]),
        (
            "MINT_PLUGINS__COMPILE__MEMORY_BYTES_MAX",
            "100000000",
            ["more than 95 MiB of memory", "plugins.compile.memoryBytesMax"],
        ),
    ] {
        let mut server = TestServer::start().await;
        server.admin.installed(&bundle("hello"), json!({})).await;
        server.set(bound, at_most);
        server.restart().await;
        eventually("the neighbour answers", async || server.admin.get("/api/hello/").await.status.is_success().then_some(()))
            .await;
        let before = resident_bytes();
        let bomb = manifest(
            json!({ "plugin": { "slug": "odd", "version": "1.0.0" }, "component": "plugin.wasm" }),
            &[("plugin.wasm", &long_winded())],
        );
        let (ended, _) = beside(&server, server.admin.install(&bomb, json!({}))).await;
        assert_eq!(ended["status"], "failed", "{ended:#}");
        let plugin = server.admin.plugin("odd").await;
        let said = format!("{} {}", plugin["reason"].as_str().unwrap(), plugin["hint"].as_str().unwrap());
        assert!(words.iter().all(|word| said.contains(word)), "{words:?}: {said}");
        let grown = resident_bytes().saturating_sub(before);
        assert!(grown < 64 << 20, "the server took {} MiB", grown >> 20);
        assert_eq!(server.admin.get("/api/odd/").await.status, StatusCode::SERVICE_UNAVAILABLE);
    }
}
