//! A plugin's origin: what is there, and that nothing else is.

use http::{Method, StatusCode};
use mint_tests::{Browser, HANDSHAKE, TestServer, bundle, eventually, read_head, repackaged};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::{FILES, with_frontend};
use crate::subprocess::Program;

async fn with_hello() -> (TestServer, Browser) {
    let server = TestServer::start().await;
    server.admin.installed(&bundle("hello"), json!({})).await;
    let (browser, _) = Browser::enter(&server.admin, "/hello/").await;
    (server, browser)
}

#[tokio::test]
async fn nothing_of_the_platform_answers_there() {
    let (server, browser) = with_hello().await;
    let document = server.admin.get("/api/openapi.json").await.json();
    let paths: Vec<String> =
        document["paths"].as_object().unwrap().keys().map(|path| path.replace(['{', '}', '*'], "")).collect();
    let further = ["/api/docs", "/api/openapi.json", "/api/internal/plugins/hello", "/api", "/api/", "/api/other", "/api/hellox"];
    for path in paths.iter().map(String::as_str).chain(further) {
        for method in [Method::GET, Method::POST, Method::PUT, Method::DELETE] {
            let request = browser.request(method.clone(), path).bearer_auth(server.admin.token()).json(&json!({}));
            let reply = browser.send(request).await;
            assert_eq!(
                (reply.status, reply.code().as_str()),
                (StatusCode::NOT_FOUND, "resource.not_found"),
                "{method} {path}: {reply:?}"
            );
        }
    }
}

#[tokio::test]
async fn only_its_own_cookie_opens_it_and_that_opens_nothing_else() {
    let (server, browser) = with_hello().await;
    let second = repackaged(&bundle("hello"), |manifest| manifest["plugin"]["slug"] = json!("second"));
    server.admin.installed(&second, json!({})).await;
    let token = browser.cookie.clone().unwrap().split_once('=').unwrap().1.to_owned();
    let session = server.admin.token();
    let refused = async |host: &str, line: &str, value: &str, path: &str| {
        let browser = Browser::at(&server.url, host);
        let reply = browser.send(browser.request(Method::GET, path).header(line, value)).await;
        assert_eq!(reply.status, StatusCode::UNAUTHORIZED, "{host} {line}: {value}, {path}: {reply:?}");
    };
    let own = browser.host.as_str();
    let platform = server.url.strip_prefix("http://").unwrap();
    for path in ["/hello/", "/api/hello/", "/_mint/me", "/api/users/me"] {
        refused(own, "cookie", &format!("mint_access_token={session}"), path).await;
        refused(own, "authorization", &format!("Bearer {session}"), path).await;
        refused(own, "authorization", &format!("Bearer {token}"), path).await;
        refused(own, "cookie", &format!("mint_page={session}"), path).await;
        refused(own, "cookie", &format!("__Host-mint_page={token}"), path).await;
    }
    for path in ["/api/users/me", "/api/hello/", "/hello/"] {
        refused(platform, "cookie", &format!("mint_page={token}"), path).await;
        refused(platform, "cookie", &format!("mint_access_token={token}"), path).await;
        refused(platform, "authorization", &format!("Bearer {token}"), path).await;
    }
    for host in [own.replace("hello", "second"), own.replace("default", "other")] {
        refused(&host, "cookie", &format!("mint_page={token}"), "/second/").await;
        refused(&host, "cookie", &format!("mint_page={token}"), "/api/hello/").await;
    }
}

#[tokio::test]
async fn a_host_that_only_looks_like_an_origin_is_nobodys() {
    let (server, browser) = with_hello().await;
    for host in ["hello--default--x.localhost", "x.hello--default.localhost", "hello--default.localhost.", "--.localhost"] {
        let elsewhere = Browser { cookie: browser.cookie.clone(), ..Browser::at(&server.url, host) };
        let reply = elsewhere.get("/api/health").await;
        assert_eq!((reply.status, reply.code().as_str()), (StatusCode::NOT_FOUND, "resource.not_found"), "{host}: {reply:?}");
    }
    // The target of a request counts as much as its line.
    let absolute = browser.raw(&format!("http://{}/api/health", server.url.strip_prefix("http://").unwrap())).await;
    assert!(absolute.starts_with("HTTP/1.1 400 "), "{absolute}");
    let absolute = browser.raw(&format!("http://{}/api/health", browser.host)).await;
    assert!(absolute.starts_with("HTTP/1.1 404 "), "{absolute}");
}

#[tokio::test]
async fn another_plugin_below_its_prefix_is_not_its_own() {
    let (server, browser) = with_hello().await;
    let inner = repackaged(&bundle("hello"), |manifest| {
        manifest["plugin"]["slug"] = json!("inner");
        manifest["plugin"]["routes_prefix"] = json!("/hello/inner");
    });
    server.admin.installed(&inner, json!({})).await;
    assert_eq!(server.admin.get("/api/hello/inner/").await.status, StatusCode::OK);
    let reply = browser.get("/api/hello/inner/").await;
    assert_eq!((reply.status, reply.code().as_str()), (StatusCode::NOT_FOUND, "resource.not_found"), "{reply:?}");
    let (inner, path) = Browser::enter(&server.admin, "/hello/inner/x").await;
    assert!(inner.host.starts_with("inner--default.") && path == "/hello/inner/x", "{inner:?}");
    assert_eq!(inner.get("/api/hello/inner/").await.status, StatusCode::OK);
    assert_eq!(inner.get("/api/hello/").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn the_end_of_the_session_is_the_end_of_the_page() {
    let (server, _) = with_hello().await;
    let member = server.client("member").await;
    let (browser, _) = Browser::enter(&member, "/hello/").await;
    assert_eq!(browser.get("/hello/").await.status, StatusCode::OK);
    assert_eq!(member.post("/api/auth/logout", &Value::Null).await.status, StatusCode::NO_CONTENT);
    for path in ["/hello/", "/api/hello/", "/_mint/me"] {
        let reply = browser.get(path).await;
        assert_eq!((reply.status, reply.code().as_str()), (StatusCode::UNAUTHORIZED, "auth.required"), "{path}: {reply:?}");
    }
}

#[tokio::test]
async fn another_sites_page_changes_nothing_and_reads_nothing() {
    let (server, browser) = with_hello().await;
    let echo = async |lines: &[(&str, &str)]| {
        let request = lines.iter().fold(browser.request(Method::POST, "/api/hello/echo").body("x"), |request, (name, value)| {
            request.header(*name, *value)
        });
        browser.send(request).await
    };
    let own = format!("http://{}", browser.host);
    assert_eq!(echo(&[("sec-fetch-site", "same-origin"), ("origin", &own)]).await.text(), "x");
    for lines in [[("sec-fetch-site", "same-site")], [("sec-fetch-site", "cross-site")], [("origin", server.url.as_str())]] {
        let reply = echo(&lines).await;
        assert_eq!((reply.status, reply.code().as_str()), (StatusCode::FORBIDDEN, "auth.cross_site"), "{lines:?}: {reply:?}");
    }
    let reply = browser.get("/api/hello/").await;
    assert_eq!(reply.header("cross-origin-resource-policy"), "same-origin");
    assert_eq!(reply.header("content-security-policy"), format!("frame-ancestors {}", server.url));
    // At the platform's own origin nothing has changed.
    assert!(server.admin.get("/api/hello/").await.header("content-security-policy").starts_with("sandbox "));
}

#[tokio::test]
async fn a_process_is_told_who_asks_and_never_by_what() {
    let server = TestServer::start().await;
    server.admin.installed(&with_frontend(&Program::TUNNELS, "tunnels", "1.0.0", FILES), json!({})).await;
    let (browser, _) = Browser::enter(&server.client("viewer").await, "/tunnels/").await;
    let cookies = format!("{}; mint_access_token=secret; own=1", browser.cookie.clone().unwrap());
    let open = async |path: &str, origin: &str| {
        let mut stream = server.admin.connect().await;
        let lines: String = HANDSHAKE.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let more =
            format!("origin: {origin}\r\nauthorization: Bearer secret\r\nx-mint-user-id: 1\r\ncookie: {cookies}\r\n{lines}");
        stream.write_all(format!("GET {path} HTTP/1.1\r\nhost: {}\r\n{more}\r\n", browser.host).as_bytes()).await.unwrap();
        let head = read_head(&mut stream).await;
        (head, stream)
    };
    let (head, mut stream) = open("/api/tunnels/seen", &format!("http://{}", browser.host)).await;
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    stream.write_all(b"end").await.unwrap();
    let mut told = String::new();
    stream.read_to_string(&mut told).await.unwrap();
    let seen: Value = serde_json::from_str(&told).unwrap();
    assert_eq!(seen["headers"]["x-mint-username"], "viewer", "{told}");
    assert_ne!(seen["headers"]["x-mint-user-id"], "1", "{told}");
    for secret in ["cookie", "authorization"] {
        assert_eq!(seen["headers"][secret], Value::Null, "{told}");
    }
    let (head, _) = open("/api/tunnels/seen", &server.url).await;
    assert!(head.starts_with("HTTP/1.1 403 "), "{head}");
}

#[tokio::test]
async fn a_plugin_cannot_set_the_cookie_or_open_itself_to_other_sites() {
    let server = TestServer::start().await;
    let program = Program::of(
        "@route(\"/set\")\ndef set(handler):\n    handler.send_raw(b\"HTTP/1.1 200 OK\\r\\ncontent-length: 0\\r\\nset-cookie: mint_page=evil\\r\\n\
         set-cookie: own=1\\r\\naccess-control-allow-origin: http://x\\r\\naccess-control-allow-credentials: true\\r\\n\\r\\n\")\n\n\nserve()\n",
    );
    server.admin.installed(&with_frontend(&program, "setter", "1.0.0", FILES), json!({})).await;
    let (browser, _) = Browser::enter(&server.admin, "/setter/").await;
    let reply = browser.get("/api/setter/set").await;
    let cookies: Vec<_> = reply.headers.get_all("set-cookie").iter().collect();
    assert!(reply.status == StatusCode::OK && cookies == ["own=1"], "{reply:?}");
    assert!(!reply.headers.contains_key("access-control-allow-credentials"), "{reply:?}");
}

#[tokio::test]
async fn a_session_has_few_browsers_at_one_plugin() {
    let (server, first) = with_hello().await;
    for _ in 0..8 {
        Browser::enter(&server.admin, "/hello/").await;
    }
    eventually("the end of the first", || async {
        (first.get("/hello/").await.status == StatusCode::UNAUTHORIZED).then_some(())
    })
    .await;
}
