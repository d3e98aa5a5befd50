//! Every change can be asked what it would do. The steps are those that would run, and nothing is changed.

use http::StatusCode;
use mint_platform::{archives, configure, disable, install, uninstall};
use mint_tests::{Client, Guest, Reply, TestServer, bundle, repackaged};
use reqwest::{
    Method, RequestBuilder,
    multipart::{Form, Part},
};
use serde_json::{Value, json};

use super::migrations::{drops, makes, release};

/// Everything that a change could change.
async fn found(client: &Client, data: &std::path::Path) -> Value {
    let mut plugins = client.get("/api/plugins").await.json();
    for plugin in plugins["installed"].as_array_mut().unwrap() {
        plugin.as_object_mut().unwrap().remove("health_status");
    }
    let mut found = vec![plugins, client.get("/api/archives").await.json()];
    for plugin in ["migrator", "hello"] {
        for list in ["migrations", "snapshots", "releases", "config"] {
            let reply = client.get(&format!("/api/plugins/{plugin}/{list}")).await;
            found.push(if reply.status == StatusCode::OK { reply.json() } else { json!(reply.status.as_u16()) });
        }
    }
    for id in 1.. {
        let operation = client.get(&format!("/api/operations/{id}")).await;
        if operation.status != StatusCode::OK {
            break;
        }
        found.push(operation.json());
    }
    for directory in ["releases", "bundles", "_uploads", "plugin-data/default", "plugin-tables/default"] {
        let there = std::fs::read_dir(data.join(directory)).into_iter().flatten();
        let mut names: Vec<_> = there.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        found.push(json!(names));
    }
    Value::Array(found)
}

fn form(guest: &Guest, decision: &Value) -> Form {
    let file = Part::bytes(std::fs::read(&guest.path).unwrap()).file_name("bundle.mint");
    Form::new().text("decision", decision.to_string()).part("bundle", file)
}

struct Laboratory {
    server: TestServer,
}

impl Laboratory {
    /// What a change would do, after a look that it was not done.
    async fn ask(&self, request: RequestBuilder) -> Value {
        let admin = &self.server.admin;
        let before = found(admin, &self.server.data).await;
        let reply: Reply = admin.send(request.query(&[("dry_run", "true")])).await;
        assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
        assert_eq!(found(admin, &self.server.data).await, before, "{reply:?}");
        reply.json()
    }

    async fn change(&self, method: Method, path: &str) -> Value {
        self.ask(self.server.admin.request(method, path)).await
    }

    async fn bundle(&self, path: &str, guest: &Guest, decision: &Value) -> Value {
        self.ask(self.server.admin.request(Method::POST, path).multipart(form(guest, decision))).await
    }
}

fn names(foreseen: &Value) -> Vec<&str> {
    foreseen["steps"].as_array().unwrap().iter().map(|step| step["name"].as_str().unwrap()).collect()
}

fn would<'a>(foreseen: &'a Value, name: &str) -> &'a str {
    let mut steps = foreseen["steps"].as_array().unwrap().iter();
    steps.find(|step| step["name"] == name).unwrap()["would"].as_str().unwrap()
}

/// It would be done, in the steps that the code has.
fn assert_done(foreseen: &Value) {
    let others = [archives::change(), configure::change(), disable::change(), uninstall::change()];
    let all = install::changes().into_iter().chain(others);
    let (_, expected) = all.into_iter().find(|(kind, _)| foreseen["kind"] == *kind).unwrap();
    assert_eq!((&foreseen["outcome"], names(foreseen)), (&json!("done"), expected), "{foreseen:#}");
}

#[tokio::test]
async fn an_install_and_an_upgrade_tell_grants_release_and_migrations() {
    let history = [makes(1, "old"), makes(2, "new"), drops(3, "old")];
    let (first, second) = (release("1.0.0", &history[..1]), release("2.0.0", &history));
    for server in TestServer::on_every_database(&[]).await {
        let laboratory = Laboratory { server };
        let refused = laboratory.bundle("/api/plugins/upload", &first, &json!({})).await;
        assert_eq!((&refused["outcome"], &refused["code"]), (&json!("refused"), &json!("plugin.grants_missing")), "{refused:#}");
        assert_eq!(names(&refused), ["verify", "frontend", "plan"]);
        let install = laboratory.bundle("/api/plugins/upload", &first, &json!({ "grant_requested": true })).await;
        assert_done(&install);
        assert!(would(&install, "approve").contains("database"), "{install:#}");
        assert_eq!(would(&install, "migrate"), "applies 1 (step 1)");

        laboratory.server.admin.installed(&first, json!({})).await;
        let again = laboratory.bundle("/api/plugins/upload", &first, &json!({ "grant_requested": true })).await;
        assert_eq!(again["outcome"], "nothing", "{again:#}");
        let destructive = laboratory.bundle("/api/plugins/migrator/upgrade", &second, &json!({})).await;
        assert_eq!(destructive["code"], "plugin.destructive_migrations", "{destructive:#}");
        let upgrade = laboratory.bundle("/api/plugins/migrator/upgrade", &second, &json!({ "allow_destructive": true })).await;
        assert_done(&upgrade);
        assert_eq!(would(&upgrade, "migrate"), "applies 2 (step 2); later 3 (step 3)");
        assert!(would(&upgrade, "contract").ends_with("3 (step 3)"), "{upgrade:#}");
        let done = laboratory.server.admin.upgrade("migrator", &second, &json!({ "allow_destructive": true })).await;
        assert_eq!(done["status"], "done", "{done:#}");

        let reset = json!({ "revision": 2, "confirm": "" });
        let request = laboratory.server.admin.request(Method::POST, "/api/plugins/migrator/reset").json(&reset);
        let reset = laboratory.ask(request).await;
        assert_done(&reset);
        assert!(would(&reset, "revert").contains("3 (step 3)"), "{reset:#}");
    }
}

#[tokio::test]
async fn whatever_else_is_asked_tells_its_steps() {
    let laboratory = Laboratory { server: TestServer::start().await };
    let admin = laboratory.server.admin.clone();
    let second = repackaged(&bundle("hello"), |manifest| manifest["plugin"]["version"] = json!("2.0.0"));
    admin.installed(&bundle("hello"), json!({})).await;
    assert_eq!(admin.upgrade("hello", &second, &json!({})).await["status"], "done");
    let snapshot = super::snapshots::take(&admin, "hello").await;
    let post = async |verb: &str, body: Value| {
        let request = admin.request(Method::POST, &format!("/api/plugins/hello/{verb}"));
        laboratory.ask(if body.is_null() { request } else { request.json(&body) }).await
    };
    for (verb, body) in [
        ("rollback", json!({})),
        ("restore", json!({ "snapshot": snapshot })),
        ("snapshots", json!(null)),
        ("reload", json!(null)),
        ("disable", json!(null)),
    ] {
        assert_done(&post(verb, body).await);
    }
    assert_eq!(post("enable", json!(null)).await["outcome"], "nothing");
    let config = "/api/plugins/hello/config";
    let tag = admin.get(config).await.headers["etag"].clone();
    let greeting = admin.request(Method::PUT, config).header("if-match", tag).json(&json!({ "config": { "greeting": "Moin" } }));
    assert_done(&laboratory.ask(greeting).await);
    let backup = admin.get(&format!("/api/plugins/hello/snapshots/{snapshot}")).await.body;
    let upload = admin.request(Method::POST, "/api/plugins/hello/snapshots/upload").body(backup);
    assert_done(&laboratory.ask(upload).await);
    for data in ["keep", "archive", "purge"] {
        assert_done(&laboratory.change(Method::DELETE, &format!("/api/plugins/hello?data={data}")).await);
    }
    admin.change("hello", "disable").await;
    assert_done(&post("enable", json!(null)).await);
    assert_eq!(admin.uninstall("hello", "archive").await["status"], "done");
    let archive = admin.get("/api/archives").await.json()[0]["name"].clone();
    assert_done(&laboratory.bundle("/api/plugins/upload", &second, &json!({ "adopt": archive })).await);
    assert_done(&laboratory.change(Method::DELETE, &format!("/api/archives/{}", archive.as_str().unwrap())).await);
    let viewer = laboratory.server.client("viewer").await;
    let refused = viewer.delete(&format!("/api/archives/{}?dry_run=true", archive.as_str().unwrap())).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
}
