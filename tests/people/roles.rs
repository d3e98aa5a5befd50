//! Roles that a laboratory makes of permissions.

use http::StatusCode;
use mint_tests::{TestServer, bundle};
use serde_json::{Value, json};

use super::{assert_refused, id_of, with_role};

#[tokio::test]
async fn a_role_lives_from_its_making_to_its_end() {
    for server in TestServer::on_every_database(&[]).await {
        let admin = &server.admin;
        let role = json!({
            "slug": "technician", "name": "Technician", "description": "Uploads runs.",
            "permissions": ["experiments.edit", "projects.view", "experiments.view", "experiments.create", "projects.view"],
        });
        let technician = with_role(&server, "tess", &role).await;
        let listed = admin.get("/api/roles").await.json();
        assert_eq!(listed.as_array().unwrap().len(), 4, "{listed}");
        let last = &listed[3];
        let expected = ["projects.view", "experiments.view", "experiments.create", "experiments.edit"];
        assert_eq!((&last["permissions"], &last["users"], &last["plugin_access"]), (&json!(expected), &json!(1), &json!("all")));
        assert_eq!(technician.get("/api/users/me").await.json()["permissions"], json!(expected));
        let experiment = technician.experiment("run").await;
        let path = format!("/api/experiments/{experiment}");
        assert_refused(&technician.delete(&path).await, 403, "PERMISSION_DENIED");
        assert_refused(&technician.post("/api/projects", &json!({ "name": "x" })).await, 403, "PERMISSION_DENIED");

        // A change holds for those who have it, at once.
        let fewer = admin.patch("/api/roles/technician", &json!({ "permissions": ["experiments.view"] })).await;
        assert_eq!((fewer.status, &fewer.json()["name"]), (StatusCode::OK, &json!("Technician")));
        assert_refused(&technician.patch(&path, &json!({ "name": "x" })).await, 403, "PERMISSION_DENIED");
        assert_eq!(technician.get(&path).await.status, StatusCode::OK);

        assert_refused(&admin.delete("/api/roles/technician").await, 409, "CONFLICT");
        let tess = format!("/api/users/{}", id_of(admin, "tess").await);
        assert_eq!(admin.patch(&tess, &json!({ "role": "viewer" })).await.status, StatusCode::OK);
        assert_eq!(admin.delete("/api/roles/technician").await.status, StatusCode::NO_CONTENT);
        assert_refused(&admin.delete("/api/roles/technician").await, 404, "NOT_FOUND");
        assert_refused(&admin.patch(&tess, &json!({ "role": "technician" })).await, 400, "VALIDATION_ERROR");
    }
}

#[tokio::test]
async fn what_is_no_role_is_refused() {
    let server = TestServer::start().await;
    let admin = &server.admin;
    let role = |slug: &str, permissions: Value| json!({ "slug": slug, "name": "x", "permissions": permissions });
    for slug in ["admin", "member", "viewer"] {
        assert_refused(&admin.post("/api/roles", &role(slug, json!([]))).await, 409, "CONFLICT");
        assert_refused(&admin.patch(&format!("/api/roles/{slug}"), &json!({ "name": "x" })).await, 409, "CONFLICT");
        assert_refused(&admin.delete(&format!("/api/roles/{slug}")).await, 409, "CONFLICT");
    }
    for (slug, permissions) in [("Admin", json!([])), ("a", json!(["experiments.fly"]))] {
        assert_refused(&admin.post("/api/roles", &role(slug, permissions)).await, 422, "validation.request");
    }
    // Nothing checks it, so that it would promise what is not there.
    assert_refused(&admin.post("/api/roles", &role("a", json!(["platform.configure"]))).await, 400, "VALIDATION_ERROR");
    assert_eq!(admin.post("/api/roles", &role("a", json!([]))).await.status, StatusCode::CREATED);
    assert_refused(&admin.post("/api/roles", &role("a", json!([]))).await, 409, "CONFLICT");
    let other = server.other_tenant("other").await;
    assert_refused(&other.patch("/api/roles/a", &json!({ "name": "x" })).await, 404, "NOT_FOUND");
    assert_eq!(other.get("/api/roles").await.json().as_array().unwrap().len(), 3);
    assert_eq!(other.post("/api/roles", &role("a", json!([]))).await.status, StatusCode::CREATED);
}

/// A plugin that a role does not list is not there, by any door.
#[tokio::test]
async fn a_role_sees_the_plugins_that_it_lists() {
    let server = TestServer::start().await;
    for plugin in ["hello", "everything"] {
        assert_eq!(server.install(&bundle(plugin)).await["status"], "done");
    }
    let role = json!({
        "slug": "guest", "name": "Guest", "plugins": ["hello"],
        "permissions": ["plugins.view", "plugins.use", "plugins.install", "plugins.configure", "users.view", "users.manage"],
    });
    let guest = with_role(&server, "guest", &role).await;
    assert_eq!(guest.get("/api/hello/").await.status, server.admin.get("/api/hello/").await.status);
    assert_eq!(server.admin.post("/api/everything/call/identity.current", &json!({})).await.status, StatusCode::OK);
    let unseen = guest.post("/api/everything/call/identity.current", &json!({})).await;
    let nothing = guest.post("/api/nothing/call/identity.current", &json!({})).await;
    assert_eq!((unseen.status, unseen.code()), (nothing.status, nothing.code()), "{unseen:?}");
    assert_eq!(unseen.text().replace("everything", "nothing").len(), nothing.text().len(), "{unseen:?} {nothing:?}");
    let names: Vec<Value> = guest.get("/api/plugins").await.json()["installed"]
        .as_array()
        .unwrap()
        .iter()
        .map(|plugin| plugin["name"].clone())
        .collect();
    assert_eq!(names, ["hello"]);
    for reply in [
        guest.get("/api/plugins/everything").await,
        guest.get("/api/plugins/everything/config").await,
        guest.delete("/api/plugins/everything?data=keep").await,
        guest.post("/api/plugins/everything/reload", &Value::Null).await,
    ] {
        assert_eq!(reply.status, StatusCode::NOT_FOUND, "{reply:?}");
    }
    assert_eq!(guest.get("/everything/").await.status, StatusCode::NOT_FOUND);
    // Nor can it give what it lacks.
    assert_refused(&guest.patch("/api/roles/guest", &json!({ "plugins": null })).await, 403, "PERMISSION_DENIED");
    assert_refused(
        &guest.patch("/api/roles/guest", &json!({ "plugins": ["hello", "everything"] })).await,
        403,
        "PERMISSION_DENIED",
    );
    assert_eq!(guest.patch("/api/roles/guest", &json!({ "plugins": [] })).await.status, StatusCode::OK);
    assert_eq!(guest.get("/api/plugins").await.json()["installed"], json!([]));
    assert_eq!(guest.get("/api/hello/").await.status, StatusCode::NOT_FOUND);
}
