//! Signing in under attack.

use http::{Method, StatusCode};
use mint_store::testing::age_credentials;
use mint_tests::{Client, PASSWORD, Reply, TestServer, eventually};
use serde_json::json;
use time::Duration;

use super::{assert_refused, id_of, make};
use crate::subprocess::Program;

/// Tries a password, as if from an address behind a proxy.
async fn attempt(server: &TestServer, from: &str, username: &str, password: &str) -> Reply {
    let nobody = Client::anonymous(&server.url);
    let request = nobody.request(Method::POST, "/api/auth/login").header("x-forwarded-for", from);
    nobody.send(request.json(&json!({ "username": username, "password": password }))).await
}

fn waits(reply: &Reply, seconds_max: u32) {
    let seconds: u32 = reply.header("retry-after").parse().unwrap_or_else(|_| panic!("no time to wait: {reply:?}"));
    assert!((1..=seconds_max).contains(&seconds), "{reply:?}");
}

#[tokio::test]
async fn wrong_passwords_lock_out_who_tries_them_and_nobody_else() {
    let server = TestServer::with(&[("MINT_SERVER__TRUSTED_PROXY_CIDRS", "127.0.0.0/8")]).await;
    for username in ["member", "nobody"] {
        for _ in 0..5 {
            assert_refused(&attempt(&server, "192.0.2.1", username, "wrong password").await, 401, "auth.unauthorized");
        }
        // Known and unknown people are told alike, and the right password is not looked at.
        let locked = attempt(&server, "192.0.2.1", username, PASSWORD).await;
        assert_refused(&locked, 429, "auth.locked");
        waits(&locked, 901);
    }
    // What a client writes before the proxy's own note counts for nothing.
    assert_refused(&attempt(&server, "192.0.2.9, 192.0.2.1", "member", PASSWORD).await, 429, "auth.locked");
    assert_eq!(attempt(&server, "192.0.2.2", "member", PASSWORD).await.status, 200);
    assert_eq!(attempt(&server, "192.0.2.1", "viewer", PASSWORD).await.status, 200);
    let present = json!({ "present": "wrong password", "new": "another password" });
    let member = Client::sign_in(&server.url, "default", "member").await;
    for _ in 0..5 {
        let reply = member.send(member.request(Method::PUT, "/api/users/me/password").json(&present)).await;
        assert_refused(&reply, 403, "auth.wrong_password");
    }
    let reply = member.send(member.request(Method::PUT, "/api/users/me/password").json(&present)).await;
    assert_refused(&reply, 429, "auth.locked");
}

#[tokio::test]
async fn an_address_tries_so_often_and_not_more() {
    let limited = ("MINT_AUTH__ATTEMPTS_PER_MINUTE", "20");
    let server = TestServer::with(&[limited, ("MINT_SERVER__TRUSTED_PROXY_CIDRS", "127.0.0.1")]).await;
    for number in 0..20 {
        let reply = attempt(&server, "192.0.2.1", &format!("user{number}"), "password123").await;
        assert_refused(&reply, 401, "auth.unauthorized");
    }
    let refused = attempt(&server, "192.0.2.1", "member", PASSWORD).await;
    assert_refused(&refused, 429, "rate_limit.exceeded");
    waits(&refused, 61);
    assert_eq!(attempt(&server, "192.0.2.2", "member", PASSWORD).await.status, 200);
    assert_eq!(server.admin.get("/api/auth/verify").await.status, 200, "who is signed in is not disturbed");

    // Nobody chooses an address for themselves where no proxy is trusted. One try is the test's own sign-in.
    let server = TestServer::with(&[limited]).await;
    for number in 1..20 {
        let reply = attempt(&server, &format!("192.0.2.{number}"), &format!("user{number}"), "password123").await;
        assert_refused(&reply, 401, "auth.unauthorized");
    }
    assert_refused(&attempt(&server, "192.0.2.99", "member", PASSWORD).await, 429, "rate_limit.exceeded");
}

/// One password, tried for many people from many addresses, locks nobody out and finds nobody who has another.
#[tokio::test]
async fn a_password_that_is_sprayed_locks_nobody_out() {
    let server = TestServer::with(&[("MINT_SERVER__TRUSTED_PROXY_CIDRS", "127.0.0.1")]).await;
    let people: Vec<String> = (0..5).map(|number| format!("person{number}")).collect();
    for person in &people {
        make(&server.admin, person, "viewer").await;
    }
    for round in 0..6 {
        for (number, person) in people.iter().enumerate() {
            let reply = attempt(&server, &format!("198.51.100.{}", 10 * round + number), person, "Summer2026!").await;
            assert_refused(&reply, 401, "auth.unauthorized");
        }
    }
    for person in &people {
        assert_eq!(attempt(&server, "192.0.2.1", person, PASSWORD).await.status, 200, "{person}");
    }
    // One network of the sixth version is one address: its wrong tries add up.
    for host in 1..=5 {
        assert_refused(
            &attempt(&server, &format!("2001:db8::{host}"), "member", "wrong password").await,
            401,
            "auth.unauthorized",
        );
    }
    assert_refused(&attempt(&server, "2001:db8::6", "member", PASSWORD).await, 429, "auth.locked");
    assert_eq!(attempt(&server, "2001:db8:0:1::1", "member", PASSWORD).await.status, 200);
}

/// A browser that came by https sends its session by nothing else; only a trusted proxy can say that it did.
#[tokio::test]
async fn a_session_that_came_by_https_leaves_by_nothing_else() {
    let server = TestServer::with(&[("MINT_SERVER__TRUSTED_PROXY_CIDRS", "127.0.0.1")]).await;
    let open = TestServer::start().await;
    for (server, scheme, is_secure) in [(&server, "https", true), (&server, "http", false), (&open, "https", false)] {
        let nobody = Client::anonymous(&server.url);
        let request = nobody.request(Method::POST, "/api/auth/login").header("x-forwarded-proto", scheme);
        let reply = nobody.send(request.json(&json!({ "username": "member", "password": PASSWORD }))).await;
        let cookie = reply.header("set-cookie");
        assert!(cookie.contains("; HttpOnly; SameSite=Lax"), "{cookie}");
        assert_eq!(cookie.ends_with("; Secure"), is_secure, "{scheme}: {cookie}");
        let begin = nobody.request(Method::POST, "/api/oauth/device_authorization").header("x-forwarded-proto", scheme);
        let page = nobody.send(begin.form(&[("scope", "")])).await.json()["verification_uri"].clone();
        assert_eq!(page.as_str().unwrap().starts_with("https://"), is_secure, "{page}");
    }
}

/// Who exists cannot be told by how long the answer takes: each costs one computation, and each is told the same.
#[tokio::test]
async fn who_exists_is_told_neither_by_words_nor_by_work() {
    for server in TestServer::on_every_database(&[]).await {
        let new = json!({ "username": "uninvited", "role": "viewer" });
        assert_eq!(server.admin.post("/api/users", &new).await.status, StatusCode::CREATED);
        make(&server.admin, "retired", "viewer").await;
        let path = format!("/api/users/{}", id_of(&server.admin, "retired").await);
        assert_eq!(server.admin.patch(&path, &json!({ "is_active": false })).await.status, StatusCode::OK);
        let nobody = Client::anonymous(&server.url);
        let mut answers = Vec::new();
        for (tenant, username, password) in [
            ("default", "member", "wrong password"),
            ("default", "nobody", PASSWORD),
            ("default", "uninvited", PASSWORD),
            ("default", "retired", PASSWORD),
            ("nowhere", "member", PASSWORD),
            ("default", "", ""),
        ] {
            let before = mint_platform::passwords::computed();
            let login = json!({ "tenant": tenant, "username": username, "password": password });
            let reply = nobody.post("/api/auth/login", &login).await;
            assert_eq!(mint_platform::passwords::computed() - before, 1, "{tenant} {username}");
            assert_refused(&reply, 401, "auth.unauthorized");
            answers.push(reply.json()["message"].clone());
        }
        answers.dedup();
        assert_eq!(answers.len(), 1, "{answers:?}");
    }
}

/// A credential is good for what it was given for, and as long.
#[tokio::test]
async fn a_credential_counts_for_nothing_elsewhere_or_afterwards() {
    for server in TestServer::on_every_database(&[]).await {
        assert_eq!(server.install(&Program::NOSY.bundle("nosy")).await["status"], "done");
        let nobody = Client::anonymous(&server.url);
        let shown = async |token: &str| {
            let verified = nobody.send(nobody.request(Method::GET, "/api/auth/verify").bearer_auth(token)).await;
            let as_cookie =
                nobody.request(Method::GET, "/api/auth/verify").header("cookie", format!("mint_access_token={token}"));
            assert_eq!(nobody.send(as_cookie).await.status, verified.status, "{verified:?}");
            verified.status
        };
        let member = server.client("member").await;
        let made = member.post("/api/tokens", &json!({ "name": "x" })).await.json();
        let (token, session) = (made["token"].as_str().unwrap(), member.token());
        assert_eq!((shown(session).await, shown(token).await), (StatusCode::OK, StatusCode::OK));
        // A plugin's own token, what stands in the database, and a token of one kind under the name of another.
        let environment = server.admin.get("/api/nosy/environment").await.json();
        let of_plugin = environment["environment"]["MINT_PLUGIN_TOKEN"].as_str().unwrap().to_owned();
        let hash = |text: &str| mint_domain::Digest::of(text.as_bytes()).hex();
        let secret = session.strip_prefix("mint_").unwrap();
        for other in [
            of_plugin.clone(),
            format!("mint_{of_plugin}"),
            hash(session),
            hash(token),
            secret.to_owned(),
            format!("mint_pat_{secret}"),
            format!("mint_svc_{secret}"),
            format!("mint_{}", token.strip_prefix("mint_pat_").unwrap()),
            token.to_uppercase(),
            String::new(),
        ] {
            assert_eq!(shown(&other).await, StatusCode::UNAUTHORIZED, "{other}");
        }
        // A person's credential is no plugin's.
        for credential in [session, token] {
            let inside = nobody.request(Method::GET, "/api/internal/platform").header("x-mint-internal-token", credential);
            assert_refused(&nobody.send(inside.header("x-mint-plugin-name", "nosy")).await, 403, "auth.forbidden");
        }
        // What has ended stays ended, however often it is shown.
        let kept = session.to_owned();
        assert_eq!(member.post("/api/auth/logout", &json!(null)).await.status, StatusCode::NO_CONTENT);
        for _ in 0..2 {
            assert_eq!(shown(&kept).await, StatusCode::UNAUTHORIZED);
        }
        let fresh = server.client("member").await;
        let db = &server.server.as_ref().unwrap().platform.services().db;
        age_credentials(db, Duration::days(91)).await;
        for credential in [fresh.token(), token] {
            eventually("the end of a credential", || async {
                (shown(credential).await == StatusCode::UNAUTHORIZED).then_some(())
            })
            .await;
        }
    }
}
