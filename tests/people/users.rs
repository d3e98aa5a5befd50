//! Making, changing and removing people.

use http::StatusCode;
use mint_tests::{Client, PASSWORD, TestServer};
use serde_json::{Value, json};

use super::{assert_refused, id_of, make, with_role};

async fn sign_in(url: &str, username: &str, password: &str) -> StatusCode {
    let body = json!({ "username": username, "password": password });
    Client::anonymous(url).post("/api/auth/login", &body).await.status
}

async fn put(client: &Client, path: &str, body: &Value) -> mint_tests::Reply {
    client.send(client.request(http::Method::PUT, path).json(body)).await
}

#[tokio::test]
async fn an_administrator_makes_changes_and_removes_a_user() {
    for server in TestServer::on_every_database(&[]).await {
        let admin = &server.admin;
        let new =
            json!({ "username": "ada", "password": PASSWORD, "role": "viewer", "email": "ada@example.org", "first_name": "Ada" });
        let made = admin.post("/api/users", &new).await;
        assert_eq!(made.status, StatusCode::CREATED, "{made:?}");
        let path = format!("/api/users/{}", made.json()["id"]);
        let shown = admin.get(&path).await.json();
        assert_eq!(
            (&shown["email"], &shown["first_name"], &shown["role"]),
            (&json!("ada@example.org"), &json!("Ada"), &json!("viewer"))
        );
        assert!(!shown.to_string().contains("argon2"), "{shown}");
        assert_refused(&admin.post("/api/users", &new).await, 409, "CONFLICT");
        for (bad, field) in [
            (json!({ "username": "a b" }), "username"),
            (json!({ "username": "" }), "username"),
            (json!({ "username": "x", "role": "king" }), "role"),
            (json!({ "username": "x", "email": "nowhere" }), "email"),
            (json!({ "username": "x", "first_name": "a\nb" }), "first_name"),
        ] {
            let reply = admin.post("/api/users", &bad).await;
            assert_refused(&reply, 400, "VALIDATION_ERROR");
            assert_eq!(reply.json()["details"]["field"], field, "{reply:?}");
        }
        assert_refused(
            &admin.post("/api/users", &json!({ "username": "x", "password": "short" })).await,
            400,
            "VALIDATION_ERROR",
        );

        let ada = server.client("ada").await;
        assert_refused(
            &ada.post("/api/experiments", &json!({ "name": "x", "experiment_type": "t" })).await,
            403,
            "PERMISSION_DENIED",
        );
        let changed = admin.patch(&path, &json!({ "role": "member", "email": null })).await.json();
        assert_eq!(
            (&changed["role"], &changed["email"], &changed["first_name"]),
            (&json!("member"), &Value::Null, &json!("Ada"))
        );
        ada.experiment("hers").await;
        // Whoever may not sign in any more is signed out.
        assert_eq!(admin.patch(&path, &json!({ "is_active": false })).await.status, StatusCode::OK);
        assert_eq!(ada.get("/api/auth/verify").await.status, StatusCode::UNAUTHORIZED);
        assert_eq!(sign_in(&server.url, "ada", PASSWORD).await, StatusCode::UNAUTHORIZED);
        assert_eq!(admin.patch(&path, &json!({ "is_active": true })).await.status, StatusCode::OK);
        assert_eq!(ada.get("/api/auth/verify").await.status, StatusCode::UNAUTHORIZED, "an ended session begins again");
        let ada = server.client("ada").await;
        assert_eq!(admin.delete(&path).await.status, StatusCode::NO_CONTENT);
        assert_eq!(ada.get("/api/auth/verify").await.status, StatusCode::UNAUTHORIZED);
        for reply in [admin.get(&path).await, admin.delete(&path).await, admin.patch(&path, &json!({})).await] {
            assert_refused(&reply, 404, "NOT_FOUND");
        }
        assert_eq!(admin.get("/api/users?username=ada").await.json(), json!([]));
        assert_eq!(admin.get("/api/experiments").await.json()["total"], 1, "what she made stays");
    }
}

#[tokio::test]
async fn people_look_after_their_own_names_and_password() {
    let server = TestServer::start().await;
    let (member, elsewhere) = (server.client("member").await, server.client("member").await);
    let path = format!("/api/users/{}", id_of(&member, "member").await);
    assert_eq!(member.patch(&path, &json!({ "first_name": "Mem" })).await.json()["first_name"], "Mem");
    for change in [json!({ "role": "admin" }), json!({ "username": "root" }), json!({ "is_active": false })] {
        assert_refused(&member.patch(&path, &change).await, 403, "PERMISSION_DENIED");
    }
    let other = format!("/api/users/{}", id_of(&member, "viewer").await);
    assert_refused(&member.patch(&other, &json!({ "first_name": "x" })).await, 403, "PERMISSION_DENIED");

    let own = "/api/users/me/password";
    let wrong = put(&member, own, &json!({ "present": "not that one", "new": "another password" })).await;
    assert_refused(&wrong, 403, "auth.wrong_password");
    assert_refused(&put(&member, own, &json!({ "present": PASSWORD, "new": "short" })).await, 400, "VALIDATION_ERROR");
    let changed = put(&member, own, &json!({ "present": PASSWORD, "new": "another password" })).await;
    assert_eq!(changed.status, StatusCode::NO_CONTENT, "{changed:?}");
    assert_eq!(member.get("/api/auth/verify").await.status, StatusCode::OK);
    assert_eq!(elsewhere.get("/api/auth/verify").await.status, StatusCode::UNAUTHORIZED, "another session outlives the password");
    assert_eq!(sign_in(&server.url, "member", PASSWORD).await, StatusCode::UNAUTHORIZED);
    assert_eq!(sign_in(&server.url, "member", "another password").await, StatusCode::OK);

    // An administrator resets the password of others, and knows their own.
    let path = format!("{path}/password");
    assert_eq!(put(&server.admin, &path, &json!({ "new": PASSWORD })).await.status, StatusCode::NO_CONTENT);
    assert_eq!(member.get("/api/auth/verify").await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(sign_in(&server.url, "member", PASSWORD).await, StatusCode::OK);
    let own = format!("/api/users/{}/password", id_of(&server.admin, "admin").await);
    assert_refused(&put(&server.admin, &own, &json!({ "new": PASSWORD })).await, 400, "VALIDATION_ERROR");
}

/// Who manages people, and is not an administrator, gets nothing by it that they lack.
#[tokio::test]
async fn nobody_gives_or_takes_over_what_they_lack() {
    let server = TestServer::start().await;
    let role = json!({ "slug": "manager", "name": "Manager", "permissions": ["users.view", "users.manage", "projects.view"] });
    let manager = with_role(&server, "manager", &role).await;
    let (admin, own) = (id_of(&manager, "admin").await, id_of(&manager, "manager").await);
    for role in ["admin", "member", "viewer"] {
        assert_refused(&manager.post("/api/users", &json!({ "username": "x", "role": role })).await, 403, "PERMISSION_DENIED");
        assert_refused(&manager.patch(&format!("/api/users/{own}"), &json!({ "role": role })).await, 403, "PERMISSION_DENIED");
    }
    for change in [json!({ "is_active": false }), json!({ "username": "x" }), json!({ "role": "manager" })] {
        assert_refused(&manager.patch(&format!("/api/users/{admin}"), &change).await, 403, "PERMISSION_DENIED");
    }
    assert_refused(&manager.delete(&format!("/api/users/{admin}")).await, 403, "PERMISSION_DENIED");
    let password = put(&manager, &format!("/api/users/{admin}/password"), &json!({ "new": "taken over" })).await;
    assert_refused(&password, 403, "PERMISSION_DENIED");
    let equal = make(&manager, "equal", "manager").await;
    assert_eq!(manager.delete(&format!("/api/users/{equal}")).await.status, StatusCode::NO_CONTENT);
    for permissions in [json!(["plugins.install"]), json!(["users.view", "platform.view_logs"])] {
        let role = json!({ "slug": "more", "name": "More", "permissions": permissions });
        assert_refused(&manager.post("/api/roles", &role).await, 403, "PERMISSION_DENIED");
        assert_refused(
            &manager.patch("/api/roles/manager", &json!({ "permissions": permissions })).await,
            403,
            "PERMISSION_DENIED",
        );
    }
    // A member may make members, and nobody with more.
    let member = server.client("member").await;
    make(&member, "guest", "viewer").await;
    assert_refused(&member.post("/api/users", &json!({ "username": "x", "role": "admin" })).await, 403, "PERMISSION_DENIED");
}

/// Two administrators who take each other away at the same time: one of them stays.
#[tokio::test]
async fn the_last_administrator_stays() {
    for server in TestServer::on_every_database(&[]).await {
        let first = format!("/api/users/{}", id_of(&server.admin, "admin").await);
        // Somebody without a password cannot sign in, and so does not count.
        let without = json!({ "username": "nominal", "role": "admin" });
        assert_eq!(server.admin.post("/api/users", &without).await.status, StatusCode::CREATED);
        for reply in [
            server.admin.delete(&first).await,
            server.admin.patch(&first, &json!({ "role": "member" })).await,
            server.admin.patch(&first, &json!({ "is_active": false })).await,
        ] {
            assert_refused(&reply, 409, "users.last_administrator");
        }
        for attempt in 0..4 {
            let name = format!("second{attempt}");
            let second = format!("/api/users/{}", make(&server.admin, &name, "admin").await);
            let other = server.client(&name).await;
            let demote = json!({ "role": "member" });
            let (one, two) = tokio::join!(server.admin.patch(&second, &demote), other.patch(&first, &demote));
            let done = [&one, &two].into_iter().filter(|reply| reply.status == StatusCode::OK).count();
            assert_eq!(done, 1, "{one:?} {two:?}");
            if two.status == StatusCode::OK {
                assert_eq!(other.patch(&first, &json!({ "role": "admin" })).await.status, StatusCode::OK);
                assert_eq!(server.admin.patch(&second, &demote).await.status, StatusCode::OK);
            }
        }
    }
}
