//! Where somebody is signed in, and ending that.

use http::{Method, StatusCode};
use mint_tests::{Client, PASSWORD, TestServer, eventually};
use serde_json::{Value, json};

use super::{assert_refused, id_of};

async fn sessions(client: &Client, query: &str) -> Vec<Value> {
    let reply = client.get(&format!("/api/sessions{query}")).await;
    assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
    reply.json().as_array().unwrap().clone()
}

#[tokio::test]
async fn sessions_are_listed_and_ended() {
    for server in TestServer::on_every_database(&[]).await {
        let (here, there, third) = (server.client("member").await, server.client("member").await, server.client("member").await);
        let listed = sessions(&here, "").await;
        assert_eq!(listed.len(), 3, "{listed:?}");
        assert_eq!(listed.iter().filter(|session| session["is_current"] == true).count(), 1);
        assert!(listed.iter().all(|session| session["address"] == "127.0.0.1"), "{listed:?}");
        assert!(!format!("{listed:?}").contains(here.token()), "a list shows tokens");
        let current = sessions(&there, "").await.into_iter().find(|session| session["is_current"] == true).unwrap();
        let path = format!("/api/sessions/{}", current["id"].as_str().unwrap());
        // Others end it only if they manage people.
        let viewer = server.client("viewer").await;
        let member = id_of(&server.admin, "member").await;
        assert_refused(&viewer.delete(&path).await, 404, "NOT_FOUND");
        assert_refused(&viewer.delete(&format!("{path}?user={member}")).await, 403, "PERMISSION_DENIED");
        assert_refused(&viewer.get(&format!("/api/sessions?user={member}")).await, 403, "PERMISSION_DENIED");
        assert_eq!(there.get("/api/auth/verify").await.status, StatusCode::OK);
        assert_eq!(here.delete(&path).await.status, StatusCode::NO_CONTENT);
        assert_eq!(there.get("/api/auth/verify").await.status, StatusCode::UNAUTHORIZED);
        assert_refused(&here.delete(&path).await, 404, "NOT_FOUND");
        assert_eq!(here.delete("/api/sessions").await.json()["ended"], 1);
        assert_eq!(third.get("/api/auth/verify").await.status, StatusCode::UNAUTHORIZED);
        assert_eq!(sessions(&server.admin, &format!("?user={member}")).await.len(), 1);
        let ended = server.admin.delete(&format!("/api/sessions?user={member}")).await;
        assert_eq!(ended.json()["ended"], 1, "{ended:?}");
        assert_eq!(here.get("/api/auth/verify").await.status, StatusCode::UNAUTHORIZED);
        let other = server.other_tenant("other").await;
        assert_refused(&other.get(&format!("/api/sessions?user={member}")).await, 404, "NOT_FOUND");
    }
}

#[tokio::test]
async fn a_session_ends_by_itself() {
    let server = TestServer::with(&[("MINT_AUTH__SESSION_SECONDS", "6")]).await;
    // It is used all the time, and ends all the same.
    eventually("the end of a session", || async {
        (server.admin.get("/api/auth/verify").await.status == StatusCode::UNAUTHORIZED).then_some(())
    })
    .await;
    assert_refused(&server.admin.get("/api/projects").await, 401, "auth.unauthorized");
}

#[tokio::test]
async fn a_session_that_nobody_uses_ends() {
    let server = TestServer::with(&[("MINT_AUTH__IDLE_SECONDS", "12")]).await;
    let member = server.client("member").await;
    let query = format!("?user={}", id_of(&server.admin, "member").await);
    // The administrator's is kept alive by asking.
    eventually("the end of an idle session", || async { sessions(&server.admin, &query).await.is_empty().then_some(()) }).await;
    assert_eq!(member.get("/api/auth/verify").await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(server.admin.get("/api/auth/verify").await.status, StatusCode::OK);
}

/// What a browser brings along is not what it gets: nobody can give somebody else a session to sign in to.
#[tokio::test]
async fn signing_in_never_takes_a_session_that_is_brought_along() {
    let server = TestServer::start().await;
    let nobody = Client::anonymous(&server.url);
    let planted = format!("mint_{}", "0".repeat(64));
    let mut tokens = Vec::new();
    for brought in [planted.as_str(), server.admin.token()] {
        let request = nobody.request(Method::POST, "/api/auth/login").header("cookie", format!("mint_access_token={brought}"));
        let reply = nobody.send(request.json(&json!({ "username": "member", "password": PASSWORD }))).await;
        assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
        let token = reply.json()["access_token"].as_str().unwrap().to_owned();
        assert_ne!(token, brought);
        assert!(reply.header("set-cookie").contains(&token), "{reply:?}");
        tokens.push(token);
    }
    assert_ne!(tokens[0], tokens[1]);
    let request = nobody.request(Method::GET, "/api/auth/verify").bearer_auth(&planted);
    assert_eq!(nobody.send(request).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(server.admin.get("/api/auth/verify").await.json()["username"], "admin");
}
