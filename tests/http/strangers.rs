//! A laboratory to ask for, operation by operation; and what `askers.rs` leaves out: the work seen by those who have a part in nothing,
//! routes of plugins, and the internal ones.

use std::collections::BTreeSet;

use http::{Method, StatusCode};
use mint_domain::Permission;
use mint_tests::{Client, Reply, TestServer, bundle};
use serde_json::{Value, json};

use crate::people::{external::configured, issuer::Issuer};

/// The whole list of what anybody may ask. It may only shrink.
pub(super) const PUBLIC: &[&str] = &[
    "GET /api/auth/methods",
    "GET /api/health",
    "GET /api/health/ready",
    "GET /livez",
    "GET /readyz",
    "POST /api/auth/external/{provider}",
    "POST /api/auth/external/{provider}/session",
    "POST /api/auth/login",
    "POST /api/oauth/device_authorization",
    "POST /api/oauth/token",
    "POST /api/passkey/sign-in",
    "POST /api/passkey/sign-in/options",
    "POST /api/setup",
];
/// What a viewer may ask although it is no reading. It may only shrink.
pub(super) const FOR_EVERYBODY: &[&str] = &[
    "POST /api/auth/external/{provider}",
    "POST /api/auth/external/{provider}/identity",
    "POST /api/auth/external/{provider}/link",
    "POST /api/auth/external/{provider}/session",
    "POST /api/auth/login",
    "POST /api/auth/logout",
    "POST /api/oauth/device/{user_code}",
    "POST /api/oauth/device_authorization",
    "POST /api/oauth/token",
    "POST /api/passkey",
    "POST /api/passkey/options",
    "POST /api/passkey/sign-in",
    "POST /api/passkey/sign-in/options",
    "POST /api/setup",
    "PUT /api/users/me/password",
    "DELETE /api/auth/identities/{identity}",
    "DELETE /api/passkey/{passkey}",
    "DELETE /api/sessions",
    "DELETE /api/sessions/{session}",
    "POST /api/tokens",
    "DELETE /api/tokens/{token}",
];
/// What answers about the asking laboratory, whatever the path names, and finds nothing there. It may only shrink.
pub(super) const EMPTY_ELSEWHERE: &[&str] = &["GET /api/admin/plugin-roles/{plugin}"];
/// What is for those who look after the whole installation, and nobody else, in whatever laboratory.
pub(super) const FOR_THE_INSTALLATION: &str = "/api/platform/tenants";
/// What goes on for as long as somebody listens: its head is the answer.
const HELD_OPEN: &str = "/api/plugins/dev";
/// What the router serves beside the operations of the document, with the place that tests it.
const BESIDE_THE_DOCUMENT: &[(&str, &str)] = &[
    (".nest_service(\"/api/internal\",", "the internal routes, below"),
    (".merge(docs)", "access.rs: the document can be browsed"),
    (".route(\"/auth/{page}\",", "../cli/device_login.rs: nothing but the platform's own pages"),
    (".route(\"/auth/external/{provider}\",", "../frontends/external.rs: the same, whatever the address names"),
    (".route(\"/\",", "access.rs: the document can be browsed"),
    (".fallback(gateway)", "routes of plugins, below"),
];
/// Stands in everything that the laboratory keeps.
pub(super) const SECRET: &str = "confidential";

/// A laboratory with one of everything, and what stands in the paths that name it.
pub(super) struct Laboratory {
    pub(super) server: TestServer,
    pub(super) operations: Vec<(Method, String)>,
    project: i64,
    experiment: i64,
    operation: i64,
    job: i64,
    viewer: i64,
    snapshot: i64,
    token: i64,
    user_code: String,
    _issuer: Issuer,
}

impl Laboratory {
    pub(super) async fn furnished() -> Self {
        Self::with(&[]).await
    }

    async fn with(variables: &[(&str, &str)]) -> Self {
        let issuer = Issuer::start().await;
        let oidc = configured(&issuer);
        let variables: Vec<_> = variables.iter().copied().chain([("MINT_AUTH__OIDC", oidc.as_str())]).collect();
        let server = TestServer::with(&variables).await;
        let admin = &server.admin;
        let project = admin.post("/api/projects", &json!({ "name": SECRET, "description": SECRET })).await.json();
        let new = json!({ "name": SECRET, "experiment_type": "t", "project": SECRET, "notes": SECRET });
        let experiment = admin.post("/api/experiments", &new).await.json()["id"].as_i64().unwrap();
        let role = json!({ "slug": "keeper", "name": SECRET, "permissions": ["users.view"] });
        assert_eq!(admin.post("/api/roles", &role).await.status, StatusCode::CREATED);
        let operation = server.install(&bundle("everything")).await;
        assert_eq!(operation["status"], "done", "{operation}");
        for (function, arguments) in [
            ("designs.save", json!({ "experiment": experiment, "data": { "x": SECRET } })),
            ("results.save", json!({ "experiment": experiment, "key": "default", "result": { "x": SECRET } })),
        ] {
            let reply = admin.post(&format!("/api/everything/call/{function}"), &arguments).await;
            assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
        }
        let job = json!({ "kind": "call", "payload": SECRET, "delay_seconds": 3_600 });
        let job = admin.post("/api/everything/call/jobs.enqueue", &job).await.json()["id"].as_i64().unwrap();
        let stored = admin.put(&format!("/api/experiments/{experiment}/objects/default"), SECRET).await;
        assert_eq!(stored.status, StatusCode::CREATED, "{stored:?}");
        let snapshot = crate::lifecycle::snapshots::take(admin, "everything").await;
        let token = admin.post("/api/tokens", &json!({ "name": SECRET })).await.json()["id"].as_i64().unwrap();
        let nobody = Client::anonymous(&server.url);
        let waiting = nobody.request(Method::POST, "/api/oauth/device_authorization").form(&[("scope", "read_only")]);
        let user_code = nobody.send(waiting).await.json()["user_code"].as_str().unwrap().to_owned();
        let viewer = server.client("viewer").await.get("/api/users/me").await.json()["id"].as_i64().unwrap();
        Self {
            operations: operations(&server).await,
            project: project["id"].as_i64().unwrap(),
            experiment,
            operation: operation["id"].as_i64().unwrap(),
            job,
            viewer,
            snapshot,
            token,
            user_code,
            server,
            _issuer: issuer,
        }
    }

    /// What there is in the places of a path's parameters, and what there is not.
    fn named(&self, path: &str) -> Vec<(&'static str, String, String)> {
        let id = match path.split('/').nth(2) {
            Some("projects") => self.project,
            Some("experiments") => self.experiment,
            Some("operations") => self.operation,
            _ => self.viewer,
        };
        let number = |name, number: i64| (name, number.to_string(), "987654".to_owned());
        let word = |name, word: &str| (name, word.to_owned(), "nothing".to_owned());
        vec![
            number("{id}", id),
            number("{user}", self.viewer),
            number("{job}", self.job),
            number("{service_token}", 1),
            number("{token}", self.token),
            number("{snapshot}", self.snapshot),
            number("{passkey}", 1),
            number("{identity}", 1),
            word("{provider}", "open"),
            word("{name}", "everything"),
            word("{role}", "keeper"),
            word("{session}", "0123456789abcdef"),
            word("{plugin}", "everything"),
            ("{archive}", "archived_20260101000000000_everything".to_owned(), "archived_20260101000000000_nothing".to_owned()),
            word("{tenant}", "default"),
            word("{key}", "default"),
            ("{user_code}", self.user_code.clone(), self.user_code.chars().rev().collect()),
        ]
    }

    /// Asks for an operation with a body that its owner could send.
    pub(super) async fn ask(&self, client: &Client, method: &Method, path: &str) -> Reply {
        let concrete = self.named(path).iter().fold(path.to_owned(), |path, (name, there, _)| path.replace(name, there));
        assert!(!concrete.contains('{'), "say here what stands in the place of a parameter of {path}");
        send(client, method, path, &concrete).await
    }

    /// Asks for what there is not, and gives the words that name it, or what there is in its place.
    pub(super) async fn ask_for_nothing(&self, client: &Client, method: &Method, path: &str) -> (Reply, BTreeSet<String>) {
        let named = self.named(path);
        let concrete = named.iter().fold(path.to_owned(), |path, (name, _, absent)| path.replace(name, absent));
        let names = named.iter().flat_map(|(_, there, absent)| [there, absent]);
        let words = names.flat_map(|name| name.split(|c: char| !c.is_alphanumeric() && c != '_')).map(str::to_owned);
        (send(client, method, path, &concrete).await, words.collect())
    }

    /// Passes if no operation on these finds anything for somebody.
    async fn has_none_for(&self, client: &Client, nouns: &[&str]) {
        for (method, path) in self.operations.iter().filter(|(_, path)| nouns.iter().any(|noun| path.starts_with(noun))) {
            if method != Method::GET && !path.contains('{') {
                continue;
            }
            let reply = self.ask(client, method, path).await;
            if path.contains('{') {
                assert_eq!((reply.status.as_u16(), reply.code().as_str()), (404, "NOT_FOUND"), "{method} {path}: {reply:?}");
            } else {
                assert_eq!(reply.json()["total"], 0, "{method} {path}: {reply:?}");
            }
            assert!(!reply.text().contains(SECRET), "{method} {path}: {reply:?}");
        }
    }

    /// Passes if all that there was is there, as it was.
    pub(super) async fn is_as_it_was(&self) {
        let admin = &self.server.admin;
        // A code is good once, and whoever signed in may have refused it.
        let is_own =
            |path: &str| path.contains('{') && !path.starts_with(FOR_THE_INSTALLATION) && !path.starts_with("/api/oauth/device/");
        for (method, path) in self.operations.iter().filter(|(method, path)| method == Method::GET && is_own(path)) {
            let reply = self.ask(admin, method, path).await;
            assert_eq!(reply.status, StatusCode::OK, "{method} {path}: {reply:?}");
        }
        let shown = admin.get(&format!("/api/experiments/{}", self.experiment)).await.json();
        assert_eq!((&shown["name"], &shown["notes"], &shown["project"]), (&json!(SECRET), &json!(SECRET), &json!(SECRET)));
    }
}

async fn send(client: &Client, method: &Method, path: &str, concrete: &str) -> Reply {
    let request = client.request(method.clone(), concrete);
    let request = match body(method, path) {
        Some(body) => request.json(&body),
        None => request,
    };
    let request = request.header("if-match", "\"0\"");
    if path != HELD_OPEN {
        return client.send(request).await;
    }
    let response = request.send().await.unwrap();
    let (status, headers) = (response.status(), response.headers().clone());
    let body = if status.is_success() { bytes::Bytes::new() } else { response.bytes().await.unwrap() };
    Reply { status, headers, body }
}

/// The operations of the document.
async fn operations(server: &TestServer) -> Vec<(Method, String)> {
    let document = server.admin.get("/api/openapi.json").await.json();
    let mut operations = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for method in methods.as_object().unwrap().keys().filter(|key| *key != "parameters") {
            operations.push((method.to_uppercase().parse().unwrap(), path.clone()));
        }
    }
    assert!(operations.len() > 30, "{operations:?}");
    operations
}

/// What the owner of a thing could send.
fn body(method: &Method, path: &str) -> Option<Value> {
    let body = match (method.as_str(), path) {
        ("POST", "/api/projects") => json!({ "name": "n" }),
        ("POST", "/api/experiments") => json!({ "name": "n", "experiment_type": "t" }),
        ("PATCH", "/api/experiments/{id}" | "/api/projects/{id}") => json!({ "name": "n" }),
        ("PUT", "/api/projects/{id}/members/{user}" | "/api/experiments/{id}/collaborators/{user}") => {
            json!({ "role": "viewer" })
        }
        ("PUT", "/api/experiments/{id}/objects/{key}") => json!("bytes"),
        ("PUT", "/api/plugins/{name}/config") => json!({ "config": {} }),
        ("PATCH", "/api/plugins/{name}/limits" | "/api/platform/limits") => json!({ "cpu_ms_max": 1 }),
        ("PATCH", "/api/plugins/{name}/grants") => json!({ "grant": [] }),
        ("POST", "/api/plugins/{name}/rollback") => json!({}),
        ("POST", "/api/plugins/{name}/reset") => json!({ "revision": 0, "confirm": "n" }),
        ("POST", "/api/plugins/{name}/restore") => json!({ "snapshot": 1 }),
        ("POST", "/api/plugins/dev") => json!({ "plugin": { "slug": "n", "version": "1" }, "address": "127.0.0.1:9" }),
        ("POST", FOR_THE_INSTALLATION) => json!({ "slug": "n" }),
        ("PUT", "/api/platform/tenants/{tenant}/suspension") => json!({ "reason": "n" }),
        ("POST", "/api/users") => json!({ "username": "n" }),
        ("PATCH", "/api/users/{id}") => json!({ "role": "admin" }),
        ("PUT", "/api/users/{id}/password") => json!({ "new": "another password" }),
        ("PUT", "/api/users/me/password") => json!({ "present": "n", "new": "another password" }),
        ("POST", "/api/tokens") => json!({ "name": "n" }),
        ("POST", "/api/tokens/service") => json!({ "name": "n", "plugin": "everything", "instruments": [] }),
        ("POST", "/api/passkey/sign-in") => json!({ "ceremony": "n", "credential": {} }),
        ("POST", "/api/passkey") => json!({ "name": "n", "ceremony": "n", "credential": {} }),
        ("POST", "/api/auth/external/{provider}/session" | "/api/auth/external/{provider}/identity") => {
            json!({ "state": "n", "code": "n" })
        }
        ("POST", "/api/oauth/device/{user_code}") => json!({ "allow": false }),
        ("POST", "/api/roles") => json!({ "slug": "n", "name": "n", "permissions": [] }),
        ("PATCH", "/api/roles/{role}") => json!({ "permissions": [] }),
        ("PUT", "/api/admin/plugin-roles/{plugin}/{user}") => json!({ "role": "curator" }),
        ("PUT", "/api/admin/plugin-roles/{plugin}/{user}/fields") => json!({ "fields": {} }),
        _ => return None,
    };
    Some(body)
}

#[tokio::test]
async fn nobody_is_asked_to_sign_in_at_plugins() {
    let lab = Laboratory::furnished().await;
    let nobody = Client::anonymous(&lab.server.url);
    for path in ["/api/everything/call/experiments.list", "/api/nothing", "/api/everything"] {
        assert_eq!(nobody.post(path, &json!({})).await.code(), "auth.required", "{path}");
    }
}

/// Whoever has a role for what they are given a part in finds nothing else, whatever the role allows.
#[tokio::test]
async fn who_has_no_part_in_it_does_not_find_it() {
    let lab = Laboratory::furnished().await;
    let everything: Vec<&str> = Permission::ALL.iter().filter(|one| one.is_enforced()).map(|one| one.as_str()).collect();
    let role = json!({ "slug": "guest", "name": "Guest", "permissions": everything, "project_scope": "assigned" });
    let guest = crate::people::with_role(&lab.server, "guest", &role).await;
    lab.has_none_for(&guest, &["/api/projects", "/api/experiments"]).await;
    let in_it = json!({ "name": "n", "experiment_type": "t", "project": SECRET });
    let named = guest.post("/api/experiments", &in_it).await;
    assert_eq!((named.status, named.code().as_str()), (StatusCode::BAD_REQUEST, "VALIDATION_ERROR"), "{named:?}");
    let child = json!({ "name": "n", "experiment_type": "t", "parent_experiment_id": lab.experiment });
    assert_eq!(guest.post("/api/experiments", &child).await.code(), "VALIDATION_ERROR");
    lab.is_as_it_was().await;
}

/// Where experiments are seen by few, the roles of the system find none in which they have no part.
#[tokio::test]
async fn who_has_no_part_in_a_restricted_experiment_does_not_find_it() {
    let lab = Laboratory::with(&[("MINT_ACCESS__EXPERIMENT_VISIBILITY_MODE", "restricted")]).await;
    for name in ["member", "viewer"] {
        let client = lab.server.client(name).await;
        lab.has_none_for(&client, &["/api/experiments"]).await;
        let in_project = lab.ask(&client, &Method::GET, "/api/projects/{id}/experiments").await;
        assert_eq!(in_project.json()["total"], 0, "{in_project:?}");
    }
    lab.is_as_it_was().await;
}

#[tokio::test]
async fn another_laboratory_has_none_of_its_plugins() {
    let lab = Laboratory::furnished().await;
    let stranger = lab.server.other_tenant("other").await;
    let plugin = stranger.post("/api/everything/call/experiments.list", &json!({})).await;
    assert_eq!((plugin.status, plugin.code().as_str()), (StatusCode::NOT_FOUND, "resource.not_found"), "{plugin:?}");
}

/// The internal routes are for processes of plugins: a person's session opens none of them.
#[tokio::test]
async fn nobody_but_a_plugin_asks_inside() {
    let server = TestServer::start().await;
    let routes = include_str!("../../src/subprocess/rpc/mod.rs");
    let paths: Vec<&str> = routes.split(".route(").skip(1).filter_map(|rest| rest.split('"').nth(1)).collect();
    assert!(paths.len() > 15, "{paths:?}");
    let nobody = Client::anonymous(&server.url);
    for path in paths {
        let concrete: Vec<&str> = path.split('/').map(|part| if part.starts_with('{') { "1" } else { part }).collect();
        let path = format!("/api/internal{}", concrete.join("/"));
        for method in [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
            for client in [&nobody, &server.admin] {
                let reply = client.send(client.request(method.clone(), &path)).await;
                assert_eq!((reply.status.as_u16(), reply.code().as_str()), (403, "auth.forbidden"), "{method} {path}: {reply:?}");
            }
        }
    }
}

#[test]
fn the_router_serves_nothing_that_is_not_asked_here() {
    let router = include_str!("../../src/server/router.rs");
    let at = router.find("pub fn router(").unwrap();
    let end = at + router[at..].find("\n}\n").unwrap();
    let doors = [".route(", ".nest", ".merge(", "fallback", ".route_service("];
    let served: Vec<&str> =
        router[at..end].lines().map(str::trim).filter(|line| doors.iter().any(|door| line.contains(door))).collect();
    assert_eq!(served.len(), BESIDE_THE_DOCUMENT.len(), "{served:#?}");
    for (line, (door, _)) in served.iter().zip(BESIDE_THE_DOCUMENT) {
        assert!(line.starts_with(door), "{line} is not {door}");
    }
}
