//! Bundles as MINT itself makes them: wheels, no hashes, no capabilities.

use std::path::Path;

use http::StatusCode;
use mint_tests::{Guest, TestServer};
use serde_json::{Value, json};

use crate::subprocess::{Parts, archive};

fn bundle(directory: &Path, parts: &Parts, manifest: &Value) -> Guest {
    let manifest = manifest.to_string();
    let (notebook, sdk) = (&parts.notebook, &parts.sdk);
    let bytes = archive([("manifest.json", manifest.as_bytes()), (&notebook.0, &notebook.1), (&sdk.0, &sdk.1)]);
    let path = directory.join("notebook.mint");
    std::fs::write(&path, bytes).unwrap();
    Guest::at(path)
}

#[tokio::test]
async fn a_bundle_of_format_1_runs_isolated() {
    let server = TestServer::start().await;
    let (admin, parts, directory) = (&server.admin, Parts::of_notebook(), tempfile::tempdir().unwrap());
    let described = json!({
        "format_version": 1,
        "plugin": { "name": "notebook", "version": "1.0.0", "description": "Notes.", "requires_mint": ">=1.0", "has_frontend": false },
        "wheels": { "main": parts.notebook.0, "dependencies": [parts.sdk.0] },
    });
    let guest = bundle(directory.path(), &parts, &described);
    let grants = json!(["experiments:read", "results:write", "designs:write"]);
    let operation = admin.install(&guest, json!({ "grants": grants })).await;
    assert_eq!(operation["status"], "done", "{operation}");
    let shown = admin.plugin("notebook").await;
    assert_eq!(
        (&shown["mode"], &shown["version"], &shown["api_prefix"]),
        (&json!("isolated"), &json!("1.0.0"), &json!("/api/notebook"))
    );
    assert_eq!(admin.get("/api/notebook/").await.json()["user"], "admin");

    let id = admin.experiment("one").await;
    let note = admin.post(&format!("/api/notebook/experiments/{id}/notes"), &json!({ "text": "from format 1" })).await;
    assert_eq!(note.status, StatusCode::CREATED, "{note:?}");
    let stored = admin.get(&format!("/api/experiments/{id}/results/notebook")).await.json();
    assert_eq!(stored["result"]["notes"][0]["text"], "from format 1");
    // Not granted, so refused, although the class asks for nothing.
    let file = admin.put(&format!("/api/notebook/experiments/{id}/files/x"), "x").await;
    assert_eq!((file.status, file.code().as_str()), (StatusCode::FORBIDDEN, "PERMISSION_DENIED"), "{file:?}");

    assert_eq!(admin.uninstall("notebook", "keep").await["status"], "done");
    let shared = admin.install(&guest, json!({ "mode": "shared" })).await;
    assert_eq!(shared["status"], "undone", "{shared}");
    assert!(shared["outcome"]["message"].as_str().unwrap().contains("no component"), "{shared}");
}

/// An index with a later release of the SDK, by somebody else.
fn index_of_somebody_else(directory: &Path) -> String {
    let page = directory.join("index/mint-guest-sdk");
    std::fs::create_dir_all(&page).unwrap();
    let name = "mint_guest_sdk-99.0.0-py3-none-any.whl";
    let info = "mint_guest_sdk-99.0.0.dist-info";
    let record = format!("mint_sdk.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n");
    let wheel = archive([
        ("mint_sdk.py", b"raise SystemExit('somebody else')".as_slice()),
        (&format!("{info}/METADATA"), b"Metadata-Version: 2.1\nName: mint-guest-sdk\nVersion: 99.0.0\n"),
        (&format!("{info}/WHEEL"), b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"),
        (&format!("{info}/RECORD"), record.as_bytes()),
    ]);
    std::fs::write(page.join(name), wheel).unwrap();
    std::fs::write(page.join("index.html"), format!("<a href=\"{name}\">{name}</a>")).unwrap();
    format!("file://{}", directory.join("index").display())
}

#[tokio::test]
async fn an_index_cannot_put_another_package_in_the_place_of_a_bundled_one() {
    let directory = tempfile::tempdir().unwrap();
    let (index, cache) = (index_of_somebody_else(directory.path()), directory.path().join("cache").display().to_string());
    let server = TestServer::with(&[("MINT_PLUGINS__UV__EXTRA_INDEX_URLS", &index), ("MINT_SERVER__CACHE_PATH", &cache)]).await;
    let parts = Parts::of_notebook();
    let described = json!({
        "format_version": 1,
        "plugin": { "name": "notebook", "version": "1.0.0" },
        "wheels": { "main": parts.notebook.0, "dependencies": [parts.sdk.0] },
    });
    let operation = server.admin.install(&bundle(directory.path(), &parts, &described), json!({})).await;
    assert_eq!(operation["status"], "done", "{operation}");
    assert_eq!(server.admin.get("/api/notebook/").await.json()["user"], "admin");
}

#[tokio::test]
async fn a_manifest_that_names_what_is_not_there_is_refused() {
    let server = TestServer::start().await;
    let (parts, directory) = (Parts::of_notebook(), tempfile::tempdir().unwrap());
    for (manifest, words) in [
        (
            json!({ "format_version": 1, "plugin": { "name": "notebook", "version": "1.0.0" }, "wheels": { "main": "none.whl" } }),
            "none.whl",
        ),
        (
            json!({ "format_version": 1, "plugin": { "name": "../x", "version": "1.0.0" }, "wheels": { "main": parts.notebook.0 } }),
            "plugin.name",
        ),
        (json!({ "format_version": 3 }), "format_version 3"),
    ] {
        let reply = server.admin.upload(&bundle(directory.path(), &parts, &manifest), &json!({})).await;
        assert_eq!((reply.status, reply.code().as_str()), (StatusCode::BAD_REQUEST, "VALIDATION_ERROR"), "{reply:?}");
        assert!(reply.json()["message"].as_str().unwrap().contains(words), "{reply:?}");
    }
    assert_eq!(server.admin.get("/api/plugins").await.json()["installed"], json!([]));
}
