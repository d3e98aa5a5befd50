//! The way from the platform to a plugin's origin.

use http::{Method, StatusCode};
use mint_store::testing::age_frontend_codes;
use mint_tests::{Browser, Client, TestServer, bundle, repackaged};
use serde_json::json;
use time::Duration;

async fn with_hello() -> TestServer {
    let server = TestServer::start().await;
    server.admin.installed(&bundle("hello"), json!({})).await;
    server
}

#[tokio::test]
async fn a_signed_in_person_gets_to_the_page_and_its_own_routes() {
    for server in TestServer::on_every_database(&[]).await {
        server.admin.installed(&bundle("hello"), json!({})).await;
        assert_eq!(server.admin.plugin("hello").await["frontend"], "/hello/");
        let (browser, path) = Browser::enter(&server.client("member").await, "/hello/deep?x=1&y=%2F").await;
        assert_eq!(path, "/hello/deep?x=1&y=%2F");
        assert!(browser.host.starts_with("hello--default.localhost:"), "{browser:?}");
        let page = browser.get(&path).await;
        assert!(page.status == StatusCode::OK && page.text().contains("hello.js"), "{page:?}");
        assert_eq!(browser.get("/api/hello/").await.json()["message"], "Hello, member!");
        let me = browser.get("/_mint/me").await.json();
        assert_eq!((&me["username"], &me["role"]), (&json!("member"), &json!("member")));
        assert_eq!(browser.get("/").await.header("location"), "/hello/");
        assert_eq!(browser.get("/hello?x=1").await.header("location"), "/hello/?x=1");
    }
}

#[tokio::test]
async fn the_cookie_is_this_origins_own_and_nobody_can_read_it() {
    let server = with_hello().await;
    let (host, way) = Browser::way_in(&server.admin, "/hello/").await;
    let reply = Browser::at(&server.url, &host).get(&way).await;
    let cookie = reply.header("set-cookie");
    assert!(cookie.starts_with("mint_page=") && cookie.ends_with("; Path=/; HttpOnly; SameSite=Lax"), "{cookie}");
    assert_eq!((reply.header("cache-control"), reply.header("referrer-policy")), ("no-store", "same-origin"));
    let token = cookie.split(['=', ';']).nth(1).unwrap();
    for path in std::fs::read_dir(&server.data).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_file()) {
        let bytes = std::fs::read(&path).unwrap();
        assert!(!bytes.windows(token.len()).any(|window| window == token.as_bytes()), "the token stands in {}", path.display());
    }
}

#[tokio::test]
async fn nobody_gets_in_who_is_not_signed_in_or_asks_for_what_is_not_there() {
    let server = with_hello().await;
    let nobody = Client::anonymous(&server.url);
    assert_eq!(nobody.get("/hello/").await.code(), "auth.required");
    let other = server.other_tenant("other").await;
    for (client, path) in [(&other, "/hello/"), (&server.admin, "/nothing/"), (&server.admin, "/hello/../x%2f")] {
        let reply = client.get(path).await;
        assert_eq!((reply.status, reply.code().as_str()), (StatusCode::NOT_FOUND, "resource.not_found"), "{path}: {reply:?}");
    }
    let post = server.admin.post("/hello/", &json!({})).await;
    assert_eq!(post.status, StatusCode::NOT_FOUND, "{post:?}");
    let without = repackaged(&bundle("hello"), |manifest| {
        manifest["plugin"]["slug"] = json!("bare");
        manifest.as_object_mut().unwrap().remove("frontend");
    });
    server.admin.installed(&without, json!({})).await;
    let reply = server.admin.get("/bare/").await;
    assert!(reply.status == StatusCode::NOT_FOUND && reply.text().contains("has no front-end"), "{reply:?}");
    assert_eq!(server.admin.plugin("bare").await["frontend"], json!(null));
}

#[tokio::test]
async fn a_code_is_good_once() {
    let server = with_hello().await;
    let (host, way) = Browser::way_in(&server.admin, "/hello/").await;
    let browser = Browser::at(&server.url, &host);
    let head = browser.send(browser.request(Method::HEAD, &way)).await;
    assert_eq!(head.status, StatusCode::NOT_FOUND, "asking about it does not use it up");
    assert_eq!(browser.get(&way).await.status, StatusCode::SEE_OTHER);
    for way in [way.as_str(), "/_mint/enter?code=", "/_mint/enter?code=0000&to=/hello/"] {
        let again = browser.get(way).await;
        assert_eq!((again.status, again.code().as_str()), (StatusCode::UNAUTHORIZED, "frontend.code"), "{way}: {again:?}");
        assert!(!again.headers.contains_key("set-cookie"));
    }
    assert_eq!(browser.get("/_mint/enter").await.status, StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn a_code_leads_to_one_plugin_of_one_laboratory() {
    let server = with_hello().await;
    let second = repackaged(&bundle("hello"), |manifest| manifest["plugin"]["slug"] = json!("second"));
    server.admin.installed(&second, json!({})).await;
    let other = server.other_tenant("other").await;
    other.installed(&bundle("hello"), json!({})).await;
    let (host, _) = Browser::way_in(&server.admin, "/hello/").await;
    for elsewhere in
        [host.replace("hello--", "second--"), host.replace("--default", "--other"), host.replace("hello--", "none--")]
    {
        let (_, way) = Browser::way_in(&server.admin, "/hello/").await;
        let refused = Browser::at(&server.url, &elsewhere).get(&way).await;
        assert_eq!((refused.status, refused.code().as_str()), (StatusCode::UNAUTHORIZED, "frontend.code"), "{elsewhere}");
        // Whoever shows it in the wrong place has used it up.
        assert_eq!(Browser::at(&server.url, &host).get(&way).await.status, StatusCode::UNAUTHORIZED);
    }
}

#[tokio::test]
async fn a_code_stands_for_the_person_who_asked_for_it() {
    let server = with_hello().await;
    let viewer = server.client("viewer").await;
    let (host, way) = Browser::way_in(&viewer, "/hello/").await;
    let mut browser = Browser::at(&server.url, &host);
    let admin = format!("mint_access_token={}", server.admin.token());
    let request = browser.request(Method::GET, &way).bearer_auth(server.admin.token()).header("cookie", admin);
    let reply = browser.send(request).await;
    browser.keep(&reply);
    assert_eq!(browser.get("/_mint/me").await.json()["username"], "viewer");

    let (_, way) = Browser::way_in(&viewer, "/hello/").await;
    assert_eq!(viewer.post("/api/auth/logout", &json!({})).await.status, StatusCode::NO_CONTENT);
    let refused = Browser::at(&server.url, &host).get(&way).await;
    assert_eq!(refused.code(), "frontend.code", "its session has ended: {refused:?}");
}

#[tokio::test]
async fn a_code_is_good_for_half_a_minute() {
    for server in TestServer::on_every_database(&[]).await {
        server.admin.installed(&bundle("hello"), json!({})).await;
        for (seconds, expected) in [(15, StatusCode::SEE_OTHER), (30, StatusCode::UNAUTHORIZED)] {
            let (host, way) = Browser::way_in(&server.admin, "/hello/").await;
            let platform = &server.server.as_ref().unwrap().platform;
            age_frontend_codes(&platform.services().db, Duration::seconds(seconds)).await;
            assert_eq!(Browser::at(&server.url, &host).get(&way).await.status, expected, "after {seconds} s");
        }
    }
}

#[tokio::test]
async fn nobody_is_sent_elsewhere_on_the_way() {
    let server = with_hello().await;
    for to in ["//evil.example/", "https://evil.example/", "/api/hello/", "/other", "/hello/../api"] {
        let (host, way) = Browser::way_in(&server.admin, "/hello/").await;
        let code = way.split('&').next().unwrap();
        let browser = Browser::at(&server.url, &host);
        let reply = browser.send(browser.request(Method::GET, code).query(&[("to", to)])).await;
        assert_eq!((reply.status, reply.header("location")), (StatusCode::SEE_OTHER, "/hello/"), "{to}");
    }
}

#[tokio::test]
async fn without_an_origin_the_platform_says_what_to_set() {
    let server = TestServer::with(&[("MINT_SERVER__LISTEN", "0.0.0.0:0")]).await;
    let url = server.url.replace("0.0.0.0", "127.0.0.1");
    let admin = server.admin.at(&url);
    admin.installed(&bundle("hello"), json!({})).await;
    let reply = admin.get("/hello/").await;
    assert_eq!((reply.status, reply.code().as_str()), (StatusCode::SERVICE_UNAVAILABLE, "frontend.no_origin"), "{reply:?}");
    assert!(reply.text().contains("server.pluginDomain"), "{reply:?}");
}

#[tokio::test]
async fn with_a_domain_of_its_own_everything_is_secure() {
    let server = TestServer::with(&[("MINT_SERVER__PLUGIN_DOMAIN", "plugins.example.org")]).await;
    server.admin.installed(&bundle("hello"), json!({})).await;
    let request = server.admin.request(Method::GET, "/hello/").header("host", "mint.example.org");
    let reply = server.admin.send(request).await;
    let address = reply.header("location");
    let way = address.strip_prefix("https://hello--default.plugins.example.org").unwrap_or_else(|| panic!("{address}"));
    let mut browser = Browser::at(&server.url, "hello--default.plugins.example.org");
    let entered = browser.get(way).await;
    let cookie = entered.header("set-cookie");
    assert!(cookie.starts_with("__Host-mint_page=") && cookie.ends_with("; HttpOnly; SameSite=Lax; Secure"), "{cookie}");
    browser.keep(&entered);
    let page = browser.get("/hello/").await;
    assert_eq!(page.header("content-security-policy"), "frame-ancestors https://mint.example.org");
    browser.cookie = browser.cookie.map(|cookie| cookie.replace("__Host-", ""));
    assert_eq!(browser.get("/hello/").await.status, StatusCode::UNAUTHORIZED);
}
