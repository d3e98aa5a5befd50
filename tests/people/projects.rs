//! Parts in projects and in experiments, and what they let people do: at the REST API, and through plugins in both modes.

use http::{Method, StatusCode};
use mint_tests::{Client, Reply, TestServer, bundle};
use serde_json::{Value, json};

use super::{assert_refused, id_of, with_role};
use crate::subprocess::Program;

pub(super) async fn put(client: &Client, path: &str, role: &str) -> Reply {
    client.send(client.request(Method::PUT, path).json(&json!({ "role": role }))).await
}

#[track_caller]
pub(super) fn assert_ok(reply: &Reply) {
    assert!(reply.status.is_success(), "{reply:?}");
}

/// A project with two experiments, made by the administrator: the project's number and theirs.
pub(super) async fn project(server: &TestServer, name: &str) -> (i64, i64, i64) {
    let admin = &server.admin;
    let made = admin.post("/api/projects", &json!({ "name": name })).await;
    let mut experiments = Vec::new();
    for one in ["one", "two"] {
        let new = json!({ "name": format!("{name} {one}"), "experiment_type": "t", "project": name });
        experiments.push(admin.post("/api/experiments", &new).await.json()["id"].as_i64().unwrap());
    }
    (made.json()["id"].as_i64().unwrap(), experiments[0], experiments[1])
}

pub(super) async fn names(client: &Client) -> Value {
    let listed = client.get("/api/experiments").await.json();
    let names: Vec<Value> = listed["experiments"].as_array().unwrap().iter().map(|one| one["name"].clone()).collect();
    assert_eq!(listed["total"], names.len(), "{listed}");
    names.into()
}

#[tokio::test]
async fn a_part_in_a_project_adds_to_what_a_role_allows() {
    for server in TestServer::on_every_database(&[]).await {
        let admin = &server.admin;
        let (project, one, two) = project(&server, "P").await;
        let members = format!("/api/projects/{project}/members");
        let viewer = server.client("viewer").await;
        let of_viewer = format!("{members}/{}", id_of(admin, "viewer").await);
        let edit = json!({ "notes": "n" });
        let (first, second) = (format!("/api/experiments/{one}"), format!("/api/experiments/{two}"));
        assert_refused(&viewer.patch(&first, &edit).await, 403, "PERMISSION_DENIED");
        assert_refused(&put(&viewer, &of_viewer, "owner").await, 403, "PERMISSION_DENIED");

        // An editor edits, creates, and deletes what is their own.
        assert_ok(&put(admin, &of_viewer, "editor").await);
        assert_ok(&viewer.patch(&first, &edit).await);
        let new = json!({ "name": "mine", "experiment_type": "t", "project": "P" });
        let mine = viewer.post("/api/experiments", &new).await;
        assert_eq!(mine.status, StatusCode::CREATED, "{mine:?}");
        assert_refused(&viewer.delete(&first).await, 403, "PERMISSION_DENIED");
        assert_ok(&viewer.delete(&format!("/api/experiments/{}", mine.json()["id"])).await);
        let elsewhere = json!({ "name": "x", "experiment_type": "t" });
        assert_refused(&viewer.post("/api/experiments", &elsewhere).await, 403, "PERMISSION_DENIED");
        assert_refused(
            &viewer.patch(&format!("/api/projects/{project}"), &json!({ "name": "Q" })).await,
            403,
            "PERMISSION_DENIED",
        );
        assert_refused(&put(&viewer, &of_viewer, "owner").await, 403, "PERMISSION_DENIED");
        // Nor can they take an experiment out of the project, to where they would have more to say.
        assert_refused(&viewer.patch(&first, &json!({ "project": null })).await, 403, "PERMISSION_DENIED");

        // An owner decides.
        assert_ok(&put(admin, &of_viewer, "owner").await);
        let renamed = viewer.patch(&format!("/api/projects/{project}"), &json!({ "name": "Q", "status": "archived" })).await;
        assert_eq!((&renamed.json()["name"], &renamed.json()["status"]), (&json!("Q"), &json!("archived")));
        let of_member = format!("{members}/{}", id_of(admin, "member").await);
        assert_ok(&put(&viewer, &of_member, "viewer").await);
        let listed = viewer.get(&members).await.json();
        let parts: Vec<(&str, &str)> = listed
            .as_array()
            .unwrap()
            .iter()
            .map(|part| (part["username"].as_str().unwrap(), part["role"].as_str().unwrap()))
            .collect();
        assert_eq!(parts, [("admin", "owner"), ("member", "viewer"), ("viewer", "owner")]);
        assert_refused(&viewer.delete(&format!("/api/projects/{project}")).await, 409, "CONFLICT");
        for path in [&first, &second] {
            assert_ok(&viewer.delete(path).await);
        }
        // Members delete and share what they own, and no other project.
        let member = server.client("member").await;
        assert_refused(&member.delete(&format!("/api/projects/{project}")).await, 403, "PERMISSION_DENIED");
        assert_refused(&put(&member, &of_member, "owner").await, 403, "PERMISSION_DENIED");
        assert_ok(&viewer.delete(&format!("/api/projects/{project}")).await);
        assert_refused(&viewer.get(&members).await, 404, "NOT_FOUND");
        let own = member.post("/api/projects", &json!({ "name": "own" })).await.json()["id"].clone();
        assert_ok(&put(&member, &format!("/api/projects/{own}/members/{}", id_of(admin, "viewer").await), "editor").await);
        assert_ok(&member.delete(&format!("/api/projects/{own}")).await);

        for (bad, status, code) in [("king", 400, "VALIDATION_ERROR"), ("viewer", 404, "NOT_FOUND")] {
            assert_refused(&put(admin, &of_viewer, bad).await, status, code);
        }
        let audit = admin.get("/api/admin/audit?limit=100").await.text();
        for action in ["project.member.set", "project.update", "project.delete"] {
            assert!(audit.contains(action), "{action} is not in {audit}");
        }
    }
}

#[tokio::test]
async fn whoever_is_assigned_sees_that_and_nothing_else_in_both_modes() {
    for server in TestServer::on_every_database(&[]).await {
        let admin = &server.admin;
        let (project, one, two) = project(&server, "P").await;
        project_of_others(&server).await;
        assert_eq!(server.install(&bundle("everything")).await["status"], "done");
        let granted = json!({ "capabilities": [{ "name": "experiments:read" }, { "name": "results:write" }] });
        assert_eq!(server.install(&Program::NOSY.bundle_with("nosy", granted)).await["status"], "done");
        let role = json!({
            "slug": "guest", "name": "Guest", "project_scope": "assigned",
            "permissions": ["plugins.use", "projects.view", "experiments.view", "experiments.edit"],
        });
        let guest = with_role(&server, "guest", &role).await;
        let id = id_of(admin, "guest").await;
        let inside = Inside::of(&server, &guest, id).await;
        let (collaborators, members) =
            (format!("/api/experiments/{one}/collaborators/{id}"), format!("/api/projects/{project}/members/{id}"));

        assert_eq!(names(&guest).await, json!([]));
        inside.sees(one, None).await;
        // One experiment, to look at.
        assert_ok(&put(admin, &collaborators, "viewer").await);
        assert_eq!(names(&guest).await, json!(["P one"]));
        assert_eq!(guest.get("/api/projects").await.json()["total"], 0);
        assert_refused(&guest.get(&format!("/api/projects/{project}")).await, 404, "NOT_FOUND");
        inside.sees(one, Some("P one")).await;
        inside.sees(two, None).await;
        // The project, and what lies in it.
        assert_ok(&put(admin, &members, "viewer").await);
        assert_eq!(names(&guest).await, json!(["P one", "P two"]));
        let listed = guest.get(&format!("/api/projects/{project}/experiments")).await.json();
        assert_eq!((&listed["total"], &guest.get("/api/projects").await.json()["total"]), (&json!(2), &json!(1)));
        inside.sees(two, Some("P two")).await;
        // A part in an experiment stays when that in the project ends.
        assert_ok(&admin.delete(&members).await);
        assert_eq!(names(&guest).await, json!(["P one"]));
        inside.sees(one, Some("P one")).await;
        inside.sees(two, None).await;
        // And can be given up.
        assert_ok(&guest.delete(&collaborators).await);
        assert_eq!(names(&guest).await, json!([]));
        inside.sees(one, None).await;
        let role = admin.patch("/api/roles/guest", &json!({ "project_scope": "all" })).await.json();
        assert_eq!(role["project_scope"], "all");
        assert_eq!(guest.get("/api/experiments").await.json()["total"], 4);
    }
}

async fn project_of_others(server: &TestServer) {
    project(server, "Q").await;
}

/// The same person's view through a plugin of each mode.
pub(super) struct Inside<'a> {
    server: &'a TestServer,
    guest: &'a Client,
    headers: [(&'static str, String); 3],
}

impl<'a> Inside<'a> {
    pub(super) async fn of(server: &'a TestServer, guest: &'a Client, id: i64) -> Self {
        let environment = guest.get("/api/nosy/environment").await.json()["environment"].clone();
        let token = environment["MINT_PLUGIN_TOKEN"].as_str().unwrap_or_else(|| panic!("{environment}")).to_owned();
        let headers =
            [("x-mint-internal-token", token), ("x-mint-plugin-name", "nosy".to_owned()), ("x-mint-user-id", id.to_string())];
        Self { server, guest, headers }
    }

    /// Finds the experiment by this name, or not at all, and may write to it as far as it finds it.
    pub(super) async fn sees(&self, experiment: i64, name: Option<&str>) {
        let shared = self.guest.post("/api/everything/call/experiments.get", &json!({ "id": experiment })).await;
        let isolated = self.inside(Method::GET, &format!("/experiments/{experiment}"), None).await;
        match name {
            Some(name) => {
                assert!(shared.text().contains(name) && isolated.json()["name"] == name, "{experiment}: {shared:?} {isolated:?}")
            }
            None => {
                assert_eq!(shared.status, StatusCode::NOT_FOUND, "{shared:?}");
                assert_refused(&isolated, 404, "NOT_FOUND");
            }
        }
        let body = json!({ "plugin_id": "nosy", "result": { "x": 1 } });
        let written = self.inside(Method::PUT, &format!("/experiments/{experiment}/results/nosy"), Some(&body)).await;
        let arguments = json!({ "experiment": experiment, "key": "k", "result": {} });
        let saved = self.guest.post("/api/everything/call/results.save", &arguments).await;
        let expected = if name.is_some() { StatusCode::OK } else { StatusCode::NOT_FOUND };
        assert_eq!((written.status, saved.status), (expected, expected), "{experiment}: {written:?} {saved:?}");
        let listed = self.inside(Method::GET, "/experiments", None).await.json();
        assert_eq!(listed["total"], self.guest.get("/api/experiments").await.json()["total"], "{listed}");
    }

    async fn inside(&self, method: Method, path: &str, body: Option<&Value>) -> Reply {
        let nobody = Client::anonymous(&self.server.url);
        let request = nobody.request(method, &format!("/api/internal{path}"));
        let request = self.headers.iter().fold(request, |request, (name, value)| request.header(*name, value));
        let request = match body {
            Some(body) => request.json(body),
            None => request,
        };
        nobody.send(request).await
    }
}

/// Nobody gives a part that allows what they may not do themselves.
#[tokio::test]
async fn a_part_that_is_given_is_no_more_than_ones_own() {
    for server in TestServer::on_every_database(&[]).await {
        let admin = &server.admin;
        let (project, one, _) = project(&server, "P").await;
        let role = json!({ "slug": "guest", "name": "Guest", "permissions": ["users.view"], "project_scope": "assigned" });
        let guest = with_role(&server, "guest", &role).await;
        let (guests, viewers) = (id_of(admin, "guest").await, id_of(admin, "viewer").await);
        let experiment = format!("/api/experiments/{one}/collaborators");
        assert_refused(&guest.get("/api/experiments").await, 403, "PERMISSION_DENIED");
        assert_ok(&put(admin, &format!("/api/projects/{project}/members/{guests}"), "editor").await);
        // An editor of the project shares its experiments, but lets nobody delete them.
        assert_ok(&put(&guest, &format!("{experiment}/{viewers}"), "editor").await);
        assert_refused(&put(&guest, &format!("{experiment}/{guests}"), "owner").await, 403, "PERMISSION_DENIED");
        assert_ok(&put(admin, &format!("{experiment}/{viewers}"), "owner").await);
        assert_refused(&put(&guest, &format!("{experiment}/{viewers}"), "viewer").await, 403, "PERMISSION_DENIED");
        assert_refused(&guest.delete(&format!("{experiment}/{viewers}")).await, 403, "PERMISSION_DENIED");
        let viewer = server.client("viewer").await;
        assert_ok(&put(&viewer, &format!("{experiment}/{guests}"), "owner").await);
        let listed = viewer.get(&experiment).await.json();
        assert_eq!(listed.as_array().unwrap().len(), 2, "{listed}");
        assert_ok(&viewer.delete(&format!("/api/experiments/{one}")).await);
        // Somebody of another laboratory is nobody here.
        let other = server.other_tenant("other").await;
        let theirs = other.get("/api/users/me").await.json()["id"].as_i64().unwrap();
        assert_refused(&put(admin, &format!("/api/projects/{project}/members/{theirs}"), "viewer").await, 404, "NOT_FOUND");
        // A token takes away from what its owner has a part in, too.
        let token = guest.post("/api/tokens", &json!({ "name": "x", "permissions": ["users.view"] })).await;
        let bounded = guest.request(Method::GET, &format!("/api/projects/{project}"));
        let token = token.json()["token"].as_str().unwrap().to_owned();
        let program = Client::anonymous(&server.url);
        let bounded = program.send(program.request(Method::GET, bounded.build().unwrap().url().path()).bearer_auth(token)).await;
        assert_refused(&bounded, 403, "PERMISSION_DENIED");
    }
}
