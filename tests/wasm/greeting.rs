//! The same small plugin in three languages.

use http::{Method, StatusCode};
use mint_tests::{TestServer, bundle};
use serde_json::json;

async fn greets(guest: &str) {
    let server = TestServer::start().await;
    let admin = &server.admin;
    admin.installed(&bundle(guest), json!({})).await;
    let shown = admin.plugin(guest).await;
    assert_eq!((&shown["state"], &shown["mode"]), (&json!("ready"), &json!("shared")));

    let (home, config) = (format!("/api/{guest}/"), format!("/api/plugins/{guest}/config"));
    let greeting = |text: &str| json!({ "message": text, "plugin": guest });
    assert_eq!(admin.get(&home).await.json(), greeting("Hello, admin!"));
    assert_eq!(server.client("viewer").await.get(&home).await.json(), greeting("Hello, viewer!"));
    let me = admin.get(&format!("/api/{guest}/whoami")).await.json();
    assert_eq!((&me["username"], &me["role"]), (&json!("admin"), &json!("admin")));
    assert_eq!(me["user_id"], admin.get("/api/users/me").await.json()["id"]);

    let tag = admin.get(&config).await.headers["etag"].clone();
    let put = |body| admin.request(Method::PUT, &config).json(body);
    let german = json!({ "config": { "greeting": "Guten Tag" } });
    let unconditional = admin.send(put(&german)).await;
    assert_eq!(unconditional.status, StatusCode::PRECONDITION_REQUIRED, "{unconditional:?}");
    assert_eq!(unconditional.code(), "request.precondition_required");
    let changed = admin.send(put(&german).header("if-match", &tag)).await;
    assert_eq!(changed.status, StatusCode::OK, "{changed:?}");
    assert_ne!(changed.headers["etag"], tag);
    for _ in 0..5 {
        assert_eq!(admin.get(&home).await.json(), greeting("Guten Tag, admin!"));
    }

    let stale = admin.send(put(&german).header("if-match", &tag)).await;
    assert_eq!((stale.status, stale.code().as_str()), (StatusCode::CONFLICT, "CONFLICT"), "{stale:?}");
    for bad in [json!({ "greeting": 7 }), json!({ "surprise": "x" }), json!([])] {
        let refused = admin.configure(guest, bad.clone()).await;
        assert_eq!(
            (refused.status, refused.code().as_str()),
            (StatusCode::BAD_REQUEST, "VALIDATION_ERROR"),
            "{bad}: {refused:?}"
        );
    }
    assert_eq!(admin.get(&home).await.json(), greeting("Guten Tag, admin!"));
    let viewer = server.client("viewer").await.configure(guest, json!({})).await;
    assert_eq!(viewer.status, StatusCode::FORBIDDEN, "{viewer:?}");
}

#[tokio::test]
async fn in_rust() {
    greets("hello").await;
}

#[tokio::test]
async fn in_javascript() {
    greets("hello-js").await;
}

#[tokio::test]
async fn in_python() {
    greets("hello-python").await;
}
