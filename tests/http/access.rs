//! No route is open by accident.

use http::{Method, StatusCode};
use mint_tests::{Client, TestServer};
use serde_json::Value;

/// The whole list of what anybody may ask. It may only shrink.
const PUBLIC: &[(&str, &str)] = &[("get", "/api/health"), ("get", "/api/health/ready"), ("post", "/api/auth/login")];

#[tokio::test]
async fn every_operation_of_the_document_refuses_nobody() {
    let server = TestServer::start().await;
    let document = server.admin.get("/api/openapi.json").await.json();
    let nobody = Client::anonymous(&server.url);
    let mut asked = 0;
    for (path, operations) in document["paths"].as_object().unwrap() {
        for method in operations.as_object().unwrap().keys().filter(|key| *key != "parameters") {
            if PUBLIC.contains(&(method.as_str(), path.as_str())) {
                continue;
            }
            let concrete = path
                .replace("{id}", "1")
                .replace("{name}", "x")
                .replace("{plugin}", "x")
                .replace("{key}", "k")
                .replace("{*key}", "k");
            let method: Method = method.to_uppercase().parse().unwrap();
            let reply = nobody.send(nobody.request(method.clone(), &concrete)).await;
            assert_eq!(reply.status, StatusCode::UNAUTHORIZED, "{method} {path}: {reply:?}");
            assert_eq!(reply.code(), "auth.required", "{method} {path}");
            asked += 1;
        }
    }
    assert!(asked > 20, "{asked} operations asked");
    for path in ["/api/nothing", "/api/hello/", "/api/internal/platform", "/api/internal/experiments"] {
        let reply = nobody.get(path).await;
        assert!(matches!(reply.status.as_u16(), 401 | 403), "{path}: {reply:?}");
    }
}

#[tokio::test]
async fn every_route_is_in_the_document() {
    let router = include_str!("../../src/server/router.rs");
    let server = TestServer::start().await;
    let document: Value = server.admin.get("/api/openapi.json").await.json();
    let operations: usize = document["paths"].as_object().unwrap().values().map(|path| path.as_object().unwrap().len()).sum();
    let routed = router.matches("api::").count() - router.matches("api::describe_security").count();
    assert_eq!(operations, routed, "a route of router.rs is missing from the document, or the other way round");
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
async fn a_viewer_looks_and_does_not_touch() {
    let server = TestServer::start().await;
    let id = server.admin.experiment("one").await;
    let viewer = server.client("viewer").await;
    assert_eq!(viewer.get(&format!("/api/experiments/{id}")).await.status, StatusCode::OK);
    for (method, path) in [
        (Method::DELETE, format!("/api/experiments/{id}")),
        (Method::PUT, format!("/api/experiments/{id}/objects/x")),
        (Method::POST, "/api/plugins/upload".to_owned()),
        (Method::POST, "/api/plugins/x/reload".to_owned()),
    ] {
        let reply = viewer.send(viewer.request(method.clone(), &path)).await;
        assert_eq!(
            (reply.status, reply.code().as_str()),
            (StatusCode::FORBIDDEN, "PERMISSION_DENIED"),
            "{method} {path}: {reply:?}"
        );
    }
}

#[tokio::test]
async fn another_laboratory_sees_nothing() {
    let server = TestServer::start().await;
    let id = server.admin.experiment("secret").await;
    server.admin.put(&format!("/api/experiments/{id}/objects/a.txt"), "secret").await;
    let stranger = server.other_tenant("other").await;
    assert_eq!(stranger.get("/api/experiments").await.json()["total"], 0);
    for path in [
        format!("/api/experiments/{id}"),
        format!("/api/experiments/{id}/objects/a.txt"),
        format!("/api/experiments/{id}/objects"),
    ] {
        let reply = stranger.get(&path).await;
        assert_eq!(reply.status, StatusCode::NOT_FOUND, "{path}: {reply:?}");
        assert!(!reply.text().contains("secret"));
    }
    assert_eq!(stranger.delete(&format!("/api/experiments/{id}")).await.status, StatusCode::NOT_FOUND);
    assert_eq!(server.admin.get(&format!("/api/experiments/{id}")).await.status, StatusCode::OK);
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
