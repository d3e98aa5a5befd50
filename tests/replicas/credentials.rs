//! A credential that ends at one server is worth nothing at the others a second later, although they remember whom it stands for.

use std::time::{Duration, Instant};

use mint_tests::{Client, eventually};
use reqwest::Method;
use serde_json::json;

use super::Shared;
use crate::{cli::Mint, subprocess::Program};

/// For so long a server may go on with what it knew.
const REMEMBERED: Duration = Duration::from_secs(1);

/// A credential, what it is good for, and how it ends.
struct Credential {
    name: &'static str,
    token: String,
    path: &'static str,
    end: reqwest::RequestBuilder,
}

/// Servers of one database, and a plugin that both of them run.
async fn servers(shared: &Shared) -> (Vec<Mint>, Client) {
    let mut servers = vec![shared.server(30), shared.server(30)];
    servers[0].make_admin();
    for server in &mut servers {
        server.serve().await;
    }
    let admin = Client::sign_in(&servers[0].url, "default", "admin").await;
    admin
        .installed(&Program::NOSY.bundle_with("nosy", json!({ "capabilities": [{ "name": "instruments:write" }] })), json!({}))
        .await;
    for server in &servers {
        let client = admin.at(&server.url);
        let answers = async || (client.get("/api/nosy/echo").await.status == 200).then_some(());
        eventually("the plugin at every server", answers).await;
    }
    (servers, admin)
}

/// A service token, a personal one, a session, and one of somebody who may no longer sign in.
async fn credentials(admin: &Client) -> Vec<Credential> {
    let call = json!({ "method": "POST", "path": "/instruments", "body": { "name": "Exploris" } });
    let instrument = admin.post("/api/nosy/call", &call).await.json()["body"]["id"].clone();
    let of_service = json!({ "name": "acquisition", "plugin": "nosy", "instruments": [instrument] });
    let service = admin.post("/api/tokens/service", &of_service).await.json();
    let personal = admin.post("/api/tokens", &json!({ "name": "program" })).await.json();
    let person = |name: &str| json!({ "username": name, "password": mint_tests::PASSWORD });
    assert_eq!(admin.post("/api/users", &person("ada")).await.status, 201);
    let grace = admin.post("/api/users", &person("grace")).await.json();
    let [ada, of_grace] =
        [Client::sign_in(admin.url(), "default", "ada").await, Client::sign_in(admin.url(), "default", "grace").await];
    let text = |value: &serde_json::Value| value["token"].as_str().unwrap().to_owned();
    vec![
        Credential {
            name: "service token",
            token: text(&service),
            path: "/api/nosy/echo",
            end: admin.request(Method::DELETE, &format!("/api/tokens/service/{}", service["id"])),
        },
        Credential {
            name: "personal token",
            token: text(&personal),
            path: "/api/auth/verify",
            end: admin.request(Method::DELETE, &format!("/api/tokens/{}", personal["id"])),
        },
        Credential {
            name: "session",
            token: ada.token().to_owned(),
            path: "/api/auth/verify",
            end: ada.request(Method::POST, "/api/auth/logout"),
        },
        Credential {
            name: "session of somebody who may not sign in",
            token: of_grace.token().to_owned(),
            path: "/api/nosy/echo",
            end: admin.request(Method::PATCH, &format!("/api/users/{}", grace["id"])).json(&json!({ "is_active": false })),
        },
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_revoked_at_one_server_is_refused_by_all_within_a_second() {
    let Some(shared) = Shared::new().await else { return };
    let (servers, admin) = servers(&shared).await;
    for Credential { name, token, path, end } in credentials(&admin).await {
        let other = Client::anonymous(&servers[1].url);
        let ask = async || {
            let begun = Instant::now();
            let status = other.send(other.request(Method::GET, path).bearer_auth(&token)).await.status;
            (begun, begun.elapsed(), status)
        };
        // It is remembered there, and asked for all the time.
        let mut longest = Duration::ZERO;
        for _ in 0..10 {
            let (_, took, status) = ask().await;
            assert_eq!(status, 200, "{name}");
            longest = longest.max(took);
        }
        let ended = admin.send(end).await;
        assert!(ended.status.is_success(), "{name}: {ended:?}");
        let since = Instant::now();
        loop {
            let (begun, took, status) = ask().await;
            longest = longest.max(took);
            if status == 401 {
                break;
            }
            assert_eq!(status, 200, "{name}");
            // One that was looked up just before it ended is remembered when the answer of the database has come.
            let age = begun.saturating_duration_since(since);
            assert!(age <= REMEMBERED + longest, "{name}: good for {age:?} after its end");
        }
        // From then on for good, at either.
        for server in &servers {
            let client = Client::anonymous(&server.url);
            assert_eq!(client.send(client.request(Method::GET, path).bearer_auth(&token)).await.status, 401, "{name}");
        }
    }
}
