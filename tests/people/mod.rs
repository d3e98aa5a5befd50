//! People of a laboratory: what they may do, and by what they are known.

mod attacks;
mod audit;
mod canary;
mod device_login;
mod export;
pub(crate) mod external;
pub(crate) mod issuer;
mod projects;
mod rights;
mod roles;
mod secrets;
mod service_tokens;
mod sessions;
mod tenants;
mod tokens;
mod users;
mod visibility;

use http::StatusCode;
use mint_tests::{Client, PASSWORD, Reply, TestServer};
use serde_json::{Value, json};

/// Makes a user with the password of all tests, and gives the id.
async fn make(client: &Client, username: &str, role: &str) -> i64 {
    let reply = client.post("/api/users", &json!({ "username": username, "password": PASSWORD, "role": role })).await;
    assert_eq!(reply.status, StatusCode::CREATED, "{reply:?}");
    reply.json()["id"].as_i64().unwrap()
}

/// The id of a user.
async fn id_of(client: &Client, username: &str) -> i64 {
    let found = client.get(&format!("/api/users?username={username}")).await.json();
    found[0]["id"].as_i64().unwrap_or_else(|| panic!("no user {username}: {found}"))
}

/// Makes a role and somebody who has it, and signs in as them.
pub(crate) async fn with_role(server: &TestServer, username: &str, role: &Value) -> Client {
    let reply = server.admin.post("/api/roles", role).await;
    assert_eq!(reply.status, StatusCode::CREATED, "{reply:?}");
    make(&server.admin, username, role["slug"].as_str().unwrap()).await;
    server.client(username).await
}

#[track_caller]
fn assert_refused(reply: &Reply, status: u16, code: &str) {
    assert_eq!((reply.status.as_u16(), reply.code().as_str()), (status, code), "{reply:?}");
}
