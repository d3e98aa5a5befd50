//! Where the operator restricts who sees experiments: the REST API and plugins of both modes agree, whoever asks.

use http::{Method, StatusCode};
use mint_tests::{Client, Reply, TestServer, bundle};
use serde_json::{Value, json};

use super::{
    assert_refused, id_of,
    projects::{Inside, assert_ok, names, project, put},
    with_role,
};
use crate::subprocess::Program;

const MODE: &str = "MINT_ACCESS__EXPERIMENT_VISIBILITY_MODE";

/// As [`names`], by a credential of its own.
async fn names_by(server: &TestServer, token: &str) -> Value {
    let program = Client::anonymous(&server.url);
    let reply = program.send(program.request(Method::GET, "/api/experiments").bearer_auth(token)).await;
    assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
    reply.json()["experiments"].as_array().unwrap().iter().map(|one| one["name"].clone()).collect()
}

async fn restricted() -> Vec<TestServer> {
    let servers = TestServer::on_every_database(&[(MODE, "restricted")]).await;
    for server in &servers {
        assert_eq!(server.install(&bundle("everything")).await["status"], "done");
        let granted = json!({ "capabilities": [{ "name": "experiments:read" }, { "name": "results:write" }] });
        assert_eq!(server.install(&Program::NOSY.bundle_with("nosy", granted)).await["status"], "done");
    }
    servers
}

#[tokio::test]
async fn restricted_experiments_are_there_for_those_who_made_them_or_have_a_part_in_both_modes() {
    for server in restricted().await {
        let admin = &server.admin;
        let (project, one, two) = project(&server, "P").await;
        let (member, viewer) = (server.client("member").await, server.client("viewer").await);
        let id = id_of(admin, "member").await;
        let inside = Inside::of(&server, &member, id).await;
        let role = json!({ "slug": "works", "name": "x", "permissions": ["experiments.view", "experiments.edit"] });
        let custom = with_role(&server, "works", &role).await;
        let collaborators = format!("/api/experiments/{one}/collaborators/{id}");
        let members = format!("/api/projects/{project}/members/{id}");

        // Everybody sees that there is a project, and nothing in it.
        for client in [&member, &viewer, &custom] {
            assert_eq!(names(client).await, json!([]));
            assert_eq!(client.get("/api/experiments?search=one").await.json()["total"], 0);
        }
        for client in [&member, &viewer] {
            assert_eq!(client.get("/api/projects").await.json()["total"], 1);
            assert_eq!(client.get(&format!("/api/projects/{project}/experiments")).await.json()["total"], 0);
        }
        inside.sees(one, None).await;
        assert_eq!(names(admin).await, json!(["P one", "P two"]));

        // Whoever made one sees it, and works with it as their role says.
        let new = json!({ "name": "mine", "experiment_type": "t", "project": "P" });
        let mine = member.post("/api/experiments", &new).await;
        assert_eq!(mine.status, StatusCode::CREATED, "{mine:?}");
        let mine = mine.json()["id"].as_i64().unwrap();
        assert_eq!(names(&member).await, json!(["mine"]));
        inside.sees(mine, Some("mine")).await;
        assert_eq!((names(&viewer).await, names(&custom).await), (json!([]), json!([])));
        assert_eq!(names(admin).await, json!(["P one", "P two", "mine"]));

        // A part in one, then in the project.
        assert_ok(&put(admin, &collaborators, "viewer").await);
        assert_eq!(names(&member).await, json!(["P one", "mine"]));
        inside.sees(one, Some("P one")).await;
        inside.sees(two, None).await;
        assert_ok(&put(admin, &members, "viewer").await);
        assert_eq!(names(&member).await, json!(["P one", "P two", "mine"]));
        inside.sees(two, Some("P two")).await;
        assert_ok(&admin.delete(&members).await);
        assert_ok(&admin.delete(&collaborators).await);
        assert_eq!(names(&member).await, json!(["mine"]));
        inside.sees(one, None).await;

        // An administrator's program sees what they see, as far as it may look.
        for bound in [json!({ "read_only": true }), json!({ "permissions": ["experiments.view"] })] {
            let mut asked = json!({ "name": "program" });
            asked.as_object_mut().unwrap().extend(bound.as_object().unwrap().clone());
            let token = admin.post("/api/tokens", &asked).await.json()["token"].as_str().unwrap().to_owned();
            assert_eq!(names_by(&server, &token).await, json!(["P one", "P two", "mine"]), "{bound}");
        }
        let own = member.post("/api/tokens", &json!({ "name": "program" })).await.json()["token"].as_str().unwrap().to_owned();
        assert_eq!(names_by(&server, &own).await, json!(["mine"]));
    }
}

/// What a refusal says, but for the number.
fn told(reply: &Reply, id: i64) -> (StatusCode, String) {
    (reply.status, reply.json()["message"].as_str().unwrap().replace(&id.to_string(), "…"))
}

#[tokio::test]
async fn a_restricted_experiment_is_answered_as_one_that_there_is_not() {
    for server in restricted().await {
        let (_, one, _) = project(&server, "P").await;
        for name in ["member", "viewer"] {
            let client = server.client(name).await;
            for (method, rest, body) in [
                (Method::GET, "", Value::Null),
                (Method::PATCH, "", json!({ "name": "x" })),
                (Method::DELETE, "", Value::Null),
                (Method::GET, "/data", Value::Null),
                (Method::GET, "/results", Value::Null),
                (Method::GET, "/objects", Value::Null),
                (Method::GET, "/collaborators", Value::Null),
                (Method::PUT, "/collaborators/1", json!({ "role": "viewer" })),
            ] {
                let ask = async |id: i64| {
                    let request = client.request(method.clone(), &format!("/api/experiments/{id}{rest}"));
                    client.send(if body.is_null() { request } else { request.json(&body) }).await
                };
                let (hidden, missing) = (ask(one).await, ask(987_654).await);
                assert_refused(&hidden, 404, "NOT_FOUND");
                assert_eq!(told(&hidden, one), told(&missing, 987_654), "{name} {method} {rest}");
            }
        }
        let child = |parent: i64| json!({ "name": "n", "experiment_type": "t", "parent_experiment_id": parent });
        let member = server.client("member").await;
        let (hidden, missing) =
            (member.post("/api/experiments", &child(one)).await, member.post("/api/experiments", &child(987_654)).await);
        assert_refused(&hidden, 400, "VALIDATION_ERROR");
        assert_eq!(told(&hidden, one), told(&missing, 987_654));
    }
}

#[tokio::test]
async fn open_experiments_are_there_for_everybody_who_may_see_experiments() {
    for mut server in TestServer::on_every_database(&[(MODE, "open")]).await {
        let (_, one, _) = project(&server, "P").await;
        let viewer = server.client("viewer").await;
        assert_eq!(names(&viewer).await, json!(["P one", "P two"]));
        assert_eq!(viewer.get(&format!("/api/experiments/{one}")).await.status, StatusCode::OK);
        let blind = with_role(&server, "blind", &json!({ "slug": "blind", "name": "x", "permissions": ["projects.view"] })).await;
        assert_refused(&blind.get("/api/experiments").await, 403, "PERMISSION_DENIED");
        // The operator changes it for what there is.
        server.set(MODE, "restricted");
        server.restart().await;
        assert_eq!(names(&viewer.at(&server.url)).await, json!([]));
        assert_eq!(names(&server.admin).await, json!(["P one", "P two"]));
        server.stop().await;
    }
}
