//! What the permissions that MINT 1.3 added open, and to whom: at the REST API, and through a plugin.

use http::StatusCode;
use mint_tests::{Client, TestServer};
use serde_json::{Value, json};

use super::{assert_refused, id_of, with_role};
use crate::subprocess::Program;

/// Somebody with a role of these permissions, by its name.
async fn person(server: &TestServer, name: &str, permissions: &[&str]) -> Client {
    with_role(server, name, &json!({ "slug": name, "name": name, "permissions": permissions })).await
}

/// Has the plugin ask the platform for whoever asks it.
async fn through(client: &Client, method: &str, path: &str, body: &Value) -> Value {
    let call = json!({ "method": method, "path": path, "body": body });
    let reply = client.post("/api/nosy/call", &call).await;
    assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
    reply.json()
}

/// What a list names, in order.
async fn listed(client: &Client, path: &str, key: &str) -> Vec<String> {
    let reply = client.get(path).await;
    assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
    let mut names: Vec<String> =
        reply.json().as_array().unwrap().iter().map(|one| one[key].as_str().unwrap().to_owned()).collect();
    names.sort();
    names
}

async fn serving() -> Vec<TestServer> {
    let servers = TestServer::on_every_database(&[]).await;
    for server in &servers {
        let asked = json!({ "capabilities": [{ "name": "instruments:write" }] });
        assert_eq!(server.install(&Program::NOSY.bundle_with("nosy", asked)).await["status"], "done");
    }
    servers
}

#[tokio::test]
async fn instruments_have_permissions_of_their_own() {
    for server in serving().await {
        let new = |name: &str| json!({ "name": name });
        let made = through(&server.admin, "POST", "/instruments", &new("Exploris")).await;
        assert_eq!((&made["status"], &made["body"]["name"]), (&json!(200), &json!("Exploris")), "{made}");
        let path = format!("/instruments/{}", made["body"]["id"].as_str().unwrap());
        let (member, viewer) = (server.client("member").await, server.client("viewer").await);
        let curator = person(&server, "curator", &["plugins.use", "instruments.view", "instruments.edit"]).await;
        let worker = person(&server, "worker", &["plugins.use", "experiments.view", "experiments.edit"]).await;
        for seeing in [&member, &viewer, &curator] {
            assert_eq!(listed(seeing, "/api/instruments", "name").await, ["Exploris"]);
            assert_eq!(through(seeing, "GET", &path, &Value::Null).await["body"]["name"], "Exploris");
        }
        assert_refused(&worker.get("/api/instruments").await, 403, "PERMISSION_DENIED");
        for client in [&member, &viewer, &worker] {
            for (method, path) in [("POST", "/instruments"), ("PATCH", path.as_str())] {
                let refused = through(client, method, path, &new("Mine")).await;
                assert_eq!(
                    (&refused["status"], &refused["body"]["code"]),
                    (&json!(403), &json!("PERMISSION_DENIED")),
                    "{refused}"
                );
                assert_eq!(refused["body"]["details"]["required_permission"], "instruments.edit", "{refused}");
            }
        }
        assert_eq!(through(&worker, "GET", &path, &Value::Null).await["status"], 403);
        assert_eq!(through(&curator, "PATCH", &path, &new("Astral")).await["body"]["name"], "Astral");
    }
}

#[tokio::test]
async fn the_calendar_shows_everybodys_events_or_ones_own() {
    for server in serving().await {
        let reader = person(&server, "reader", &["plugins.use"]).await;
        let planner = person(&server, "planner", &["plugins.use", "calendar.read_all"]).await;
        let (own, others) = (id_of(&server.admin, "reader").await, id_of(&server.admin, "admin").await);
        let event = |key: &str, participants: Value| {
            json!({
                "operation": "upsert", "event_key": key, "title": "t", "start": "2026-11-21", "end": "2026-11-22",
                "participant_user_ids": participants,
            })
        };
        let events = [event("theirs", json!([others])), event("both", json!([others, own])), event("own", json!([own]))];
        assert_eq!(through(&server.admin, "POST", "/calendar/events", &json!({ "events": events })).await["status"], 200);
        let path = "/api/calendar/events";
        assert_eq!(listed(&reader, path, "event_key").await, ["both", "own"]);
        for (client, seen) in [("viewer", &[][..]), ("member", &["both", "own", "theirs"]), ("admin", &["both", "own", "theirs"])]
        {
            assert_eq!(listed(&server.client(client).await, path, "event_key").await, seen, "{client}");
        }
        assert_eq!(listed(&planner, path, "event_key").await, ["both", "own", "theirs"]);
        assert_eq!(listed(&reader, &format!("{path}?limit=1"), "event_key").await, ["both"]);
    }
}

#[tokio::test]
async fn what_is_important_to_others_is_told_to_whoever_is_to_receive_it() {
    for server in serving().await {
        let duty = person(&server, "duty", &["plugins.use", "notifications.receive_important"]).await;
        let owner = id_of(&server.admin, "member").await.to_string();
        for (job, status) in [("went", "completed"), ("broke", "failed")] {
            let told = json!({
                "function_id": "fit", "job_id": job, "owner_user_id": owner, "status": status, "title": "Fit",
                "occurred_at": "2026-11-21T09:00:00Z",
            });
            assert_eq!(through(&server.admin, "POST", "/notifications/jobs/terminal", &told).await["status"], 200);
        }
        let events = json!([{ "event_key": "all", "severity": "info", "title": "t", "message": "m" }]);
        let told = json!({ "function_id": "watch", "channels": ["email"], "events": events });
        assert_eq!(through(&server.admin, "POST", "/notifications/events", &told).await["status"], 200);
        let path = "/api/notifications";
        for (name, seen) in [("member", &["all", "broke", "went"][..]), ("admin", &["all", "broke"]), ("viewer", &["all"])] {
            assert_eq!(listed(&server.client(name).await, path, "event_key").await, seen, "{name}");
        }
        assert_eq!(listed(&duty, path, "event_key").await, ["all", "broke"]);
    }
}

/// The names that programs of both generations know are shown, and none of them is given that would promise what is not there.
#[tokio::test]
async fn who_has_all_that_a_role_can_be_made_of_makes_members_and_no_administrators() {
    let server = TestServer::start().await;
    let roles = server.admin.get("/api/roles").await.json();
    let of = |role: &str| roles.as_array().unwrap().iter().find(|one| one["slug"] == role).unwrap()["permissions"].clone();
    let has = |role: &str, permission: &str| of(role).as_array().unwrap().iter().any(|one| one == permission);
    let all: Vec<String> = of("admin").as_array().unwrap().iter().map(|one| one.as_str().unwrap().to_owned()).collect();
    assert_eq!(all.len(), 26);
    for (permission, member, viewer) in [
        ("instruments.view", true, true),
        ("instruments.edit", false, false),
        ("jobs.read_all", false, false),
        ("jobs.manage_all", false, false),
        ("filesystem.browse", true, false),
        ("notifications.receive_important", false, false),
        ("calendar.read_all", true, false),
        ("notices.publish", false, false),
        ("users.invite", true, false),
    ] {
        assert_eq!((has("member", permission), has("viewer", permission)), (member, viewer), "{permission}");
    }
    let idle = ["platform.configure", "filesystem.browse", "notices.publish"];
    for permission in idle {
        let role = json!({ "slug": "idle", "name": "x", "permissions": ["projects.view", permission] });
        assert_refused(&server.admin.post("/api/roles", &role).await, 400, "VALIDATION_ERROR");
    }
    let rest: Vec<&str> = all.iter().map(String::as_str).filter(|one| !idle.contains(one)).collect();
    let manager = person(&server, "manager", &rest).await;
    let new = |name: &str, role: &str| json!({ "username": name, "password": mint_tests::PASSWORD, "role": role });
    for role in ["member", "viewer", "manager"] {
        assert_eq!(manager.post("/api/users", &new(&format!("a-{role}"), role)).await.status, StatusCode::CREATED, "{role}");
    }
    assert_refused(&manager.post("/api/users", &new("second", "admin")).await, 403, "PERMISSION_DENIED");
    let promoted = json!({ "role": "admin" });
    let path = format!("/api/users/{}", id_of(&server.admin, "member").await);
    assert_refused(&manager.patch(&path, &promoted).await, 403, "PERMISSION_DENIED");
}
