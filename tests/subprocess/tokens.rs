//! What a plugin may ask of the platform, and as whom.

use http::{Method, StatusCode};
use mint_tests::{Client, Reply, TestServer, bundle};
use serde_json::{Value, json};

use super::{Program, is_alive};

async fn serving() -> TestServer {
    let server = TestServer::start().await;
    let capabilities = json!({ "capabilities": [{ "name": "experiments:read" }, { "name": "results:write" }] });
    for slug in ["nosy", "other"] {
        assert_eq!(server.install(&Program::NOSY.bundle_with(slug, capabilities.clone())).await["status"], "done");
    }
    server
}

async fn environment(client: &Client, slug: &str) -> Value {
    client.get(&format!("/api/{slug}/environment")).await.json()["environment"].clone()
}

/// Asks the platform from outside, with a token that was taken away from a plugin.
async fn ask(server: &TestServer, path: &str, headers: &[(&str, &str)]) -> Reply {
    let nobody = Client::anonymous(&server.url);
    let request = headers.iter().fold(nobody.request(Method::GET, path), |request, (name, value)| request.header(*name, *value));
    nobody.send(request).await
}

const TOKEN: &str = "x-mint-internal-token";
const NAME: &str = "x-mint-plugin-name";

#[tokio::test]
async fn a_token_is_good_for_one_plugin_while_it_runs() {
    let server = serving().await;
    let token = environment(&server.admin, "nosy").await["MINT_PLUGIN_TOKEN"].as_str().unwrap().to_owned();
    let other = environment(&server.admin, "other").await["MINT_PLUGIN_TOKEN"].as_str().unwrap().to_owned();
    assert_ne!(token, other);
    let path = "/api/internal/platform";
    assert_eq!(ask(&server, path, &[(TOKEN, &token), (NAME, "nosy")]).await.status, StatusCode::OK);
    let wrong: &[&[(&str, &str)]] = &[
        &[],
        &[(TOKEN, &token)],
        &[(NAME, "nosy")],
        &[(TOKEN, &token), (NAME, "other")],
        &[(TOKEN, &other), (NAME, "nosy")],
        &[(TOKEN, &token[..63]), (NAME, "nosy")],
        &[(TOKEN, &token), (TOKEN, &token), (NAME, "nosy")],
        &[(TOKEN, &token), (NAME, "nosy"), (NAME, "other")],
        &[(TOKEN, &token), (NAME, "nosy"), ("x-mint-user-id", "2")],
        &[(TOKEN, &token), (NAME, "nosy"), ("x-mint-user-id", "")],
        &[("authorization", &format!("Bearer {token}")), (NAME, "nosy")],
    ];
    for headers in wrong {
        let reply = ask(&server, path, headers).await;
        assert_eq!((reply.status, reply.code().as_str()), (StatusCode::FORBIDDEN, "auth.forbidden"), "{headers:?}: {reply:?}");
    }
    let person = ask(&server, path, &[("authorization", &format!("Bearer {}", server.admin.token()))]).await;
    assert_eq!(person.status, StatusCode::FORBIDDEN, "{person:?}");
    let foreign = ask(&server, "/api/internal/plugin-config/other", &[(TOKEN, &token), (NAME, "nosy")]).await;
    assert_eq!(foreign.code(), "PERMISSION_DENIED", "{foreign:?}");
    let api = ask(&server, "/api/experiments", &[("authorization", &format!("Bearer {token}"))]).await;
    assert_eq!(api.status, StatusCode::UNAUTHORIZED, "{api:?}");

    assert_eq!(server.admin.uninstall("nosy", "keep").await["status"], "done");
    let reply = ask(&server, path, &[(TOKEN, &token), (NAME, "nosy")]).await;
    assert_eq!(reply.status, StatusCode::FORBIDDEN, "{reply:?}");
    assert_eq!(ask(&server, path, &[(TOKEN, &other), (NAME, "other")]).await.status, StatusCode::OK);

    assert_eq!(server.admin.reload("other").await["status"], "done");
    assert_eq!(ask(&server, path, &[(TOKEN, &other), (NAME, "other")]).await.status, StatusCode::FORBIDDEN);
    assert_ne!(environment(&server.admin, "other").await["MINT_PLUGIN_TOKEN"], other.as_str());
}

#[tokio::test]
async fn a_plugin_acts_for_those_whom_its_process_serves_or_served() {
    let server = serving().await;
    let viewer = server.client("viewer").await;
    let id = viewer.get("/api/auth/verify").await.json()["id"].clone();
    let token = environment(&server.admin, "nosy").await["MINT_PLUGIN_TOKEN"].as_str().unwrap().to_owned();
    let as_viewer = [(TOKEN, token.as_str()), (NAME, "nosy"), ("x-mint-user-id", &id.to_string())];
    let path = "/api/internal/experiments";
    assert_eq!(ask(&server, path, &as_viewer).await.code(), "auth.forbidden");
    let serve = viewer.get("/api/nosy/hold");
    let use_it = async {
        mint_tests::eventually("the request of the viewer", || async {
            (ask(&server, path, &as_viewer).await.status == StatusCode::OK).then_some(())
        })
        .await;
        server.admin.get("/api/nosy/release").await
    };
    let (held, released) = tokio::join!(serve, use_it);
    assert_eq!((held.status, released.status), (StatusCode::OK, StatusCode::OK));
    // What the request began may go on in the process that served it, with no more than the viewer may do.
    assert_eq!(ask(&server, path, &as_viewer).await.status, StatusCode::OK);
    let write = Client::anonymous(&server.url).request(Method::PUT, "/api/internal/experiments/1/results/nosy");
    let write = as_viewer.iter().fold(write, |request, (name, value)| request.header(*name, *value));
    let write = write.header("x-mint-user-role", "admin").json(&json!({ "plugin_id": "nosy", "result": {} }));
    assert_eq!(server.admin.send(write).await.code(), "PERMISSION_DENIED");

    assert_eq!(server.admin.reload("nosy").await["status"], "done");
    let token = environment(&server.admin, "nosy").await["MINT_PLUGIN_TOKEN"].as_str().unwrap().to_owned();
    let as_viewer = [(TOKEN, token.as_str()), (NAME, "nosy"), ("x-mint-user-id", &id.to_string())];
    let reply = ask(&server, path, &as_viewer).await;
    assert_eq!((reply.status, reply.code().as_str()), (StatusCode::FORBIDDEN, "auth.forbidden"), "{reply:?}");
}

#[tokio::test]
async fn a_plugin_cannot_lend_a_person_more_than_they_have() {
    let server = serving().await;
    let experiment = server.admin.experiment("one").await;
    let call = |plugin: &str| {
        json!({
            "method": "PUT", "path": format!("/experiments/{experiment}/results/{plugin}"),
            "headers": { "x-mint-user-role": "admin", "x-mint-user-permissions": "[\"experiments.edit\"]", "x-mint-username": "admin" },
            "body": { "plugin_id": plugin, "result": { "a": 1 } },
        })
    };
    let viewer = server.client("viewer").await;
    for (client, plugin, status) in [(&viewer, "nosy", 403), (&server.admin, "other", 403), (&server.admin, "nosy", 200)] {
        let said = client.post("/api/nosy/call", &call(plugin)).await.json();
        assert_eq!(said["status"], status, "{plugin}: {said}");
    }
    // What was not granted is refused to an administrator's plugin too.
    let design = json!({
        "method": "PUT", "path": format!("/experiments/{experiment}/data"), "body": { "plugin_id": "nosy", "data": {} },
    });
    let said = server.admin.post("/api/nosy/call", &design).await.json();
    assert_eq!((&said["status"], &said["body"]["code"]), (&json!(403), &json!("PERMISSION_DENIED")), "{said}");
    let stored = server.admin.get(&format!("/api/experiments/{experiment}/results")).await.json();
    assert_eq!((stored.as_array().unwrap().len(), &stored[0]["plugin_id"]), (1, &json!("nosy")));
}

#[tokio::test]
async fn another_laboratory_has_its_own_process_and_sees_nothing() {
    let server = serving().await;
    server.admin.experiment("secret").await;
    let stranger = server.other_tenant("other-lab").await;
    assert_eq!(stranger.get("/api/nosy/pid").await.status, StatusCode::NOT_FOUND);
    let decision = json!({ "grant_requested": true });
    let capabilities = json!({ "capabilities": [{ "name": "experiments:read" }, { "name": "results:write" }] });
    assert_eq!(stranger.install(&Program::NOSY.bundle_with("nosy", capabilities), decision).await["status"], "done");
    let (own, foreign) = (environment(&server.admin, "nosy").await, environment(&stranger, "nosy").await);
    for name in ["MINT_PLUGIN_TOKEN", "MINT_PLUGIN_SOCKET", "HOME", "TMPDIR"] {
        assert_ne!(own[name], foreign[name], "{name}");
    }
    let list = json!({ "method": "GET", "path": "/experiments" });
    assert_eq!(server.admin.post("/api/nosy/call", &list).await.json()["body"]["total"], 1);
    assert_eq!(stranger.post("/api/nosy/call", &list).await.json()["body"]["total"], 0);
}

#[tokio::test]
async fn a_process_begins_with_nothing_of_the_platforms() {
    let server = serving().await;
    assert_eq!(server.install(&bundle("hello-process")).await["status"], "done");
    let seen = server.admin.get("/api/nosy/environment").await.json();
    let names: Vec<&str> = seen["environment"].as_object().unwrap().keys().map(String::as_str).collect();
    let expected = [
        "HOME",
        "LANG",
        "MINT_PLATFORM_API_VERSION",
        "MINT_PLATFORM_SOCKET",
        "MINT_PLATFORM_URL",
        "MINT_PLUGIN_NAME",
        "MINT_PLUGIN_SOCKET",
        "MINT_PLUGIN_TOKEN",
        "PATH",
        "TMPDIR",
    ];
    // Python sets LC_CTYPE itself where LANG is C.
    assert_eq!(names.into_iter().filter(|name| *name != "LC_CTYPE").collect::<Vec<_>>(), expected);
    assert_eq!(seen["cwd"], json!([]));
    let descriptors = seen["descriptors"].as_array().unwrap().len();
    assert!(descriptors < 12, "{seen}");
    assert!(is_alive(&server.admin.plugin("hello-process").await["runtime"]["pid"]));
}
