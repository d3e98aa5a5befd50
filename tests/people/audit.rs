//! The record of changes.

use http::StatusCode;
use mint_tests::{PASSWORD, TestServer};
use serde_json::{Value, json};

use super::{assert_refused, make};

const AUDIT: &str = "/api/admin/audit";

#[tokio::test]
async fn every_change_of_people_is_recorded_without_secrets() {
    for server in TestServer::on_every_database(&[]).await {
        let admin = &server.admin;
        let role = json!({ "slug": "guest", "name": "Guest", "permissions": ["users.view"] });
        assert_eq!(admin.post("/api/roles", &role).await.status, StatusCode::CREATED);
        assert_eq!(admin.patch("/api/roles/guest", &json!({ "permissions": [] })).await.status, StatusCode::OK);
        let ada = make(admin, "ada", "guest").await;
        let signed_in = server.client("ada").await;
        let token = signed_in.post("/api/tokens", &json!({ "name": "x" })).await.json();
        assert_eq!(admin.patch(&format!("/api/users/{ada}"), &json!({ "role": "viewer" })).await.status, StatusCode::OK);
        assert_eq!(admin.delete(&format!("/api/tokens/{}", token["id"])).await.status, StatusCode::NO_CONTENT);
        assert_eq!(admin.delete(&format!("/api/sessions?user={ada}")).await.status, StatusCode::OK);
        let password =
            admin.request(http::Method::PUT, &format!("/api/users/{ada}/password")).json(&json!({ "new": "a new secret" }));
        assert_eq!(admin.send(password).await.status, StatusCode::NO_CONTENT);
        assert_eq!(admin.delete(&format!("/api/users/{ada}")).await.status, StatusCode::NO_CONTENT);
        assert_eq!(admin.delete("/api/roles/guest").await.status, StatusCode::NO_CONTENT);

        let all = admin.get(&format!("{AUDIT}?limit=500")).await;
        for secret in [PASSWORD, "a new secret", "argon2", token["token"].as_str().unwrap(), signed_in.token()] {
            assert!(!all.text().contains(secret), "{secret}");
        }
        let entries: Vec<Value> = all.json().as_array().unwrap().clone();
        let actions: Vec<&str> = entries.iter().rev().map(|entry| entry["action"].as_str().unwrap()).collect();
        let at = actions.iter().position(|action| *action == "role.create").unwrap();
        let expected = [
            "role.create",
            "role.update",
            "user.create",
            "session.begin",
            "token.create",
            "user.update",
            "token.revoke",
            "session.revoke",
            "user.password.reset",
            "user.delete",
            "role.delete",
        ];
        assert_eq!(actions[at..], expected);
        let found = admin.get(&format!("{AUDIT}?action=user.update&entity_type=user&entity_id={ada}")).await.json();
        let [update] = found.as_array().unwrap().as_slice() else { panic!("{found}") };
        assert_eq!((&update["actor"], &update["details"]["before"]["role"]), (&json!("user:admin"), &json!("guest")));
        assert_eq!(update["details"]["after"]["role"], "viewer");
        for (query, expected) in [
            ("entity_type=role", 3),
            ("actor=user:ada", 2),
            ("actor=nobody", 0),
            ("until=2000-01-01T00:00:00Z", 0),
            ("entity_type=user&limit=1&skip=1", 1),
        ] {
            let found = admin.get(&format!("{AUDIT}?{query}")).await.json();
            assert_eq!(found.as_array().unwrap().len(), expected, "{query}: {found}");
        }
        assert_refused(&admin.get(&format!("{AUDIT}?since=yesterday")).await, 400, "VALIDATION_ERROR");
        let export = admin.get(&format!("{AUDIT}/export")).await;
        let lines: Vec<Value> = export.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines, entries.iter().rev().cloned().collect::<Vec<_>>());
        for path in [AUDIT.to_owned(), format!("{AUDIT}/export"), format!("{AUDIT}/verify")] {
            assert_refused(&server.client("viewer").await.get(&path).await, 403, "PERMISSION_DENIED");
        }
        // Another laboratory has a record, and a chain, of its own.
        let other = server.other_tenant("other").await;
        let of_other = other.get(&format!("{AUDIT}?limit=500")).await;
        assert!(!of_other.text().contains("role.create") && of_other.text().contains("user.create"), "{of_other:?}");
        for client in [admin, &other] {
            let verdict = client.get(&format!("{AUDIT}/verify")).await.json();
            assert_eq!(verdict["whole"], true, "{verdict}");
        }
    }
}
