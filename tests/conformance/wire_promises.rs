//! Promises of the internal API: a request that is sent again does no more, a role costs next to nothing, and a token is good
//! for one plugin of one laboratory.

use std::sync::{Arc, Mutex};

use http::{Method, StatusCode};
use mint_tests::{Client, TestServer, eventually};
use serde_json::{Value, json};
use tracing::{
    Event, Metadata, Subscriber,
    field::{Field, Visit},
    span,
};

use super::wire::{Wire, bundle, install, serving};

/// An answer without what differs each time.
fn lasting(answer: &Value) -> Value {
    let mut answer = answer.clone();
    let changed = |record: &mut Value| {
        let fields = record.as_object_mut().into_iter();
        fields.for_each(|fields| fields.retain(|name, _| name != "updated_at" && name != "request_id"));
    };
    match &mut answer["body"] {
        Value::Array(records) => records.iter_mut().for_each(changed),
        record => changed(record),
    }
    answer
}

/// What the platform has, as lists.
async fn kept(wire: &mut Wire<'_>, id: i64) -> Vec<Value> {
    let mut lists = Vec::new();
    for list in [
        "/plugin-config/nosy".to_owned(),
        "/plugin-roles".to_owned(),
        "/experiments".to_owned(),
        format!("/experiments/{id}/results"),
        format!("/experiments/{id}/analysis-artifacts?include_archived=true"),
        format!("/experiments/{id}/objects"),
    ] {
        lists.push(lasting(&wire.ask(&format!("GET {list}")).await));
    }
    lists
}

/// SDKs send `PUT` and `DELETE` again when they did not hear the answer.
#[tokio::test]
async fn put_and_delete_sent_again_do_no_more() {
    for server in TestServer::on_every_database(&[]).await {
        install(&server).await;
        let id = server.admin.experiment("one").await;
        let mut wire = Wire::new(&server.admin, "nosy");
        let experiment = format!("/experiments/{id}");
        let puts = [
            ("/plugin-config/nosy".to_owned(), json!({ "settings": { "a": 1 }, "owned_keys": ["a"] })),
            ("/plugin-roles/2".to_owned(), json!({ "role": "lead" })),
            (format!("{experiment}/data"), json!({ "plugin_id": "nosy", "data": { "a": 1 }, "schema_version": "1.0" })),
            (format!("{experiment}/results/nosy"), json!({ "plugin_id": "nosy", "result": { "a": 1 } })),
            (format!("{experiment}/analysis-artifacts/a/b"), json!({ "result": { "a": 1 }, "note": "n" })),
            (format!("{experiment}/analysis-artifacts"), json!({ "artifacts": [{ "artifact_key": "c", "result": {} }] })),
        ];
        for (path, body) in &puts {
            let asked = format!("PUT {path}");
            let first = wire.tell(&asked, body.clone()).await;
            assert_eq!(first["status"], 200, "{asked}: {first}");
            let before = kept(&mut wire, id).await;
            assert_eq!(lasting(&wire.tell(&asked, body.clone()).await), lasting(&first), "{asked}");
            assert_eq!(kept(&mut wire, id).await, before, "{asked}");
        }
        let object = format!("{experiment}/objects/a/b.json");
        let first = wire.put(&object, "{}").await;
        assert_eq!(lasting(&wire.put(&object, "{}").await)["body"]["sha256"], first["body"]["sha256"]);

        let deletes = [
            "/plugin-roles/2".to_owned(),
            format!("{experiment}/data"),
            format!("{experiment}/results/nosy"),
            object,
            experiment,
        ];
        for path in deletes {
            let asked = format!("DELETE {path}");
            assert_eq!(wire.ask(&asked).await, json!({ "status": 200, "body": { "deleted": true } }), "{asked}");
            let before = kept(&mut wire, id).await;
            assert_eq!(wire.ask(&asked).await["status"], 404, "{asked}");
            assert_eq!(kept(&mut wire, id).await, before, "{asked}");
        }
    }
}

/// Notes every statement that reaches a database.
#[derive(Clone, Default)]
struct Statements(Arc<Mutex<Vec<String>>>);

impl Statements {
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

impl Visit for Statements {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        if field.name() == "summary" {
            self.0.lock().unwrap().push(format!("{value:?}"));
        }
    }
}

impl Subscriber for Statements {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "sqlx::query"
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        event.record(&mut self.clone());
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

/// The platform as a plugin's process reaches it, without a request of anybody in progress.
struct Process {
    client: Client,
    token: String,
}

impl Process {
    async fn of(server: &TestServer, owner: &Client, slug: &str) -> Self {
        let seen = owner.get(&format!("/api/{slug}/environment")).await.json();
        let token = seen["environment"]["MINT_PLUGIN_TOKEN"].as_str().unwrap().to_owned();
        Self { client: Client::anonymous(&server.url), token }
    }

    async fn get(&self, path: &str) -> (StatusCode, Value) {
        let request = self.client.request(Method::GET, &format!("/api/internal{path}"));
        let request = request.header("x-mint-internal-token", &self.token).header("x-mint-plugin-name", "nosy");
        let reply = self.client.send(request).await;
        (reply.status, reply.json())
    }
}

/// Whether no other test runs in this process.
#[expect(clippy::disallowed_methods, reason = "asks who runs the test")]
fn is_alone() -> bool {
    std::env::var_os("NEXTEST").is_some()
}

/// SDKs ask for the role with every request of a member.
#[tokio::test]
async fn a_role_costs_one_statement_and_none_while_the_person_is_served() {
    const CALLS: usize = 20;
    if !is_alone() {
        eprintln!("SKIPPED: it counts what its process asks of databases, so it must be alone there. Run it with cargo-nextest.");
        return;
    }
    let statements = Statements::default();
    tracing::subscriber::set_global_default(statements.clone()).unwrap();
    for server in TestServer::on_every_database(&[]).await {
        install(&server).await;
        assert_eq!(Wire::new(&server.admin, "nosy").tell("PUT /plugin-roles/2", json!({ "role": "lead" })).await["status"], 200);
        let process = Process::of(&server, &server.admin, "nosy").await;
        let count = async || {
            statements.take();
            for _ in 0..CALLS {
                assert_eq!(process.get("/plugin-roles/2").await, (StatusCode::OK, json!({ "role": "lead" })));
            }
            // Its own, without what else the platform does at times.
            statements.take().iter().filter(|statement| statement.contains("select id, user_id, plugin")).count()
        };
        assert_eq!(count().await, CALLS);

        let member = server.client("member").await;
        let serve = member.get("/api/nosy/hold");
        let meanwhile = async {
            eventually("the request of the member", || async {
                let request = process.client.request(Method::GET, "/api/internal/platform").header("x-mint-user-id", "2");
                let request = request.header("x-mint-internal-token", &process.token).header("x-mint-plugin-name", "nosy");
                (process.client.send(request).await.status == StatusCode::OK).then_some(())
            })
            .await;
            let counted = count().await;
            server.admin.get("/api/nosy/release").await;
            counted
        };
        assert_eq!(tokio::join!(serve, meanwhile).1, 0);
    }
}

#[tokio::test]
async fn a_token_reaches_nothing_of_another_laboratory() {
    let server = serving().await;
    let stranger = server.other_tenant("other-lab").await;
    assert_eq!(stranger.install(&bundle("nosy"), json!({ "grant_requested": true })).await["status"], "done");
    let id = server.admin.experiment("secret").await;
    let mut own = Wire::new(&server.admin, "nosy");
    for (path, body) in [
        (format!("/experiments/{id}/data"), json!({ "plugin_id": "nosy", "data": {} })),
        (format!("/experiments/{id}/results/nosy"), json!({ "result": {} })),
        ("/plugin-config/nosy".to_owned(), json!({ "secret": 1 })),
        ("/plugin-roles/2".to_owned(), json!({ "role": "lead" })),
    ] {
        assert_eq!(own.tell(&format!("PUT {path}"), body).await["status"], 200, "{path}");
    }
    assert_eq!(own.put(&format!("/experiments/{id}/objects/o"), "{}").await["status"], 200);

    let process = Process::of(&server, &stranger, "nosy").await;
    assert_ne!(process.token, Process::of(&server, &server.admin, "nosy").await.token);
    for path in ["", "/data", "/results/nosy", "/analysis-artifacts/nosy/default", "/objects/o", "/objects", "/results"] {
        let (status, said) = process.get(&format!("/experiments/{id}{path}")).await;
        assert_eq!((status, &said["code"]), (StatusCode::NOT_FOUND, &json!("NOT_FOUND")), "{path}: {said}");
    }
    for path in ["/users/2", "/users/by-username/member", "/plugin-roles/2"] {
        assert_eq!(process.get(path).await.0, StatusCode::NOT_FOUND, "{path}");
    }
    let nothing = [("/plugin-config/nosy", json!({})), ("/plugin-roles", json!([])), ("/users/2/plugin-roles", json!([]))];
    for (path, expected) in nothing {
        assert_eq!(process.get(path).await, (StatusCode::OK, expected), "{path}");
    }
    assert_eq!(process.get("/experiments").await.1, json!({ "experiments": [], "total": 0 }));
    let found = process.get("/users").await.1;
    assert_eq!(found.as_array().unwrap().len(), 1, "{found}");
}
