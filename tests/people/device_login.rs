//! Letting in a program that has no browser of its own.

use http::{Method, StatusCode};
use mint_store::testing::age_credentials;
use mint_tests::{Client, Reply, TestServer, eventually};
use serde_json::{Value, json};
use time::Duration;

use super::{assert_refused, id_of};

const GRANT_TYPE: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// A program that waits.
pub(super) struct Device {
    nobody: Client,
    begun: Value,
}

impl Device {
    pub(super) async fn begin(server: &TestServer, fields: &[(&str, &str)]) -> Self {
        let nobody = Client::anonymous(&server.url);
        let request = nobody.request(Method::POST, "/api/oauth/device_authorization").header("user-agent", "freezer/1.0");
        let reply = nobody.send(request.form(fields)).await;
        assert_eq!((reply.status, reply.header("cache-control")), (StatusCode::OK, "no-store"), "{reply:?}");
        Self { nobody, begun: reply.json() }
    }

    /// Where people decide on it.
    pub(super) fn path(&self) -> String {
        format!("/api/oauth/device/{}", self.begun["user_code"].as_str().unwrap())
    }

    pub(super) async fn poll(&self) -> Reply {
        let code = self.begun["device_code"].as_str().unwrap();
        ask(&self.nobody, &[("grant_type", GRANT_TYPE), ("device_code", code)]).await
    }

    /// Asks, and is told why it is not let in.
    async fn refused(&self) -> String {
        let reply = self.poll().await;
        assert_eq!((reply.status, reply.header("cache-control")), (StatusCode::BAD_REQUEST, "no-store"), "{reply:?}");
        reply.json()["error"].as_str().unwrap().to_owned()
    }

    /// Takes its session, which it is given once.
    async fn granted(&self) -> (String, Value) {
        let reply = self.poll().await;
        assert_eq!((reply.status, reply.header("cache-control")), (StatusCode::OK, "no-store"), "{reply:?}");
        assert_eq!(self.refused().await, "expired_token");
        (reply.json()["access_token"].as_str().unwrap().to_owned(), reply.json())
    }
}

async fn ask(client: &Client, fields: &[(&str, &str)]) -> Reply {
    client.send(client.request(Method::POST, "/api/oauth/token").form(fields)).await
}

async fn by(server: &TestServer, token: &str, method: Method, path: &str) -> Reply {
    let nobody = Client::anonymous(&server.url);
    nobody.send(nobody.request(method, path).bearer_auth(token).json(&json!({ "name": "x" }))).await
}

#[tokio::test]
async fn a_person_lets_a_program_in_and_ends_it() {
    for server in TestServer::on_every_database(&[]).await {
        let device = Device::begin(&server, &[("client_id", "freezer")]).await;
        let begun = &device.begun;
        assert_eq!(begun["verification_uri"], format!("{}/auth/device", server.url));
        let code = begun["user_code"].as_str().unwrap();
        assert_eq!(begun["verification_uri_complete"], format!("{}/auth/device?user_code={code}", server.url));
        assert_eq!((&begun["interval"], &begun["expires_in"], code.len()), (&json!(5), &json!(600), 9));
        assert_eq!(device.refused().await, "authorization_pending");
        assert_eq!(device.refused().await, "slow_down");

        // It is another laboratory's affair, a token's, or another site's page's, as little as a stranger's.
        let (member, allow) = (server.client("member").await, json!({ "allow": true }));
        let other = server.other_tenant("other").await;
        assert_refused(&other.get(&device.path()).await, 404, "NOT_FOUND");
        assert_refused(&other.post(&device.path(), &allow).await, 404, "NOT_FOUND");
        let token = member.post("/api/tokens", &json!({ "name": "x" })).await.json()["token"].as_str().unwrap().to_owned();
        assert_refused(&by(&server, &token, Method::GET, &device.path()).await, 403, "auth.session_required");
        let nobody = Client::anonymous(&server.url);
        let by_cookie = nobody.request(Method::POST, &device.path()).json(&allow);
        let by_cookie = by_cookie.header("cookie", format!("mint_access_token={}", member.token()));
        for site in ["cross-site", "same-site"] {
            let reply = nobody.send(by_cookie.try_clone().unwrap().header("sec-fetch-site", site)).await;
            assert_refused(&reply, 403, "auth.cross_site");
        }

        let shown = member.get(&device.path().to_lowercase().replace("%2d", "").replace('-', "%20")).await.json();
        assert_eq!(
            (&shown["user_agent"], &shown["address"], &shown["read_only"]),
            (&json!("freezer/1.0"), &json!("127.0.0.1"), &json!(false))
        );
        let allowed = nobody.send(by_cookie.header("sec-fetch-site", "same-origin")).await;
        assert_eq!(allowed.status, StatusCode::NO_CONTENT, "{allowed:?}");
        assert_refused(&member.post(&device.path(), &json!({ "allow": false })).await, 404, "NOT_FOUND");
        let (token, granted) = device.granted().await;
        assert_eq!(
            (&granted["token_type"], &granted["scope"], &granted["username"]),
            (&json!("Bearer"), &json!(""), &json!("member"))
        );
        let me = by(&server, &token, Method::GET, "/api/users/me").await.json();
        assert_eq!((&me["username"], &me["role"]), (&json!("member"), &json!("member")));

        let listed = member.get("/api/sessions").await.json();
        let session = listed.as_array().unwrap().iter().find(|session| session["is_current"] == false).unwrap();
        let ended = member.delete(&format!("/api/sessions/{}", session["id"].as_str().unwrap())).await;
        assert_eq!(ended.status, StatusCode::NO_CONTENT, "{ended:?}");
        assert_refused(&by(&server, &token, Method::GET, "/api/users/me").await, 401, "auth.unauthorized");
        let audit = server.admin.get("/api/admin/audit?action=device.allow").await;
        assert_eq!(
            (&audit.json()[0]["actor"], &audit.json()[0]["details"]["user_agent"]),
            (&json!("user:member"), &json!("freezer/1.0"))
        );
        assert!(!audit.text().contains(&token) && !audit.text().contains(code), "{audit:?}");
    }
}

#[tokio::test]
async fn a_program_is_not_let_in() {
    for server in TestServer::on_every_database(&[]).await {
        let member = server.client("member").await;
        let (allow, deny) = (json!({ "allow": true }), json!({ "allow": false }));
        let device = Device::begin(&server, &[]).await;
        assert_eq!(member.post(&device.path(), &deny).await.status, StatusCode::NO_CONTENT);
        assert_eq!(device.refused().await, "access_denied");
        assert_eq!(device.refused().await, "expired_token");
        // Which laboratories there are is not told.
        let device = Device::begin(&server, &[("tenant", "nowhere")]).await;
        assert_refused(&member.post(&device.path(), &allow).await, 404, "NOT_FOUND");
        assert_eq!(device.refused().await, "authorization_pending");
        // Who may not sign in any more lets nobody in.
        let device = Device::begin(&server, &[]).await;
        assert_eq!(member.post(&device.path(), &allow).await.status, StatusCode::NO_CONTENT);
        let path = format!("/api/users/{}", id_of(&server.admin, "member").await);
        assert_eq!(server.admin.patch(&path, &json!({ "is_active": false })).await.status, StatusCode::OK);
        assert_eq!(device.refused().await, "access_denied");
        // Codes end.
        let (early, late) = (Device::begin(&server, &[]).await, Device::begin(&server, &[]).await);
        assert_eq!(server.admin.post(&early.path(), &allow).await.status, StatusCode::NO_CONTENT);
        let db = &server.server.as_ref().unwrap().platform.services().db;
        age_credentials(db, Duration::minutes(11)).await;
        assert_refused(&server.admin.post(&late.path(), &allow).await, 404, "NOT_FOUND");
        assert_eq!((early.refused().await, late.refused().await), ("expired_token".to_owned(), "expired_token".to_owned()));
        // What nobody was given counts as little as what is not asked properly.
        let nobody = Client::anonymous(&server.url);
        for (fields, error) in [
            (&[("grant_type", GRANT_TYPE), ("device_code", "0")][..], "expired_token"),
            (&[("grant_type", GRANT_TYPE)], "invalid_request"),
            (&[("grant_type", "password"), ("username", "admin")], "unsupported_grant_type"),
        ] {
            assert_eq!(ask(&nobody, fields).await.json()["error"], error);
        }
        assert_refused(&nobody.post("/api/oauth/token", &json!({})).await, 422, "validation.request");
        let wide = nobody.request(Method::POST, "/api/oauth/device_authorization").form(&[("scope", "admin")]);
        assert_eq!(nobody.send(wide).await.json()["error"], "invalid_scope");
    }
}

#[tokio::test]
async fn a_program_that_only_looks_cannot_do_more() {
    let server = TestServer::start().await;
    let device = Device::begin(&server, &[("scope", "read_only")]).await;
    assert_eq!(server.admin.get(&device.path()).await.json()["read_only"], true);
    assert_eq!(server.admin.post(&device.path(), &json!({ "allow": true })).await.status, StatusCode::NO_CONTENT);
    let (token, granted) = device.granted().await;
    assert_eq!(granted["scope"], "read_only");
    let me = by(&server, &token, Method::GET, "/api/users/me").await.json();
    assert_eq!(me["role"], "viewer", "{me}");
    let further = Device::begin(&server, &[]).await;
    for path in ["/api/tokens", "/api/projects", "/api/users", &further.path()] {
        assert_refused(&by(&server, &token, Method::POST, path).await, 403, "auth.read_only_token");
    }
    let listed = server.admin.get("/api/sessions").await.json();
    assert_eq!(listed.as_array().unwrap().iter().filter(|session| session["read_only"] == true).count(), 1, "{listed}");
    // It can take itself away.
    assert_eq!(by(&server, &token, Method::POST, "/api/auth/logout").await.status, StatusCode::NO_CONTENT);
    assert_refused(&by(&server, &token, Method::GET, "/api/users/me").await, 401, "auth.unauthorized");
}

#[tokio::test]
async fn nobody_finds_a_code_by_trying() {
    let server = TestServer::start().await;
    let (member, device) = (server.client("member").await, Device::begin(&server, &[]).await);
    for _ in 0..5 {
        assert_refused(&member.get("/api/oauth/device/BBBB-BBBB").await, 404, "NOT_FOUND");
    }
    assert_refused(&member.post(&device.path(), &json!({ "allow": true })).await, 429, "auth.locked");
    // Nobody else is locked out by that.
    assert_eq!(server.admin.get(&device.path()).await.status, StatusCode::OK);
    let limited = TestServer::with(&[("MINT_AUTH__ATTEMPTS_PER_MINUTE", "5")]).await;
    let nobody = Client::anonymous(&limited.url);
    let begin = || nobody.request(Method::POST, "/api/oauth/device_authorization").form(&[("scope", "")]);
    let device = Device::begin(&limited, &[]).await;
    let refused = eventually("the bound on codes", || async {
        let reply = nobody.send(begin()).await;
        (reply.status != StatusCode::OK).then_some(reply)
    })
    .await;
    assert_refused(&refused, 429, "rate_limit.exceeded");
    let guessed = ask(&nobody, &[("grant_type", GRANT_TYPE), ("device_code", "0")]).await;
    assert_refused(&guessed, 429, "rate_limit.exceeded");
    // Who waits goes on waiting.
    assert_eq!(device.refused().await, "authorization_pending");
}
