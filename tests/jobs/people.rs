//! For whom jobs act, and who sees them.

use http::{Method, StatusCode};
use mint_tests::{Client, Reply, TestServer, bundle, eventually};
use serde_json::{Value, json};

use super::{begin, is_cancelled, job, plugins, stands};
use crate::people::with_role;

async fn me(client: &Client) -> Value {
    client.get("/api/users/me").await.json()["id"].clone()
}

#[tokio::test]
async fn a_job_acts_for_whoever_asked_for_it() {
    for server in TestServer::on_every_database(&[]).await {
        let member = server.client("member").await;
        for (slug, guest) in plugins() {
            server.admin.installed(&guest, json!({})).await;
            let id = begin(&member, slug, json!({ "kind": "whoami", "payload": {} })).await;
            let outcome = stands(&member, id, "completed").await["outcome"].to_string();
            assert!(outcome.contains(&me(&member).await.to_string()), "{outcome}");
        }
    }
}

#[tokio::test]
async fn a_job_of_somebody_who_left_is_given_up() {
    let server = TestServer::start().await;
    for (slug, guest) in plugins() {
        server.admin.installed(&guest, json!({})).await;
        let name = format!("leaver-{slug}");
        let user = json!({ "username": name, "password": mint_tests::PASSWORD, "role": "member" });
        let made = server.admin.post("/api/users", &user).await.json();
        let leaver = server.client(&name).await;
        let id = begin(&leaver, slug, json!({ "kind": "whoami", "payload": {}, "delay_seconds": 2 })).await;
        let path = format!("/api/users/{}", made["id"]);
        let reply = server.admin.patch(&path, &json!({ "is_active": false })).await;
        assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
        let failed = stands(&server.admin, id, "failed").await;
        assert!(failed["error"].as_str().unwrap().contains("may not sign in"), "{failed:#}");
    }
}

/// What somebody may not do any more, their job does not go on to do: it is begun anew with what they may.
#[tokio::test]
async fn a_job_is_begun_anew_when_the_rights_of_its_person_change() {
    let server = TestServer::start().await;
    for (slug, guest) in plugins() {
        server.admin.installed(&guest, json!({})).await;
        let name = format!("changed-{slug}");
        let user = json!({ "username": name, "password": mint_tests::PASSWORD, "role": "member" });
        let made = server.admin.post("/api/users", &user).await.json();
        let changed = server.client(&name).await;
        let id = begin(&changed, slug, json!({ "kind": "wait", "payload": {} })).await;
        assert_eq!(stands(&server.admin, id, "running").await["attempt"], 1);
        let path = format!("/api/users/{}", made["id"]);
        assert_eq!(server.admin.patch(&path, &json!({ "role": "viewer" })).await.status, StatusCode::OK);
        eventually("another attempt", || async { (job(&server.admin, id).await["attempt"] == 2).then_some(()) }).await;
        is_cancelled(&server.admin, id).await;
    }
}

#[tokio::test]
async fn jobs_are_seen_by_their_owners_and_by_whoever_may_see_all() {
    for server in TestServer::on_every_database(&[]).await {
        let role =
            |name: &str, permission: &str| json!({ "slug": name, "name": name, "permissions": ["plugins.use", permission] });
        let watcher = with_role(&server, "watcher", &role("watcher", "jobs.read_all")).await;
        let operator = with_role(&server, "operator", &role("operator", "jobs.manage_all")).await;
        let (member, viewer) = (server.client("member").await, server.client("viewer").await);
        let stranger = server.other_tenant("other").await;
        let (slug, guest) = plugins().into_iter().next().unwrap();
        server.admin.installed(&guest, json!({})).await;
        let id = begin(&member, slug, json!({ "kind": "echo", "payload": "a secret", "delay_seconds": 3_600 })).await;
        let (one, all) = (format!("/api/jobs/{id}"), "/api/jobs");
        for (client, sees) in [(&member, true), (&viewer, false), (&watcher, true), (&server.admin, true), (&stranger, false)] {
            let expected = if sees { StatusCode::OK } else { StatusCode::NOT_FOUND };
            assert_eq!(client.get(&one).await.status, expected);
            assert_eq!(client.get(all).await.json().as_array().unwrap().len(), usize::from(sees));
        }
        for client in [&viewer, &watcher, &stranger] {
            assert_eq!(client.post(&format!("{one}/cancel"), &Value::Null).await.status, StatusCode::NOT_FOUND);
        }
        assert_eq!(operator.post(&format!("{one}/cancel"), &Value::Null).await.json(), json!({ "cancelled": true }));
        assert_eq!(viewer.post(&format!("{one}/retry"), &Value::Null).await.status, StatusCode::NOT_FOUND);
        let again = member.post(&format!("{one}/retry"), &Value::Null).await;
        assert_eq!(again.status, StatusCode::OK, "{again:?}");
        assert_eq!(stands(&member, id, "completed").await["outcome"], "a secret");
        let done = member.post(&format!("{one}/retry"), &Value::Null).await;
        assert_eq!((done.status, done.code().as_str()), (StatusCode::CONFLICT, "CONFLICT"), "{done:?}");
        let audit = server.admin.get("/api/admin/audit?limit=50").await.text();
        assert!(audit.contains("job.cancel") && audit.contains("job.retry") && !audit.contains("a secret"), "{audit}");
    }
}

/// A token of few permissions asks for jobs that may as little, whatever its owner may.
#[tokio::test]
async fn a_job_may_no_more_than_the_token_by_which_it_was_asked_for() {
    for server in TestServer::on_every_database(&[]).await {
        server.admin.installed(&bundle("everything"), json!({})).await;
        let create = json!({ "function": "experiments.create", "arguments": { "name": "One" } });
        let wanted = json!({ "kind": "call", "payload": create });
        let asked_by = async |draft: Value| {
            let made = server.admin.post("/api/tokens", &draft).await.json();
            let request = Client::anonymous(&server.url).request(Method::POST, "/api/everything/call/jobs.enqueue");
            server.admin.send(request.bearer_auth(made["token"].as_str().unwrap()).json(&wanted)).await
        };
        let id = |reply: &Reply| reply.json()["id"].as_i64().unwrap_or_else(|| panic!("{reply:?}"));
        let able = asked_by(json!({ "name": "able", "permissions": ["plugins.use", "experiments.create"] })).await;
        stands(&server.admin, id(&able), "completed").await;
        let unable = asked_by(json!({ "name": "unable", "permissions": ["plugins.use"] })).await;
        let failed = stands(&server.admin, id(&unable), "failed").await;
        assert!(failed["error"].as_str().unwrap().contains("experiments.create"), "{failed:#}");
        let refused = asked_by(json!({ "name": "reader", "read_only": true })).await;
        assert_eq!((refused.status, refused.code().as_str()), (StatusCode::FORBIDDEN, "auth.read_only_token"), "{refused:?}");
    }
}
