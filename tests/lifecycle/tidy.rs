//! What nobody uses any more is removed from the cache.

use std::{fs, path::Path};

use mint_tests::{Guest, TestServer, bundle, eventually, repackaged};
use serde_json::json;

fn named(guest: &str, slug: &str) -> Guest {
    repackaged(&bundle(guest), |manifest| {
        manifest["plugin"]["slug"] = json!(slug);
        manifest["plugin"]["routes_prefix"] = json!(format!("/{slug}"));
    })
}

/// Executables of a plugin in the cache.
fn executables(cache: &Path, slug: &str) -> usize {
    let Ok(entries) = fs::read_dir(cache.join("executables").join(slug)) else { return 0 };
    entries.filter(|entry| entry.as_ref().unwrap().path().extension().is_none()).count()
}

#[tokio::test]
async fn what_runs_stays_and_the_rest_goes() {
    let directory = tempfile::tempdir().unwrap();
    let cache = directory.path().to_owned();
    let variables = [("MINT_SERVER__CACHE_PATH", cache.to_str().unwrap()), ("MINT_SERVER__CACHE_DAYS", "0")];
    let mut server = TestServer::with(&variables).await;
    for slug in ["kept", "gone"] {
        server.admin.installed(&named("hello-process", slug), json!({})).await;
        assert_eq!(executables(&cache, slug), 1);
    }
    server.admin.installed(&bundle("hello"), json!({})).await;
    assert_eq!(server.admin.uninstall("gone", "keep").await["status"], "done");
    server.restart().await;
    eventually("what nobody uses to go", || async { (executables(&cache, "gone") == 0).then_some(()) }).await;
    assert_eq!(executables(&cache, "kept"), 1);
    for path in ["/api/kept/whoami", "/api/hello/"] {
        eventually(path, || async { (server.admin.get(path).await.status == 200).then_some(()) }).await;
    }
    // What went is made again where it is wanted.
    server.admin.installed(&named("hello-process", "gone"), json!({})).await;
    assert_eq!(server.admin.get("/api/gone/whoami").await.status, 200);
}
