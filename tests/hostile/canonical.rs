//! Troubles between the host and a guest's code, where no Rust program gets: a component written by hand.

use std::{fs, path::Path};

use http::StatusCode;
use mint_tests::{Guest, bundle, manifest};
use serde_json::{Value, json};

use super::neighbour::{beside, counted, neighbour_answers};

pub(super) const ENDLESS: &str = "(loop $again (br $again))";
/// Of memory, again and again, by one instruction each.
pub(super) const FILLED: &str = "(drop (memory.grow (i32.const 3000)))
    (loop $again (memory.fill (i32.const 65536) (i32.const 1) (i32.const 190000000)) (br $again))";
/// Headers without a name and a value.
pub(super) const EMPTIES: &str = "(drop (memory.grow (i32.const 2500)))
    (i32.store (i32.const 1032) (i32.const 65536)) (i32.store (i32.const 1036) (i32.const 10000000))";
/// A body that would end beyond all memory.
pub(super) const OVERFLOWING: &str = "(i32.store (i32.const 1040) (i32.const 16)) (i32.store (i32.const 1044) (i32.const -1))";

/// A table of all the elements that there can be; it is told that there are none, and goes on.
pub(super) const TABLES: &str = "(drop (table.grow $many (ref.null func) (i32.const 0x7fffffff)))";

pub(super) fn component(slug: &str, place: &str, trouble: &str) -> Guest {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../guests/hostile/wat/canonical.wat")).unwrap();
    let mark = format!("(;{place};)");
    assert!(text.contains(&mark), "{mark}");
    let about = json!({ "plugin": { "slug": slug, "version": "1.0.0" }, "component": "plugin.wasm" });
    manifest(about, &[("plugin.wasm", &wat::parse_str(text.replace(&mark, trouble)).unwrap())])
}

#[tokio::test]
async fn what_the_host_calls_and_reads_of_a_guest_is_bounded_too() {
    let server = mint_tests::TestServer::start().await;
    server.admin.installed(&bundle("hello"), json!({})).await;
    server.admin.installed(&component("good", "handle", ""), json!({})).await;
    assert_eq!(server.admin.get("/api/good/").await.status, StatusCode::OK);
    for (slug, place, trouble, code, limit) in [
        ("allocates", "realloc", ENDLESS, "plugin.limit", Some("cpu_ms_max")),
        ("tidies", "post-return", ENDLESS, "plugin.limit", Some("cpu_ms_max")),
        ("fills", "handle", FILLED, "plugin.limit", Some("cpu_ms_max")),
        ("empties", "handle", EMPTIES, "plugin.limit", Some("host_memory_bytes_max")),
        ("overflows", "handle", OVERFLOWING, "plugin.broke", None),
    ] {
        server.admin.installed(&component(slug, place, trouble), json!({ "cpu_ms_max": 500 })).await;
        let path = format!("/api/{slug}/");
        let (reply, _) = beside(&server, server.admin.get(&path)).await;
        assert_eq!((reply.status, reply.code().as_str()), (StatusCode::INTERNAL_SERVER_ERROR, code), "{slug}: {reply:?}");
        assert_eq!(reply.json()["details"]["limit"], limit.map_or(Value::Null, Value::from), "{slug}: {reply:?}");
        if let Some(limit) = limit {
            counted(&server.admin, slug, limit).await;
        }
    }
    // One that never even begins is not installed.
    let starts = component("starts", "start", ENDLESS);
    let install = server.admin.install(&starts, json!({ "limits": { "cpu_ms_max": 500 } }));
    let (operation, _) = beside(&server, install).await;
    let failure = &operation["outcome"]["failure"];
    assert_eq!((&operation["status"], &failure["phase"]), (&json!("failed"), &json!("initialize")), "{operation:#}");
    assert!(failure["reason"].as_str().unwrap().contains("cpu_ms_max"), "{failure:#}");
    server.admin.installed(&component("tables", "handle", TABLES), json!({})).await;
    let (reply, _) = beside(&server, server.admin.get("/api/tables/")).await;
    assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
    counted(&server.admin, "tables", "instance_memory_bytes_max").await;
    neighbour_answers(&server).await;
}
