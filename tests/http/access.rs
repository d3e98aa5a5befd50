//! The document, sessions and cookies.

use http::{Method, StatusCode};
use mint_domain::manifest::NAMES_OF_ROUTES;
use mint_tests::{Client, TestServer};
use serde_json::{Value, json};

#[tokio::test]
async fn every_route_is_in_the_document() {
    let router = include_str!("../../src/server/router.rs");
    let server = TestServer::start().await;
    let document: Value = server.admin.get("/api/openapi.json").await.json();
    let operations: usize = document["paths"].as_object().unwrap().values().map(|path| path.as_object().unwrap().len()).sum();
    let routed = router.matches("api::").count() - router.matches("api::describe(").count();
    assert_eq!(operations, routed, "a route of router.rs is missing from the document, or the other way round");
    // What stands beside a plugin would hide the plugin of that name.
    let paths = document["paths"].as_object().unwrap().keys();
    let beside_plugins = paths.filter_map(|path| path.strip_prefix("/api/plugins/")).filter(|rest| !rest.starts_with('{'));
    assert_eq!(beside_plugins.collect::<Vec<_>>(), NAMES_OF_ROUTES);
}

#[tokio::test]
async fn another_method_than_a_path_has_is_refused_with_those_that_it_has() {
    let server = TestServer::start().await;
    let reply = server.admin.send(server.admin.request(Method::PUT, "/api/projects")).await;
    assert_eq!((reply.status.as_u16(), reply.code().as_str()), (405, "request.method_not_allowed"), "{reply:?}");
    let mut allowed: Vec<&str> = reply.header("allow").split(',').map(str::trim).collect();
    allowed.sort_unstable();
    assert_eq!(allowed, ["GET", "HEAD", "POST"]);
    let listed = server.admin.send(server.admin.request(Method::PATCH, "/api/projects/1").json(&json!([1, 2]))).await;
    assert_eq!((listed.status.as_u16(), listed.code().as_str()), (422, "validation.request"), "a list is no object");
}

#[tokio::test]
async fn the_document_can_be_browsed() {
    let server = TestServer::start().await;
    let page = Client::anonymous(&server.url).get("/api/docs/").await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(page.text().contains("swagger-ui"), "{page:?}");
    let home = Client::anonymous(&server.url).get("/").await;
    assert_eq!(home.headers["location"], "/api/docs");
}

#[tokio::test]
async fn a_session_ends_when_it_is_signed_out_and_a_wrong_password_begins_none() {
    let server = TestServer::start().await;
    let member = server.client("member").await;
    assert_eq!(member.get("/api/auth/verify").await.json()["username"], "member");
    assert_eq!(member.post("/api/auth/logout", &Value::Null).await.status, StatusCode::NO_CONTENT);
    assert_eq!(member.get("/api/auth/verify").await.code(), "auth.unauthorized");
    let nobody = Client::anonymous(&server.url);
    let mut refusals = Vec::new();
    for (user, password) in [("member", "wrong password"), ("nobody", "wrong password")] {
        let reply = nobody.post("/api/auth/login", &serde_json::json!({ "username": user, "password": password })).await;
        assert_eq!(reply.status, StatusCode::UNAUTHORIZED);
        refusals.push(reply.json()["message"].clone());
    }
    assert_eq!(refusals[0], refusals[1], "an unknown user cannot be told from a wrong password");
}

#[tokio::test]
async fn a_cookie_changes_nothing_for_another_site() {
    let server = TestServer::start().await;
    let cookie = format!("mint_access_token={}", server.admin.token());
    let nobody = Client::anonymous(&server.url);
    let body = serde_json::json!({ "name": "x", "experiment_type": "t" });
    for (site, expected) in [("same-origin", StatusCode::CREATED), ("cross-site", StatusCode::FORBIDDEN)] {
        let request = nobody.request(Method::POST, "/api/experiments").header("cookie", &cookie).header("sec-fetch-site", site);
        assert_eq!(nobody.send(request.json(&body)).await.status, expected, "{site}");
    }
}
