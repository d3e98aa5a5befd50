//! Bundles and files of experiments in a bucket.

use mint_tests::{Client, TestServer, bundle, eventually};
use serde_json::json;

use super::s3_server::S3Server;

/// Bytes that differ everywhere, so that parts in the wrong order are found.
fn bytes(length: usize) -> Vec<u8> {
    (0..length).map(|at| u8::try_from((at / 7 + at / 65_536) % 251).unwrap()).collect()
}

async fn server(s3: &S3Server) -> TestServer {
    let url = format!("s3://lab/a/prefix?endpoint={}&region=us-east-1", s3.url);
    let variables = [
        ("MINT_STORAGE__URL", url.as_str()),
        ("MINT_STORAGE__ACCESS_KEY_ID", "lab"),
        ("MINT_STORAGE__SECRET_ACCESS_KEY", "secret"),
    ];
    TestServer::with(&variables).await
}

async fn put(admin: &Client, path: &str, content: &[u8]) {
    let reply = admin.put(path, content.to_vec()).await;
    assert!(reply.status.is_success(), "{reply:?}");
    assert_eq!(admin.get(path).await.body, content, "{path}");
}

#[tokio::test]
async fn files_of_every_size_come_back_and_go() {
    let Some(s3) = S3Server::start().await else { return };
    let server = server(&s3).await;
    let admin = &server.admin;
    let id = admin.experiment("e").await;
    // One write, one part, and several parts of which the last is short.
    for (name, length) in [("empty", 0), ("small", 1_000), ("part", 5 << 20), ("parts", (12 << 20) + 5)] {
        put(admin, &format!("/api/experiments/{id}/objects/{name}"), &bytes(length)).await;
    }
    put(admin, &format!("/api/experiments/{id}/objects/small"), b"replaced").await;
    eventually("the replaced one to go", || async { (s3.names().await.len() == 4).then_some(()) }).await;
    assert!(s3.names().await.iter().all(|name| name.starts_with("a/prefix/objects/")), "{:?}", s3.names().await);
    for name in ["empty", "small", "part", "parts"] {
        assert_eq!(admin.delete(&format!("/api/experiments/{id}/objects/{name}")).await.status, 204, "{name}");
    }
    eventually("what was deleted to go", || async { s3.names().await.is_empty().then_some(()) }).await;
}

#[tokio::test]
async fn a_release_is_fetched_again_from_the_bucket() {
    let Some(mut s3) = S3Server::start().await else { return };
    let mut server = server(&s3).await;
    server.admin.installed(&bundle("hello"), json!({})).await;
    let names = s3.names().await;
    assert!(names.len() == 1 && names[0].starts_with("a/prefix/bundles/") && names[0].ends_with(".mint"), "{names:?}");
    server.stop().await;
    std::fs::remove_dir_all(server.data.join("releases")).unwrap();
    server.restart().await;
    let answers = async |server: &TestServer| server.admin.get("/api/hello/").await;
    eventually("the plugin", || async { (answers(&server).await.status == 200).then_some(()) }).await;

    // Without the storage, what is here answers; what needs it says so, and comes back with it.
    s3.end();
    assert_eq!(answers(&server).await.status, 200);
    let id = server.admin.experiment("e").await;
    let refused = server.admin.put(&format!("/api/experiments/{id}/objects/x"), b"x".to_vec()).await;
    assert_eq!((refused.status.as_u16(), refused.code().as_str()), (503, "service.unavailable"), "{refused:?}");
    assert_eq!(refused.header("retry-after"), "5");
}
