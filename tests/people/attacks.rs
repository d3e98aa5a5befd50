//! Signing in under attack.

use http::Method;
use mint_tests::{Client, PASSWORD, Reply, TestServer};
use serde_json::json;

use super::assert_refused;

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
