//! Laboratories come and go; those who stay do not notice.

use http::{Method, StatusCode};
use mint_platform::Accounts;
use mint_tests::{Client, PASSWORD, Reply, TestServer, bundle, eventually};
use serde_json::{Value, json};

use super::assert_refused;
use crate::hostile::tables::{execute, rows};

const TENANTS: &str = "/api/platform/tenants";

/// `admin` of the laboratory `default`, who looks after all of them from now on.
pub(super) async fn appointed(server: &TestServer) -> Client {
    let services = server.server.as_ref().unwrap().platform.services().clone();
    Accounts::new(services).appoint(&"default".parse().unwrap(), "admin", true).await.unwrap();
    // A credential is believed for a second without looking.
    let admin = server.client("admin").await;
    assert_eq!(admin.get(TENANTS).await.status, StatusCode::OK);
    admin
}

async fn made(admin: &Client, slug: &str) -> Client {
    let administrator = json!({ "username": "head", "password": PASSWORD });
    let reply = admin.post(TENANTS, &json!({ "slug": slug, "name": "A lab", "administrator": administrator })).await;
    assert_eq!(reply.status, StatusCode::CREATED, "{reply:?}");
    Client::sign_in(admin.url(), slug, "head").await
}

pub(super) async fn suspend(admin: &Client, slug: &str, reason: &str) -> Reply {
    let request = admin.request(Method::PUT, &format!("{TENANTS}/{slug}/suspension"));
    admin.send(request.json(&json!({ "reason": reason }))).await
}

async fn login(client: &Client, tenant: &str) -> Reply {
    let body = json!({ "tenant": tenant, "username": "head", "password": PASSWORD });
    Client::anonymous(client.url()).post("/api/auth/login", &body).await
}

#[tokio::test]
async fn only_who_looks_after_the_installation_makes_laboratories() {
    for server in TestServer::on_every_database(&[]).await {
        for (method, path) in [
            (Method::GET, TENANTS.to_owned()),
            (Method::GET, format!("{TENANTS}/default")),
            (Method::DELETE, format!("{TENANTS}/default?confirm=default")),
            (Method::DELETE, format!("{TENANTS}/default/suspension")),
        ] {
            let reply = server.admin.send(server.admin.request(method, &path)).await;
            assert_refused(&reply, 403, "PERMISSION_DENIED");
        }
        assert_refused(&server.admin.post(TENANTS, &json!({ "slug": "b" })).await, 403, "PERMISSION_DENIED");
        let admin = appointed(&server).await;
        // A token of theirs is no session.
        let token = admin.post("/api/tokens", &json!({ "name": "script", "days": 30 })).await.json();
        let script = Client::anonymous(&server.url);
        let request = script.request(Method::GET, TENANTS).bearer_auth(token["token"].as_str().unwrap());
        assert_refused(&script.send(request).await, 403, "PERMISSION_DENIED");

        let head = made(&admin, "b").await;
        assert_refused(&admin.post(TENANTS, &json!({ "slug": "b" })).await, 409, "CONFLICT");
        assert_refused(&admin.post(TENANTS, &json!({ "slug": "c", "name": " " })).await, 400, "VALIDATION_ERROR");
        assert_refused(&admin.post(TENANTS, &json!({ "slug": "No slug" })).await, 422, "validation.request");
        assert_refused(&admin.get(&format!("{TENANTS}/c")).await, 404, "NOT_FOUND");
        let listed = admin.get(TENANTS).await.json();
        let shown = |one: &Value| json!([one["slug"], one["name"], one["status"], one["users"], one["plugins"]]);
        let shown: Vec<_> = listed.as_array().unwrap().iter().map(shown).collect();
        assert_eq!(shown, [json!(["default", "Default", "active", 3, 0]), json!(["b", "A lab", "active", 1, 0])]);
        // They see nothing of it, and its administrator nothing of the others.
        assert_eq!(head.get("/api/users").await.json().as_array().unwrap().len(), 1);
        assert_refused(&head.get(TENANTS).await, 403, "PERMISSION_DENIED");
        let experiment = head.experiment("theirs").await;
        assert_refused(&admin.get(&format!("/api/experiments/{experiment}")).await, 404, "NOT_FOUND");
    }
}

#[tokio::test]
async fn nobody_gets_hold_of_whoever_looks_after_the_installation() {
    for server in TestServer::on_every_database(&[]).await {
        let admin = appointed(&server).await;
        let id = admin.get("/api/users/me").await.json()["id"].as_i64().unwrap();
        let token = admin.post("/api/tokens", &json!({ "name": "script", "days": 30 })).await.json()["id"].as_i64().unwrap();
        let made = admin.post("/api/users", &json!({ "username": "second", "role": "admin", "password": PASSWORD })).await;
        assert_eq!(made.status, StatusCode::CREATED, "{made:?}");
        let second = server.client("second").await;
        let user = format!("/api/users/{id}");
        for (method, path, body) in [
            (Method::PUT, format!("{user}/password"), json!({ "new": "quite another one" })),
            (Method::PATCH, user.clone(), json!({ "email": "second@example.org" })),
            (Method::PATCH, user.clone(), json!({ "is_active": false })),
            (Method::DELETE, user.clone(), Value::Null),
            (Method::DELETE, format!("/api/sessions?user={id}"), Value::Null),
            (Method::DELETE, format!("/api/tokens/{token}"), Value::Null),
        ] {
            let reply = second.send(second.request(method.clone(), &path).json(&body)).await;
            assert_eq!(reply.status, StatusCode::FORBIDDEN, "{method} {path}: {reply:?}");
            assert!(reply.text().contains("mint user appoint"), "{method} {path}: {reply:?}");
        }
        assert_eq!(admin.get(TENANTS).await.status, StatusCode::OK);
    }
}

#[tokio::test]
async fn nobody_uses_a_suspended_laboratory_until_it_is_resumed() {
    for server in TestServer::on_every_database(&[]).await {
        let admin = appointed(&server).await;
        let head = made(&admin, "b").await;
        for client in [&head, &admin] {
            for guest in ["hello", "hello-process"] {
                client.installed(&bundle(guest), json!({})).await;
                assert_eq!(client.get(&format!("/api/{guest}/")).await.status, 200);
            }
        }
        let token = head.post("/api/tokens", &json!({ "name": "script", "days": 30 })).await.json();
        let pid = head.plugin("hello-process").await["runtime"]["pid"].as_i64().unwrap();
        let path = format!("{TENANTS}/b/suspension");
        assert_refused(&suspend(&admin, "b", "").await, 400, "VALIDATION_ERROR");
        assert_refused(&suspend(&admin, "default", "x").await, 409, "CONFLICT");
        let suspended = suspend(&admin, "b", "The bill is not paid.").await;
        assert_eq!((suspended.status, &suspended.json()["status"]), (StatusCode::OK, &json!("suspended")), "{suspended:?}");
        let bearer = |path: &str| head.request(Method::GET, path).bearer_auth(token["token"].as_str().unwrap());
        for reply in [
            head.get("/api/projects").await,
            head.get("/api/hello/").await,
            head.get("/api/hello-process/").await,
            head.send(bearer("/api/projects")).await,
            login(&head, "b").await,
        ] {
            assert_refused(&reply, 403, "tenant.suspended");
            assert!(reply.text().contains("The bill is not paid."), "{reply:?}");
        }
        // Whoever does not know the password is told nothing.
        let wrong = json!({ "tenant": "b", "username": "head", "password": "not the password" });
        assert_refused(&Client::anonymous(&server.url).post("/api/auth/login", &wrong).await, 401, "auth.unauthorized");
        eventually("the end of the process", || async {
            (!std::path::Path::new(&format!("/proc/{pid}")).exists()).then_some(())
        })
        .await;
        for guest in ["hello", "hello-process"] {
            assert_eq!(admin.get(&format!("/api/{guest}/")).await.status, 200, "a neighbour");
        }
        let resumed = admin.delete(&path).await;
        assert_eq!(resumed.json()["status"], "active", "{resumed:?}");
        for guest in ["hello", "hello-process"] {
            eventually("an answer", || async { (head.get(&format!("/api/{guest}/")).await.status == 200).then_some(()) }).await;
        }
        let actions = |entries: Value| -> Vec<String> {
            entries.as_array().unwrap().iter().map(|entry| entry["action"].as_str().unwrap().to_owned()).collect()
        };
        for client in [&head, &admin] {
            let noted = actions(client.get("/api/admin/audit?entity_type=tenant&entity_id=b").await.json());
            assert_eq!(noted, ["tenant.resume", "tenant.suspend", "tenant.create"]);
        }
    }
}

#[tokio::test]
async fn a_deleted_laboratory_leaves_nothing_and_takes_nothing_of_others() {
    for mut server in TestServer::on_every_database(&[]).await {
        let admin = appointed(&server).await;
        let head = made(&admin, "b").await;
        for client in [&head, &admin] {
            client.installed(&bundle("everything"), json!({})).await;
            execute(client, "create table t (a bigint)").await;
        }
        // What an uninstall keeps and what it archives goes, too.
        assert_eq!(head.uninstall("everything", "archive").await["status"], "done");
        head.installed(&bundle("everything"), json!({})).await;
        execute(&head, "create table t (a bigint)").await;
        assert_eq!(head.uninstall("everything", "keep").await["status"], "done");
        head.installed(&bundle("hello-process"), json!({})).await;
        let experiment = head.experiment("theirs").await;
        let put = head.put(&format!("/api/experiments/{experiment}/objects/file"), "bytes").await;
        assert!(put.status.is_success(), "{put:?}");

        let path = format!("{TENANTS}/b");
        assert_refused(&admin.delete(&path).await, 400, "VALIDATION_ERROR");
        assert_refused(&admin.delete(&format!("{TENANTS}/default?confirm=default")).await, 409, "CONFLICT");
        let begun = admin.delete(&format!("{path}?confirm=b")).await;
        assert_eq!((begun.status, &begun.json()["status"]), (StatusCode::ACCEPTED, &json!("deleting")), "{begun:?}");
        assert_refused(&head.get("/api/projects").await, 403, "tenant.suspended");
        assert_refused(&admin.delete(&format!("{path}/suspension")).await, 409, "CONFLICT");
        // A server that ends in the middle goes on with it when it is back.
        server.restart().await;
        let admin = admin.at(&server.url);
        eventually("the end of a laboratory", || async {
            (admin.get(&path).await.status == StatusCode::NOT_FOUND).then_some(())
        })
        .await;
        assert_refused(&login(&admin, "b").await, 401, "auth.unauthorized");
        for place in ["plugin-data/b", "plugin-tables/b"] {
            assert!(!server.data.join(place).exists(), "{place} is left");
        }
        eventually("the end of its files", || async {
            let mut files = walkdir(&server.data.join("objects"));
            files.retain(|file| !file.ends_with(".part"));
            files.is_empty().then_some(())
        })
        .await;
        assert_eq!(rows(&admin, "select * from t").await, json!([]), "a neighbour's table");
        // Another one of the name begins with nothing.
        let head = made(&admin, "b").await;
        assert_eq!(head.get("/api/experiments").await.json()["total"], 0);
        assert_eq!(head.get("/api/archives").await.json(), json!([]));
        head.installed(&bundle("everything"), json!({})).await;
        execute(&head, "create table t (a bigint)").await;
    }
}

/// Names of all files below a directory.
fn walkdir(directory: &std::path::Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(directory) else { return Vec::new() };
    let entries = entries.map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { walkdir(&path) } else { vec![path.display().to_string()] }).collect()
}
