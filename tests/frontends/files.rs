//! The files of a front-end: what stands where, and how long a browser keeps it.

use http::{Method, StatusCode};
use mint_tests::{Browser, Guest, TestServer, bundle, manifest, repackaged};
use serde_json::json;

use super::{FILES, with_frontend};
use crate::subprocess::Program;

async fn serving() -> (TestServer, Browser) {
    let server = TestServer::start().await;
    server.admin.installed(&with_frontend(&Program::MORTAL, "paged", "1.0.0", FILES), json!({})).await;
    let (browser, _) = Browser::enter(&server.admin, "/paged/").await;
    (server, browser)
}

#[tokio::test]
async fn each_kind_of_file_has_its_own_caching_rule() {
    let (_server, browser) = serving().await;
    for (path, kind, rule) in [
        ("/paged/", "text/html; charset=utf-8", "no-store"),
        ("/paged/index.html", "text/html; charset=utf-8", "no-store"),
        ("/paged/experiments/7", "text/html; charset=utf-8", "no-store"),
        ("/paged/guide", "text/html; charset=utf-8", "no-store"),
        ("/paged/assets/", "text/html; charset=utf-8", "no-store"),
        ("/paged/assets/index-DiwrgTda.js", "text/javascript; charset=utf-8", "private, max-age=31536000, immutable"),
        ("/paged/plain.js", "text/javascript; charset=utf-8", "private, no-cache"),
    ] {
        for method in [Method::GET, Method::HEAD] {
            let reply = browser.send(browser.request(method.clone(), path)).await;
            assert_eq!(reply.status, StatusCode::OK, "{method} {path}: {reply:?}");
            let header = |name: &str| reply.headers[name].to_str().unwrap().to_owned();
            assert_eq!((header("content-type").as_str(), header("cache-control").as_str()), (kind, rule), "{method} {path}");
            assert!(header("x-mint-frontend-revision").starts_with("sha256:"), "{method} {path}");
            assert_eq!(header("x-content-type-options"), "nosniff");
            assert_eq!(header("cross-origin-resource-policy"), "same-origin");
            let platform = format!("frame-ancestors {}", browser.platform());
            assert_eq!(header("content-security-policy"), platform, "{method} {path}");
            assert_eq!(reply.body.is_empty(), method == Method::HEAD);
        }
    }
    assert_eq!(browser.get("/paged/guide/index.html").await.text(), "guide");
    for path in ["/paged/experiments/7", "/paged/guide", "/paged/none-DiwrgTda.js", &format!("/paged/{}", "x".repeat(300))] {
        assert!(browser.get(path).await.text().contains("<title>page"), "{path}");
    }
}

#[tokio::test]
async fn a_browser_gets_what_it_asked_for_and_lacks() {
    let (_server, browser) = serving().await;
    let ask = async |lines: &[(&str, &str)]| {
        let request = lines
            .iter()
            .fold(browser.request(Method::GET, "/paged/plain.js"), |request, (name, value)| request.header(*name, *value));
        browser.send(request).await
    };
    let part = ask(&[("range", "bytes=2-4")]).await;
    assert_eq!((part.status, part.text().as_str()), (StatusCode::PARTIAL_CONTENT, "234"));
    assert_eq!(part.header("content-range"), "bytes 2-4/10");
    assert_eq!(ask(&[("range", "bytes=20-")]).await.status, StatusCode::RANGE_NOT_SATISFIABLE);
    assert_eq!(ask(&[("range", "bytes=2-4"), ("if-range", "W/\"x\"")]).await.text(), "0123456789");
    let packed = ask(&[("accept-encoding", "gzip")]).await;
    assert_eq!((packed.header("content-encoding"), packed.header("vary")), ("gzip", "accept-encoding"));
    assert_eq!(&packed.body[..], b"\x1f\x8bpacked");
    let whole = ask(&[]).await;
    assert!(!whole.headers.contains_key("content-encoding") && !whole.headers.contains_key("last-modified"), "{whole:?}");
    let tag = whole.header("etag");
    let known = ask(&[("if-none-match", tag)]).await;
    assert_eq!((known.status, known.body.len(), known.header("etag")), (StatusCode::NOT_MODIFIED, 0, whole.header("etag")));
    // A release to which one goes back is older than what a browser has of the one after it.
    let modified = ask(&[("if-modified-since", "Fri, 01 Jan 2100 00:00:00 GMT")]).await;
    assert_eq!(modified.status, StatusCode::OK);
}

#[tokio::test]
async fn another_release_is_seen_at_once_and_so_is_the_one_before_it() {
    let (server, browser) = serving().await;
    let revision = async || browser.get("/paged/plain.js").await.headers["etag"].clone();
    let first = revision().await;
    let changed: Vec<(&str, &[u8])> = [("plain.js", b"changed".as_slice())]
        .into_iter()
        .chain(FILES.iter().filter(|(name, _)| *name != "plain.js").copied())
        .collect();
    let second = with_frontend(&Program::MORTAL, "paged", "2.0.0", &changed);
    assert_eq!(server.admin.upgrade("paged", &second, &json!({})).await["status"], "done");
    mint_tests::eventually("the new file", || async { (browser.get("/paged/plain.js").await.text() == "changed").then_some(()) })
        .await;
    assert_ne!(revision().await, first);
    assert_eq!(server.admin.roll_back("paged", &json!({})).await["status"], "done");
    mint_tests::eventually("the old file", || async { (revision().await == first).then_some(()) }).await;
    assert_eq!(browser.get("/paged/plain.js").await.text(), "0123456789");
}

#[tokio::test]
async fn no_path_leads_out_of_the_front_end() {
    let (_server, browser) = serving().await;
    for path in ["/paged/..%2f..%2frevision", "/paged//etc/passwd", "/paged/%5c..%5c", "/paged/a%00", "/paged/..;/revision"] {
        let reply = browser.get(path).await;
        assert_eq!((reply.status, reply.code().as_str()), (StatusCode::BAD_REQUEST, "VALIDATION_ERROR"), "{path}: {reply:?}");
    }
    // Sent as they are: clients take dots away.
    for path in ["/paged/../revision", "/paged/../../../mint.sqlite", "/paged/%2e%2e/revision", "/paged/./../revision"] {
        let answer = browser.raw(path).await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{path}: {answer}");
    }
    for path in ["/paged/revision", "/paged/files/plain.js", "/paged/%2Fetc/passwd"] {
        assert!(!browser.get(path).await.text().contains("sha256"), "{path}");
    }
    for path in ["/", "/pagedx/", "/other/", "/assets/index-DiwrgTda.js"] {
        assert_ne!(browser.get(path).await.status, StatusCode::OK, "{path}");
    }
    let post = browser.send(browser.request(Method::POST, "/paged/")).await;
    assert_eq!(post.code(), "request.method_not_allowed", "{post:?}");
}

/// A bundle that is refused, and the words.
async fn refused(server: &TestServer, guest: &Guest) -> String {
    let operation = server.admin.install(guest, json!({ "grant_requested": true })).await;
    assert_eq!(operation["status"], "undone", "{operation:#}");
    assert_eq!(server.admin.get("/api/plugins").await.json()["installed"], json!([]));
    operation["outcome"].to_string()
}

#[tokio::test]
async fn what_is_too_much_is_refused_when_it_is_installed() {
    let server = TestServer::start().await;
    let names: Vec<String> = (0..10_000).map(|number| format!("f/{number}")).collect();
    let many: Vec<(&str, &[u8])> = std::iter::once(("f/index.html", b"x".as_slice()))
        .chain(names.iter().map(|name| (name.as_str(), b"".as_slice())))
        .collect();
    let described = |slug: &str| json!({ "plugin": { "slug": slug, "version": "1" }, "process": { "executable": "f/index.html" }, "frontend": "f" });
    let words = refused(&server, &manifest(described("many"), &many)).await;
    assert!(words.contains("the front-end is larger than 10000 files"), "{words}");
    let nothing_left = std::fs::read_dir(server.data.join("releases")).unwrap().all(|entry| {
        let name = entry.unwrap().file_name().into_string().unwrap();
        !name.ends_with(".frontend") && !name.starts_with('.')
    });
    assert!(nothing_left);
}

#[tokio::test]
async fn a_front_end_without_a_page_is_none() {
    let server = TestServer::start().await;
    let directory = tempfile::tempdir().unwrap();
    let hello = repackaged(&bundle("hello"), |_| {});
    let mut archive = zip::ZipArchive::new(std::fs::File::open(&hello.path).unwrap()).unwrap();
    let mut described: serde_json::Value = serde_json::from_reader(archive.by_name("manifest.json").unwrap()).unwrap();
    described["frontend"] = json!("../..");
    let path = directory.path().join("x.mint");
    std::fs::write(&path, crate::subprocess::archive([("manifest.json", described.to_string().as_bytes())])).unwrap();
    let reply = server.admin.upload(&Guest::at(path), &json!({})).await;
    assert_eq!((reply.status, reply.code().as_str()), (StatusCode::BAD_REQUEST, "VALIDATION_ERROR"));
    assert!(reply.text().contains("has no `index.html`"), "{reply:?}");
}

#[tokio::test]
async fn the_page_is_there_while_the_plugin_is_not() {
    let (server, browser) = serving().await;
    drop(browser);
    let broken = Program::of("raise SystemExit('it cannot')");
    let failing = with_frontend(&broken, "failing", "1.0.0", FILES);
    let operation = server.admin.install(&failing, json!({})).await;
    assert_eq!(operation["status"], "failed", "{operation:#}");
    let (browser, _) = Browser::enter(&server.admin, "/failing/").await;
    assert!(browser.get("/failing/").await.text().contains("<title>page"));
    let api = browser.get("/api/failing/pid").await;
    assert_eq!((api.status, api.code().as_str()), (StatusCode::SERVICE_UNAVAILABLE, "plugin.not_ready"), "{api:?}");
    assert_eq!(server.admin.uninstall("failing", "purge").await["status"], "done");
    mint_tests::eventually("the end of it", || async {
        (browser.get("/failing/").await.status == StatusCode::UNAUTHORIZED).then_some(())
    })
    .await;
}
