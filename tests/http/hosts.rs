//! Laboratories at hosts of their own: whose credential counts there, and that nothing else is said.

use http::{Method, StatusCode};
use mint_tests::{Client, PASSWORD, Reply, TestServer, bundle};
use serde_json::{Value, json};

const NORTH: &str = "north.mint.example.org";
const SOUTH: &str = "South.mint.example.org:8443";

async fn at(client: &Client, host: &str, method: Method, path: &str, body: &Value) -> Reply {
    let request = client.request(method, path).header("host", host);
    client.send(if body.is_null() { request } else { request.json(body) }).await
}

async fn get(client: &Client, host: &str, path: &str) -> Reply {
    at(client, host, Method::GET, path, &Value::Null).await
}

/// What is the same in two refusals: all but the name of the request.
fn words(reply: &Reply) -> (u16, Value) {
    let mut envelope = reply.json();
    envelope.as_object_mut().unwrap().remove("request_id");
    (reply.status.as_u16(), envelope)
}

#[tokio::test]
async fn a_credential_counts_at_the_host_of_its_laboratory_only() {
    let server = TestServer::with(&[("MINT_SERVER__TENANT_DOMAIN", "mint.example.org:8443")]).await;
    let (north, south) = (server.other_tenant("north").await, server.other_tenant("south").await);
    south.installed(&bundle("hello"), json!({})).await;
    let token = north.post("/api/tokens", &json!({ "name": "t", "days": 1 })).await.json()["token"].as_str().unwrap().to_owned();
    let stranger = Client::anonymous(&server.url);
    let with = |credential: String| {
        let stranger = &stranger;
        async move |host: &str, path: &str| {
            stranger.send(stranger.request(Method::GET, path).header("host", host).header("authorization", credential)).await
        }
    };
    for credential in [north.token().to_owned(), token] {
        let bearer = format!("Bearer {credential}");
        for path in ["/api/users/me", "/api/plugins", "/api/hello", "/api/experiments/1"] {
            let unknown = with("Bearer mint_0".to_owned())(SOUTH, path).await;
            assert_eq!(unknown.status, StatusCode::UNAUTHORIZED, "{unknown:?}");
            // Before and after it was looked up at its own host.
            for _ in 0..2 {
                assert_eq!(words(&with(bearer.clone())(SOUTH, path).await), words(&unknown), "{path}");
                // A laboratory that there is not is no other.
                assert_eq!(words(&with(bearer.clone())("no-such.mint.example.org", path).await), words(&unknown), "{path}");
                with(bearer.clone())(NORTH, path).await;
            }
        }
        assert_eq!(with(bearer.clone())(NORTH, "/api/users/me").await.status, StatusCode::OK);
        assert_eq!(with(bearer.clone())("mint.example.org", "/api/users/me").await.status, StatusCode::OK);
        let cookie = stranger.request(Method::GET, "/api/users/me").header("host", SOUTH);
        let cookie = stranger.send(cookie.header("cookie", format!("mint_access_token={credential}"))).await;
        assert_eq!(cookie.status, StatusCode::UNAUTHORIZED, "{cookie:?}");
    }
    for nobody in ["a.north.mint.example.org", "no_rth.mint.example.org"] {
        assert_eq!(get(&north, nobody, "/api/users/me").await.status, StatusCode::NOT_FOUND, "{nobody}");
    }
    // A laboratory that is suspended says so to its own people, and nothing to others.
    let platform = mint_platform::Accounts::new(server.server.as_ref().unwrap().platform.services().clone());
    platform.appoint(&"default".parse().unwrap(), "admin", true).await.unwrap();
    let admin = server.client("admin").await;
    let suspended = admin
        .send(admin.request(Method::PUT, "/api/platform/tenants/north/suspension").json(&json!({ "reason": "Unpaid." })))
        .await;
    assert_eq!(suspended.status, StatusCode::OK, "{suspended:?}");
    let told = mint_tests::eventually("the suspension", || async {
        let reply = get(&north, NORTH, "/api/users/me").await;
        (reply.status == StatusCode::FORBIDDEN).then_some(reply)
    })
    .await;
    assert_eq!(told.code(), "tenant.suspended");
    assert_eq!(get(&north, SOUTH, "/api/users/me").await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn whoever_signs_in_at_the_host_of_a_laboratory_need_not_name_it() {
    let server = TestServer::with(&[("MINT_SERVER__TENANT_DOMAIN", "mint.example.org")]).await;
    server.other_tenant("north").await;
    let stranger = Client::anonymous(&server.url);
    let sign_in = async |host: &str, tenant: Value, username: &str| {
        let mut body = json!({ "username": username, "password": PASSWORD });
        if !tenant.is_null() {
            body["tenant"] = tenant;
        }
        at(&stranger, host, Method::POST, "/api/auth/login", &body).await
    };
    for named in [Value::Null, json!("north")] {
        let signed = sign_in(NORTH, named, "admin").await;
        assert_eq!(signed.status, StatusCode::OK, "{signed:?}");
        let cookie = signed.header("set-cookie");
        assert!(cookie.starts_with("mint_access_token=") && !cookie.to_lowercase().contains("domain"), "{cookie}");
        let bearer = format!("Bearer {}", signed.json()["access_token"].as_str().unwrap());
        let request = stranger.request(Method::GET, "/api/users/me").header("host", NORTH).header("authorization", bearer);
        assert_eq!(stranger.send(request).await.status, StatusCode::OK);
    }
    // The people of another laboratory are unknown here, as nobody is.
    let unknown = words(&sign_in(NORTH, Value::Null, "nobody").await);
    assert_eq!(unknown.0, 401);
    for (host, tenant, username) in [
        (NORTH, Value::Null, "member"),
        (NORTH, json!("default"), "admin"),
        (NORTH, json!("default"), "nobody"),
        ("no-such.mint.example.org", Value::Null, "admin"),
        ("no-such.mint.example.org", json!("north"), "admin"),
    ] {
        assert_eq!(words(&sign_in(host, tenant.clone(), username).await), unknown, "{host} {tenant} {username}");
    }
    assert_eq!(sign_in("mint.example.org", Value::Null, "member").await.status, StatusCode::OK);
    assert_eq!(sign_in("mint.example.org", json!("north"), "admin").await.status, StatusCode::OK);
}

#[tokio::test]
async fn pages_of_plugins_are_reached_from_the_host_of_a_laboratory() {
    let server = TestServer::with(&[
        ("MINT_SERVER__TENANT_DOMAIN", "mint.example.org"),
        ("MINT_SERVER__PLUGIN_DOMAIN", "plugins.example.net"),
    ])
    .await;
    let north = server.other_tenant("north").await;
    north.installed(&bundle("hello"), json!({})).await;
    let sent = get(&north, NORTH, "/hello/").await;
    assert_eq!(sent.status, StatusCode::SEE_OTHER, "{sent:?}");
    let target = sent.header("location").to_owned();
    let origin = "hello--north.plugins.example.net";
    let path = target.strip_prefix(&format!("https://{origin}")).unwrap_or_else(|| panic!("{target}"));
    let browser = Client::anonymous(&server.url);
    let entered = get(&browser, origin, path).await;
    assert_eq!(entered.status, StatusCode::SEE_OTHER, "{entered:?}");
    let cookie = entered.header("set-cookie").split(';').next().unwrap().to_owned();
    let page = browser.send(browser.request(Method::GET, "/hello/").header("host", origin).header("cookie", cookie)).await;
    assert_eq!(page.status, StatusCode::OK, "{page:?}");
    assert!(page.header("content-security-policy").contains("https://north.mint.example.org"), "{page:?}");
    // At the host of another laboratory there is no way to it.
    assert_eq!(get(&north, "south.mint.example.org", "/hello/").await.status, StatusCode::UNAUTHORIZED);
}
