//! Service tokens: what programs beside instruments sign in with, to one plugin.

use http::{Method, StatusCode};
use mint_store::testing::age_credentials;
use mint_tests::{Client, Guest, Reply, TestServer, bundle, eventually};
use serde_json::{Value, json};
use time::Duration;

use super::{
    assert_refused,
    device_login::Device,
    tenants::{appointed, suspend},
};
use crate::subprocess::Program;

const INSTRUMENT: &str = "6f9619ff-8b86-4d01-b42d-00cf4fc964ff";
const OTHER: &str = "6f9619ff-8b86-4d01-b42d-00cf4fc96400";

fn nosy() -> Guest {
    let asked = json!([{ "name": "instruments:write" }, { "name": "experiments:write" }]);
    Program::NOSY.bundle_with("nosy", json!({ "capabilities": asked }))
}

/// A laboratory with two instruments, and a plugin in each mode that tells what it hears.
async fn furnish(server: &TestServer) {
    assert_eq!(server.install(&nosy()).await["status"], "done");
    server.admin.installed(&bundle("hostile"), json!({})).await;
    for (id, name) in [(INSTRUMENT, "Exploris"), (OTHER, "Astral")] {
        let call = json!({ "method": "POST", "path": "/instruments", "body": { "id": id, "name": name } });
        let made = server.admin.post("/api/nosy/call", &call).await;
        assert_eq!(made.json()["status"], 200, "{made:?}");
    }
}

async fn make(admin: &Client, draft: &Value) -> (String, Value) {
    let reply = admin.post("/api/tokens/service", draft).await;
    assert_eq!((reply.status, reply.header("cache-control")), (StatusCode::CREATED, "no-store"), "{reply:?}");
    let made = reply.json();
    (made["token"].as_str().unwrap().to_owned(), made["id"].clone())
}

fn draft(plugin: &str) -> Value {
    json!({ "name": "acquisition", "plugin": plugin, "instruments": [INSTRUMENT] })
}

async fn send(server: &TestServer, token: &str, method: Method, path: &str, body: Option<&Value>) -> Reply {
    let nobody = Client::anonymous(&server.url);
    // What a program says of itself counts for nothing.
    let request = nobody.request(method, path).bearer_auth(token);
    let request = request.header("x-mint-instrument-ids", format!("[\"{OTHER}\"]")).header("x-mint-user-id", "1");
    nobody.send(body.iter().fold(request, |request, body| request.json(body))).await
}

async fn get(server: &TestServer, token: &str, path: &str) -> Reply {
    send(server, token, Method::GET, path, None).await
}

#[tokio::test]
async fn a_program_reaches_its_plugin_in_either_mode_and_is_no_person() {
    for server in TestServer::on_every_database(&[]).await {
        furnish(&server).await;
        let (of_process, process_id) = make(&server.admin, &draft("nosy")).await;
        let (of_component, component_id) = make(&server.admin, &draft("hostile")).await;
        assert!(of_process.starts_with("mint_svc_") && of_process.len() == 9 + 64, "{of_process}");
        let names = "x-mint-service-token-id,x-mint-instrument-ids,x-mint-user-id,x-mint-user-role,authorization";
        let heard = get(&server, &of_component, &format!("/api/hostile/heard?names={names}")).await;
        assert_eq!(heard.status, StatusCode::OK, "{heard:?}");
        let told = json!({
            "x-mint-service-token-id": component_id.to_string(), "x-mint-instrument-ids": format!("[\"{INSTRUMENT}\"]"),
            "x-mint-user-id": null, "x-mint-user-role": null, "authorization": null,
        });
        assert_eq!(heard.json(), told);
        let echo = get(&server, &of_process, "/api/nosy/echo").await.json();
        let fields: Vec<(&str, &str)> = echo["headers"]
            .as_array()
            .unwrap()
            .iter()
            .map(|pair| (pair[0].as_str().unwrap(), pair[1].as_str().unwrap()))
            .filter(|(name, _)| name.starts_with("x-mint-") && *name != "x-mint-internal-token" || *name == "authorization")
            .collect();
        let (id, instruments) = (process_id.to_string(), format!("[\"{INSTRUMENT}\"]"));
        let mut expected = vec![("x-mint-service-token-id", id.as_str()), ("x-mint-instrument-ids", instruments.as_str())];
        expected.sort_unstable();
        let mut fields = fields;
        fields.sort_unstable();
        assert_eq!(fields, expected, "{echo}");
        // A person's request tells of no program, whatever the client writes.
        let person = server.admin.request(Method::GET, &format!("/api/hostile/heard?names={names}"));
        let person = server.admin.send(person.header("x-mint-service-token-id", "1")).await.json();
        assert_eq!((&person["x-mint-service-token-id"], &person["x-mint-user-role"]), (&Value::Null, &json!("admin")));
        // When it was used is shown; what it is, is not.
        let listed = server.admin.get("/api/tokens/service").await;
        let shown = &listed.json()[1];
        assert_eq!((&shown["plugin"], &shown["instruments"]), (&json!("nosy"), &json!([INSTRUMENT])));
        assert!(shown["last_used_at"].is_string() && shown["expires_at"].is_string(), "{shown}");
        let audit = server.admin.get("/api/admin/audit?limit=500").await.text();
        for token in [&of_process, &of_component] {
            assert!(!listed.text().contains(token.as_str()) && !audit.contains(token.as_str()));
        }
        // It ends when it is revoked, and when its time is over.
        let path = format!("/api/tokens/service/{process_id}");
        assert_refused(&server.other_tenant("other").await.delete(&path).await, 404, "NOT_FOUND");
        assert_eq!(server.admin.delete(&path).await.status, StatusCode::NO_CONTENT);
        assert_refused(&get(&server, &of_process, "/api/nosy/echo").await, 401, "auth.unauthorized");
        assert_refused(&server.admin.delete(&path).await, 404, "NOT_FOUND");
        let unending = json!({ "name": "x", "plugin": "hostile", "instruments": [INSTRUMENT], "days": null });
        let (unending, _) = make(&server.admin, &unending).await;
        let db = &server.server.as_ref().unwrap().platform.services().db;
        age_credentials(db, Duration::days(91)).await;
        eventually("the end of the token", || async {
            (get(&server, &of_component, "/api/hostile/heard?names=x").await.status == StatusCode::UNAUTHORIZED).then_some(())
        })
        .await;
        assert_eq!(get(&server, &unending, "/api/hostile/heard?names=x").await.status, StatusCode::OK);
    }
}

#[tokio::test]
async fn a_program_reaches_nothing_but_its_plugin() {
    let server = TestServer::start().await;
    furnish(&server).await;
    assert_eq!(server.install(&bundle("everything")).await["status"], "done");
    let (token, _) = make(&server.admin, &draft("nosy")).await;
    let document = server.admin.get("/api/openapi.json").await.json();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap().iter().filter(|(method, _)| *method != "parameters") {
            if operation["security"] != json!([{}]) {
                let concrete = path.replace("{*key}", "1").replace(['{', '}'], "");
                let reply = send(&server, &token, method.to_uppercase().parse().unwrap(), &concrete, Some(&json!({}))).await;
                assert_refused(&reply, 403, "plugin.service_token_scope");
            }
        }
    }
    assert_refused(&get(&server, &token, "/nosy/").await, 403, "plugin.service_token_scope");
    // Another plugin answers as one that there is not.
    let told = |reply: &Reply, path: &str| reply.json()["message"].as_str().unwrap().replace(path, "");
    let (other, nothing) = ("/api/hostile/heard", "/api/nothing/heard");
    let (from_other, from_nothing) = (get(&server, &token, other).await, get(&server, &token, nothing).await);
    assert_refused(&from_other, 404, "resource.not_found");
    assert_eq!(told(&from_other, other), told(&from_nothing, nothing));
    assert_eq!(server.admin.change("hostile", "disable").await["status"], "done");
    assert_eq!(told(&get(&server, &token, other).await, other), told(&from_nothing, nothing));
    assert_refused(&get(&server, &token, "/api/internal/experiments").await, 403, "auth.forbidden");
    // What its plugin does for it, the plugin does on its own account: within its grants, in either mode.
    let (of_component, _) = make(&server.admin, &draft("everything")).await;
    let call = json!({ "method": "GET", "path": "/experiments" });
    let by_process = send(&server, &token, Method::POST, "/api/nosy/call", Some(&call)).await;
    assert_eq!(by_process.json()["status"], 200, "{by_process:?}");
    let call = json!({ "method": "GET", "path": "/users" });
    let by_process = send(&server, &token, Method::POST, "/api/nosy/call", Some(&call)).await;
    assert_eq!(by_process.json()["status"], 403, "{by_process:?}");
    let list = "/api/everything/call/experiments.list";
    let by_component = send(&server, &of_component, Method::POST, list, Some(&json!({}))).await;
    assert_eq!(by_component.status, StatusCode::OK, "{by_component:?}");
    let grants = "/api/plugins/everything/grants";
    let revoked = server.admin.patch(grants, &json!({ "revoke": ["experiments:read", "experiments:write"] })).await;
    assert_eq!(revoked.status, StatusCode::OK, "{revoked:?}");
    let by_component = send(&server, &of_component, Method::POST, list, Some(&json!({}))).await;
    assert!(by_component.text().contains("experiments:read"), "{by_component:?}");
}

/// Those with a token, and those that were let in and have not taken their session yet.
#[tokio::test]
async fn programs_of_a_suspended_laboratory_are_told_so() {
    for server in TestServer::on_every_database(&[]).await {
        let head = server.other_tenant("b").await;
        head.installed(&nosy(), json!({})).await;
        let call = json!({ "method": "POST", "path": "/instruments", "body": { "id": INSTRUMENT, "name": "Exploris" } });
        assert_eq!(head.post("/api/nosy/call", &call).await.json()["status"], 200);
        let (token, _) = make(&head, &draft("nosy")).await;
        assert_eq!(get(&server, &token, "/api/nosy/echo").await.status, StatusCode::OK);
        let device = Device::begin(&server, &[("tenant", "b")]).await;
        assert_eq!(head.post(&device.path(), &json!({ "allow": true })).await.status, StatusCode::NO_CONTENT);

        let operator = appointed(&server).await;
        assert_eq!(suspend(&operator, "b", "The bill is not paid.").await.status, StatusCode::OK);
        for reply in [get(&server, &token, "/api/nosy/echo").await, device.poll().await] {
            assert_refused(&reply, 403, "tenant.suspended");
        }
        assert_eq!(operator.delete("/api/platform/tenants/b/suspension").await.status, StatusCode::OK);
        assert_eq!(device.poll().await.status, StatusCode::OK);
        eventually("an answer", || async {
            (get(&server, &token, "/api/nosy/echo").await.status == StatusCode::OK).then_some(())
        })
        .await;
    }
}

#[tokio::test]
async fn administrators_make_service_tokens() {
    let server = TestServer::start().await;
    furnish(&server).await;
    for (bad, field) in [
        (json!({ "plugin": "absent" }), "plugin"),
        (json!({ "instruments": [] }), "instruments"),
        (json!({ "instruments": ["00000000-0000-4000-8000-000000000000"] }), "instruments"),
        (json!({ "days": 0 }), "days"),
        (json!({ "days": 366 }), "days"),
        (json!({ "name": "a\nb" }), "name"),
    ] {
        let mut wanted = draft("nosy");
        wanted.as_object_mut().unwrap().extend(bad.as_object().unwrap().clone());
        let reply = server.admin.post("/api/tokens/service", &wanted).await;
        assert_refused(&reply, 400, "VALIDATION_ERROR");
        assert_eq!(reply.json()["details"]["field"], field, "{reply:?}");
    }
    let unread = server.admin.post("/api/tokens/service", &json!({ "name": "x", "plugin": "nosy", "instruments": ["x"] })).await;
    assert_refused(&unread, 422, "validation.request");
    // Another laboratory's instruments are none of this one's.
    let other = server.other_tenant("other").await;
    assert_eq!(other.get("/api/instruments").await.json(), json!([]));
    assert_eq!(server.admin.get("/api/instruments").await.json()[1]["name"], "Exploris");
    // It takes who looks after people, and decides what plugins may do.
    let (_, id) = make(&server.admin, &draft("nosy")).await;
    let path = format!("/api/tokens/service/{id}");
    let of_people = json!({ "slug": "people", "name": "People", "permissions": ["users.manage", "users.view"] });
    let of_people = super::with_role(&server, "grace", &of_people).await;
    for client in [server.client("member").await, of_people] {
        for reply in [
            client.get("/api/tokens/service").await,
            client.post("/api/tokens/service", &draft("nosy")).await,
            client.delete(&path).await,
        ] {
            assert_refused(&reply, 403, "PERMISSION_DENIED");
        }
    }
    let token = server.admin.post("/api/tokens", &json!({ "name": "x" })).await.json()["token"].as_str().unwrap().to_owned();
    let by_token = send(&server, &token, Method::POST, "/api/tokens/service", Some(&draft("nosy"))).await;
    assert_refused(&by_token, 403, "auth.session_required");
    let entries = server.admin.get("/api/admin/audit?action=service_token.create").await;
    assert_eq!(entries.json()[0]["entity"], format!("service_token:{id}"), "{entries:?}");
}
