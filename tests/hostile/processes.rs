//! Processes that take more than their share.

use http::StatusCode;
use mint_tests::{Guest, TestServer, bundle, eventually};
use serde_json::{Value, json};

use super::{
    crowds::{asks_twice, busy, three_sleepers},
    neighbour::{beside, counted_and_told, neighbour_answers},
};
use crate::subprocess::{Program, is_alive};

/// A server with a process under these limits, and `hello`.
async fn process_with(guest: &Guest, limits: Value) -> TestServer {
    let server = TestServer::start().await;
    server.admin.installed(guest, limits).await;
    server.admin.installed(&bundle("hello"), json!({})).await;
    server
}

fn greedy() -> Guest {
    Program::GREEDY.bundle("greedy")
}

#[tokio::test]
pub(super) async fn a_process_opens_no_more_files_than_its_limit() {
    let server = process_with(&greedy(), json!({ "open_files_max": 64 })).await;
    let (reply, _) = beside(&server, server.admin.get("/api/greedy/files")).await;
    let said = reply.json();
    assert_eq!(said["error"], "EMFILE", "{said}");
    assert!((32..64).contains(&said["opened"].as_u64().unwrap()), "{said}");
    assert_eq!(server.admin.get("/api/greedy/pid").await.status, StatusCode::OK);
}

/// Children of its group, and such as left it.
async fn forks(apart: u8) {
    let server = process_with(&greedy(), json!({ "processes_max": 40 })).await;
    let first = server.admin.get("/api/greedy/pid").await.json();
    let few = server.admin.get("/api/greedy/fork?count=10&apart=0").await.json();
    assert_eq!(few["pids"].as_array().unwrap().len(), 10);
    eventually("a look at so few", || async {
        neighbour_answers(&server).await;
        (server.admin.plugin("greedy").await["runtime"]["tasks"].as_u64()? > 10).then_some(())
    })
    .await;
    assert_eq!(server.admin.get("/api/greedy/pid").await.json(), first);

    let path = format!("/api/greedy/fork?count=60&apart={apart}");
    let crowd = server.admin.get(&path);
    let waiting = server.admin.get("/api/greedy/sleep?ms=60000");
    let ((started, waited), _) = beside(&server, async { tokio::join!(crowd, waiting) }).await;
    for reply in [&waited, &started] {
        if reply.status != StatusCode::OK {
            assert_eq!((reply.status.as_u16(), reply.code().as_str()), (500, "plugin.limit"), "{reply:?}");
            assert_eq!(reply.json()["details"]["limit"], "processes_max", "{reply:?}");
        }
    }
    assert_ne!(waited.status, StatusCode::OK);
    let second = eventually("another process", || async {
        let reply = server.admin.get("/api/greedy/pid").await;
        (reply.status == StatusCode::OK).then(|| reply.json())
    })
    .await;
    assert_ne!(first, second);
    let runtime = server.admin.plugin("greedy").await["runtime"].clone();
    assert!(runtime["last_exit"]["how"].as_str().unwrap().contains("processes_max of 40"), "{runtime}");
    let started = if started.status == StatusCode::OK { started.json() } else { few };
    for pid in started["pids"].as_array().unwrap() {
        assert!(!is_alive(pid), "{pid} still runs");
    }
    counted_and_told(&server.admin, "greedy", "processes_max").await;
}

#[tokio::test]
pub(super) async fn a_process_has_no_more_children_than_its_limit() {
    forks(0).await;
}

#[tokio::test]
pub(super) async fn children_that_went_elsewhere_are_counted_too() {
    forks(1).await;
}

/// Processes whose command line has this in it.
fn family(text: &str) -> Vec<i32> {
    let pids = std::fs::read_dir("/proc").unwrap().filter_map(|entry| entry.unwrap().file_name().to_str()?.parse().ok());
    pids.filter(|pid| std::fs::read_to_string(format!("/proc/{pid}/cmdline")).is_ok_and(|line| line.contains(text))).collect()
}

#[tokio::test]
async fn a_fork_bomb_is_put_out() {
    let server = process_with(&greedy(), json!({ "processes_max": 40 })).await;
    let first = server.admin.get("/api/greedy/pid").await.json();
    let run = server.data.with_file_name("run").display().to_string();
    assert_eq!(family(&run), [first["pid"].as_i64().unwrap() as i32]);
    let (reply, _) = beside(&server, server.admin.get("/api/greedy/bomb")).await;
    assert!(reply.status == StatusCode::OK || reply.status.is_server_error(), "{reply:?}");
    let second = eventually("another process", || async {
        neighbour_answers(&server).await;
        let reply = server.admin.get("/api/greedy/pid").await;
        (reply.status == StatusCode::OK && reply.json() != first).then(|| reply.json())
    })
    .await;
    eventually("the end of all others", || async { (family(&run) == [second["pid"].as_i64().unwrap() as i32]).then_some(()) })
        .await;
    let runtime = server.admin.plugin("greedy").await["runtime"].clone();
    assert!(runtime["last_exit"]["how"].as_str().unwrap().contains("processes_max of 40"), "{runtime}");
}

#[tokio::test]
pub(super) async fn a_crowd_before_a_process_waits_or_is_sent_away() {
    let server = process_with(&greedy(), json!({ "concurrency_max": 1, "queue_max": 1 })).await;
    let sleep = || server.admin.get("/api/greedy/sleep?ms=1500");
    let until = |field: &'static str| {
        let admin = &server.admin;
        eventually(field, move || async move { (admin.plugin("greedy").await["usage"][field] == 1).then_some(()) })
    };
    let second = async {
        until("in_progress").await;
        sleep().await
    };
    let third = async {
        until("waiting").await;
        neighbour_answers(&server).await;
        server.admin.get("/api/greedy/pid").await
    };
    let (first, second, third) = tokio::join!(sleep(), second, third);
    busy(&third, "queue_max");
    assert_eq!((first.json(), second.json()), (json!({ "awake": true }), json!({ "awake": true })));
    counted_and_told(&server.admin, "greedy", "queue_max").await;
}

#[tokio::test]
pub(super) async fn who_waits_for_a_process_too_long_is_sent_away() {
    let server = process_with(&greedy(), json!({ "concurrency_max": 1, "wall_ms_max": 1000 })).await;
    three_sleepers(&server, "greedy").await;
    assert_eq!(server.admin.get("/api/greedy/pid").await.status, StatusCode::OK);
    counted_and_told(&server.admin, "greedy", "concurrency_max").await;
}

#[tokio::test]
pub(super) async fn who_asks_a_process_too_often_is_sent_away() {
    let server = process_with(&greedy(), json!({ "requests_per_second_max": 1 })).await;
    beside(&server, asks_twice(&server, "greedy")).await;
    counted_and_told(&server.admin, "greedy", "requests_per_second_max").await;
}

#[tokio::test]
pub(super) async fn a_process_takes_no_more_room_for_its_tables_than_its_limit() {
    let capabilities = json!({ "capabilities": [{ "name": "database" }] });
    let server =
        process_with(&Program::GREEDY.bundle_with("greedy", capabilities), json!({ "database_bytes_max": 8 << 20 })).await;
    let mut process = server.admin.get("/api/greedy/pid").await.json();
    for beside_them in [1, 0] {
        let hoard = |mib: u64| format!("/api/greedy/hoard?beside={beside_them}&mib={mib}");
        let few = server.admin.get(&hoard(2)).await;
        assert_eq!(few.status, StatusCode::OK, "{few:?}");
        // A look or two pass meanwhile.
        assert_eq!(server.admin.get("/api/greedy/sleep?ms=2500").await.json(), json!({ "awake": true }));
        assert_eq!(server.admin.get("/api/greedy/pid").await.json(), process);

        let (many, much) = (server.admin.get("/api/greedy/sleep?ms=60000"), hoard(20));
        let ((written, waited), _) = beside(&server, async { tokio::join!(server.admin.get(&much), many) }).await;
        assert!(written.status == StatusCode::OK || written.code() == "plugin.limit", "{written:?}");
        assert_eq!((waited.status.as_u16(), waited.code().as_str()), (500, "plugin.limit"), "{waited:?}");
        assert_eq!(waited.json()["details"]["limit"], "database_bytes_max", "{waited:?}");
        process = eventually("another process", || async {
            let reply = server.admin.get("/api/greedy/pid").await;
            (reply.status == StatusCode::OK && reply.json() != process).then(|| reply.json())
        })
        .await;
        let runtime = server.admin.plugin("greedy").await["runtime"].clone();
        assert!(runtime["last_exit"]["how"].as_str().unwrap().contains("database_bytes_max of 8388608"), "{runtime}");
        eventually("the end of what stood beside the tables", || async {
            (!server.data.join("plugin-tables/default/greedy/hoard").exists()).then_some(())
        })
        .await;
    }
    counted_and_told(&server.admin, "greedy", "database_bytes_max").await;
}

/// Lets it keep more than it may; it is ended for that. Gives the process that follows.
async fn fills(server: &TestServer, temporary: u8, limit: &str) {
    let before = server.admin.get("/api/greedy/pid").await.json();
    let keep = |mib: u64| format!("/api/greedy/keep?temporary={temporary}&mib={mib}");
    assert_eq!(server.admin.get(&keep(2)).await.json(), json!({ "kept": 2 }));
    // A look or two pass meanwhile.
    assert_eq!(server.admin.get("/api/greedy/sleep?ms=2500").await.json(), json!({ "awake": true }));
    assert_eq!(server.admin.get("/api/greedy/pid").await.json(), before);
    let (many, much) = (server.admin.get("/api/greedy/sleep?ms=60000"), keep(20));
    let ((written, waited), _) = beside(server, async { tokio::join!(server.admin.get(&much), many) }).await;
    assert!(written.status == StatusCode::OK || written.code() == "plugin.limit", "{written:?}");
    assert_eq!((waited.status.as_u16(), waited.code().as_str()), (500, "plugin.limit"), "{waited:?}");
    assert_eq!(waited.json()["details"]["limit"], limit, "{waited:?}");
    eventually("another process", || async {
        let reply = server.admin.get("/api/greedy/pid").await;
        (reply.status == StatusCode::OK && reply.json() != before).then_some(())
    })
    .await;
    let how = server.admin.plugin("greedy").await["runtime"]["last_exit"]["how"].to_string();
    assert!(how.contains(&format!("{limit} of 8388608")), "{how}");
    counted_and_told(&server.admin, "greedy", limit).await;
}

#[tokio::test]
pub(super) async fn a_process_keeps_no_more_files_than_its_limit() {
    let capabilities = json!({ "capabilities": [{ "name": "files" }] });
    let server = process_with(&Program::GREEDY.bundle_with("greedy", capabilities), json!({ "files_bytes_max": 8 << 20 })).await;
    fills(&server, 0, "files_bytes_max").await;
    let runtime = server.admin.plugin("greedy").await["runtime"].clone();
    if runtime["sandbox"]["files"]["on"] == json!(true) {
        let refused = server.admin.get("/api/greedy/keep?temporary=0&mib=1").await.json();
        assert_eq!(refused, json!({ "error": "EACCES" }), "there is too much already");
    }
    assert_eq!(server.admin.get("/api/greedy/remove").await.json(), json!({ "left": 0 }), "it makes room itself");
    assert_eq!(server.admin.reload("greedy").await["status"], "done");
    assert_eq!(server.admin.get("/api/greedy/keep?temporary=0&mib=1").await.json(), json!({ "kept": 1 }));
}

#[tokio::test]
pub(super) async fn a_process_keeps_no_more_in_its_cache_than_its_limit() {
    let server = process_with(&Program::GREEDY.bundle("greedy"), json!({ "cache_bytes_max": 8 << 20 })).await;
    fills(&server, 1, "cache_bytes_max").await;
    assert_eq!(server.admin.get("/api/greedy/keep?temporary=1&mib=3").await.json(), json!({ "kept": 3 }), "it was emptied");
}

/// A process that calls back as it is told.
async fn caller_with(limits: Value) -> (TestServer, i64) {
    let capabilities = json!({ "capabilities": [
        { "name": "experiments:read" }, { "name": "results:write" }, { "name": "designs:write" }, { "name": "objects" },
    ] });
    let server = process_with(&Program::NOSY.bundle_with("nosy", capabilities), limits).await;
    let id = server.admin.experiment("x").await;
    (server, id)
}

/// What the process is told when it makes this call.
async fn told(server: &TestServer, call: Value) -> (u64, Value) {
    let (reply, _) = beside(server, server.admin.post("/api/nosy/call", &call)).await;
    let said = reply.json();
    (said["status"].as_u64().unwrap(), said["body"].clone())
}

#[tokio::test]
pub(super) async fn a_process_puts_no_more_objects_than_its_quota() {
    let (server, id) = caller_with(json!({ "objects_bytes_max": 100_000 })).await;
    let head = "--b\r\ncontent-disposition: form-data; name=\"file\"; filename=\"x\"\r\n\r\n";
    let text = format!("{head}{}\r\n--b--\r\n", "x".repeat(60_000));
    let put = |key: &str| {
        let path = format!("/experiments/{id}/objects/{key}");
        told(
            &server,
            json!({ "method": "PUT", "path": path, "headers": { "content-type": "multipart/form-data; boundary=b" }, "text": text }),
        )
    };
    let (status, said) = put("a").await;
    assert_eq!((status, &said["size"]), (200, &json!(60_000)), "{said}");
    let (status, said) = put("b").await;
    let expected = (429, &json!("QUOTA_EXCEEDED"), &json!("objects_bytes_max"));
    assert_eq!((status, &said["code"], &said["details"]["limit"]), expected, "{said}");
    counted_and_told(&server.admin, "nosy", "objects_bytes_max").await;
}

#[tokio::test]
pub(super) async fn a_process_saves_no_longer_documents_than_its_limit() {
    let (server, id) = caller_with(json!({ "document_bytes_max": 10_000 })).await;
    let bodies = |bytes: usize| {
        let text = "x".repeat(bytes);
        [
            (format!("/experiments/{id}/results/nosy"), json!({ "plugin_id": "nosy", "result": { "x": text } })),
            (format!("/experiments/{id}/data"), json!({ "plugin_id": "nosy", "data": { "x": text } })),
        ]
    };
    // As long as it may be, a little longer, and so long that it is not even read to its end.
    for (bytes, expected, code) in
        [(9_000, 200, None), (10_000, 429, Some("QUOTA_EXCEEDED")), (90_000, 413, Some("request.too_large"))]
    {
        for (path, body) in bodies(bytes) {
            let (status, said) = told(&server, json!({ "method": "PUT", "path": path, "body": body })).await;
            assert_eq!(status, expected, "{said}");
            if let Some(code) = code {
                assert_eq!((&said["code"], &said["details"]["limit"]), (&json!(code), &json!("document_bytes_max")), "{said}");
            }
        }
    }
    counted_and_told(&server.admin, "nosy", "document_bytes_max").await;
}

#[tokio::test]
async fn a_document_of_a_process_that_is_too_deep_is_refused() {
    let (server, id) = caller_with(json!({})).await;
    for path in [format!("/experiments/{id}/results/nosy"), format!("/experiments/{id}/data")] {
        for depth in [1_000, 100_000] {
            let lists = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
            let text = format!(r#"{{"plugin_id":"nosy","result":{lists},"data":{lists}}}"#);
            let (status, said) = told(&server, json!({ "method": "PUT", "path": path, "text": text })).await;
            assert_eq!((status, &said["code"]), (400, &json!("VALIDATION_ERROR")), "{said}");
        }
    }
}
