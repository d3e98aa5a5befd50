//! Access tokens: what people give to programs.

use http::{Method, StatusCode};
use mint_tests::{Client, PASSWORD, Reply, TestServer, bundle};
use serde_json::{Value, json};

use super::{assert_refused, id_of};

/// A program with a token.
struct Program {
    client: Client,
    token: String,
    id: i64,
}

impl Program {
    async fn new(owner: &Client, draft: &Value) -> Self {
        let reply = owner.post("/api/tokens", draft).await;
        assert_eq!(reply.status, StatusCode::CREATED, "{reply:?}");
        let made = reply.json();
        let token = made["token"].as_str().unwrap().to_owned();
        Self { client: Client::anonymous(owner.url()), token, id: made["id"].as_i64().unwrap() }
    }

    async fn send(&self, method: Method, path: &str, body: Option<&Value>) -> Reply {
        let request = self.client.request(method, path).bearer_auth(&self.token);
        self.client
            .send(match body {
                Some(body) => request.json(body),
                None => request,
            })
            .await
    }

    async fn get(&self, path: &str) -> Reply {
        self.send(Method::GET, path, None).await
    }

    async fn post(&self, path: &str, body: &Value) -> Reply {
        self.send(Method::POST, path, Some(body)).await
    }
}

#[tokio::test]
async fn a_token_is_made_shown_once_used_and_revoked() {
    for server in TestServer::on_every_database(&[]).await {
        let member = server.client("member").await;
        let program = Program::new(&member, &json!({ "name": "pipeline", "days": 30 })).await;
        assert!(program.token.starts_with("mint_pat_"), "{}", program.token);
        assert_eq!(program.get("/api/auth/verify").await.json()["username"], "member");
        let made = program.post("/api/experiments", &json!({ "name": "by token", "experiment_type": "t" })).await;
        assert_eq!(made.status, StatusCode::CREATED, "{made:?}");
        let listed = member.get("/api/tokens").await;
        let shown = &listed.json()[0];
        assert!(program.token.starts_with(shown["beginning"].as_str().unwrap()) && !listed.text().contains(&program.token));
        assert_eq!(
            (&shown["name"], &shown["read_only"], &shown["permissions"]),
            (&json!("pipeline"), &json!(false), &Value::Null)
        );
        assert!(shown["last_used_at"].is_string(), "{shown}");
        for (bad, field) in [
            (json!({ "name": "x", "days": 0 }), "days"),
            (json!({ "name": "x", "days": 366 }), "days"),
            (json!({ "name": " " }), "name"),
        ] {
            let reply = member.post("/api/tokens", &bad).await;
            assert_refused(&reply, 400, "VALIDATION_ERROR");
            assert_eq!(reply.json()["details"]["field"], field);
        }
        // A token makes no credentials, and is none for pages.
        let password = json!({ "present": PASSWORD, "new": "another password" });
        for reply in [
            program.post("/api/tokens", &json!({ "name": "x" })).await,
            program.send(Method::PUT, "/api/users/me/password", Some(&password)).await,
            program.send(Method::DELETE, "/api/sessions", None).await,
        ] {
            assert_refused(&reply, 403, "auth.session_required");
        }
        // It outlives its owner's password, and ends at once when it is revoked, by its owner or an administrator.
        let path = format!("/api/tokens/{}", program.id);
        let changed = member.send(member.request(Method::PUT, "/api/users/me/password").json(&password)).await;
        assert_eq!(changed.status, StatusCode::NO_CONTENT, "{changed:?}");
        assert_eq!(program.get("/api/auth/verify").await.status, StatusCode::OK);
        assert_refused(&server.client("viewer").await.delete(&path).await, 404, "NOT_FOUND");
        assert_refused(&server.other_tenant("other").await.delete(&path).await, 404, "NOT_FOUND");
        let of_member = format!("/api/tokens?user={}", id_of(&server.admin, "member").await);
        assert_eq!(server.admin.get(&of_member).await.json().as_array().unwrap().len(), 1);
        assert_eq!(server.admin.delete(&path).await.status, StatusCode::NO_CONTENT);
        assert_eq!(program.get("/api/auth/verify").await.status, StatusCode::UNAUTHORIZED);
        assert_eq!(member.get("/api/tokens").await.json(), json!([]));
    }
}

#[tokio::test]
async fn a_token_allows_what_both_it_and_its_owner_may() {
    let server = TestServer::start().await;
    let member = server.client("member").await;
    let beyond = json!({ "name": "x", "permissions": ["plugins.install"] });
    assert_refused(&member.post("/api/tokens", &beyond).await, 403, "PERMISSION_DENIED");
    let of_admin =
        Program::new(&server.admin, &json!({ "name": "x", "permissions": ["experiments.view", "users.manage"] })).await;
    let me = of_admin.get("/api/users/me").await.json();
    assert_eq!((&me["role"], &me["permissions"]), (&json!("member"), &json!(["experiments.view", "users.manage"])));
    assert_eq!(of_admin.get("/api/experiments").await.status, StatusCode::OK);
    for reply in [
        of_admin.get("/api/projects").await,
        of_admin.post("/api/experiments", &json!({ "name": "x", "experiment_type": "t" })).await,
        // It may manage people, but nobody who has more than itself.
        of_admin.post("/api/users", &json!({ "username": "x", "role": "admin" })).await,
        of_admin.post("/api/users", &json!({ "username": "x", "role": "viewer" })).await,
    ] {
        assert_refused(&reply, 403, "PERMISSION_DENIED");
    }
    let of_member =
        Program::new(&member, &json!({ "name": "x", "permissions": ["experiments.create", "experiments.view"] })).await;
    let path = format!("/api/users/{}", id_of(&server.admin, "member").await);
    assert_eq!(server.admin.patch(&path, &json!({ "role": "viewer" })).await.status, StatusCode::OK);
    assert_refused(
        &of_member.post("/api/experiments", &json!({ "name": "x", "experiment_type": "t" })).await,
        403,
        "PERMISSION_DENIED",
    );
    assert_eq!(server.admin.patch(&path, &json!({ "is_active": false })).await.status, StatusCode::OK);
    assert_eq!(of_member.get("/api/auth/verify").await.status, StatusCode::UNAUTHORIZED);
}

/// By no route of the platform, and by no plugin, in either mode.
#[tokio::test]
async fn a_token_that_only_reads_changes_nothing() {
    let server = TestServer::start().await;
    let experiment = server.admin.experiment("x").await;
    assert_eq!(server.install(&bundle("everything")).await["status"], "done");
    assert_eq!(server.install(&bundle("hello-process")).await["status"], "done");
    let reader = Program::new(&server.admin, &json!({ "name": "x", "read_only": true })).await;
    let document = server.admin.get("/api/openapi.json").await.json();
    for (path, methods) in document["paths"].as_object().unwrap() {
        let changes = methods.as_object().unwrap().iter().filter(|(key, _)| !matches!(key.as_str(), "get" | "parameters"));
        for (method, operation) in changes {
            if operation["security"] != json!([{}]) {
                let concrete = path.replace("{*key}", "1").replace(['{', '}'], "");
                let reply = reader.send(method.to_uppercase().parse().unwrap(), &concrete, Some(&json!({}))).await;
                assert_refused(&reply, 403, "auth.read_only_token");
            }
        }
    }
    for path in ["/api/everything/call/experiments.list", "/api/hello-process/"] {
        assert_refused(&reader.post(path, &json!({})).await, 403, "auth.read_only_token");
    }
    let socket = reader.client.request(Method::GET, "/api/hello-process/").bearer_auth(&reader.token);
    let socket = socket.header("connection", "upgrade").header("upgrade", "websocket");
    assert_refused(&reader.client.send(socket).await, 403, "auth.read_only_token");
    // It reads, also through a plugin, which is told of a viewer.
    assert_eq!(reader.get(&format!("/api/experiments/{experiment}")).await.status, StatusCode::OK);
    assert_eq!(reader.get("/api/hello-process/").await.status, server.admin.get("/api/hello-process/").await.status);
    let me = reader.get("/api/users/me").await.json();
    assert_eq!(me["role"], "viewer", "{me}");
    assert!(!me["permissions"].to_string().contains("edit"), "{me}");
}
