//! What passes between a client and a component.

use bytes::Bytes;
use futures_util::stream;
use http::{Method, StatusCode};
use mint_tests::{Client, Reply, TestServer, bundle};
use reqwest::Body;
use serde_json::{Value, json};

const MIB: usize = 1 << 20;

async fn hostile() -> TestServer {
    let server = TestServer::start().await;
    server.admin.installed(&bundle("hostile"), json!({})).await;
    server
}

/// What the plugin heard of these header fields, of a request with these.
async fn heard(client: &Client, names: &[&str], sent: &[(&str, &str)]) -> (Reply, Value) {
    let request = client.request(Method::GET, &format!("/api/hostile/heard?names={}", names.join(",")));
    let reply = client.send(sent.iter().fold(request, |request, (name, value)| request.header(*name, *value))).await;
    assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
    let heard = reply.json();
    (reply, heard)
}

#[tokio::test]
async fn a_request_has_one_name_everywhere() {
    let server = hostile().await;
    let (reply, heard_by_plugin) = heard(&server.admin, &["x-request-id"], &[("x-request-id", "from-the-client.1")]).await;
    assert_eq!(
        (&reply.headers["x-request-id"], &heard_by_plugin["x-request-id"]),
        (&"from-the-client.1".parse().unwrap(), &json!("from-the-client.1"))
    );
    let (reply, heard_by_plugin) = heard(&server.admin, &["x-request-id"], &[]).await;
    assert_eq!(heard_by_plugin["x-request-id"], reply.headers["x-request-id"].to_str().unwrap());
    let (reply, _) = heard(&server.admin, &["x-request-id"], &[("x-request-id", "no good\tname")]).await;
    assert_ne!(reply.headers["x-request-id"], "no good\tname");
}

#[tokio::test]
async fn a_plugin_learns_from_the_platform_who_asks_and_where_it_stands() {
    let server = hostile().await;
    let names = [
        "x-mint-user-id",
        "x-mint-username",
        "x-mint-user-role",
        "x-mint-user-permissions",
        "x-forwarded-prefix",
        "accept-language",
    ];
    let viewer = server.client("viewer").await;
    let (_, heard) = heard(&viewer, &names, &[("accept-language", "de")]).await;
    let me = viewer.get("/api/users/me").await.json();
    assert_eq!(heard["x-mint-user-id"], me["id"].to_string());
    assert_eq!((&heard["x-mint-username"], &heard["x-mint-user-role"]), (&json!("viewer"), &json!("viewer")));
    let permissions: Vec<String> = serde_json::from_str(heard["x-mint-user-permissions"].as_str().unwrap()).unwrap();
    assert!(
        permissions.contains(&"plugins.use".to_owned()) && !permissions.contains(&"plugins.install".to_owned()),
        "{permissions:?}"
    );
    assert_eq!((&heard["x-forwarded-prefix"], &heard["accept-language"]), (&json!("/api/hostile"), &json!("de")));
}

#[tokio::test]
async fn what_a_client_says_of_itself_is_not_believed() {
    let server = hostile().await;
    let viewer = server.client("viewer").await;
    let forged = [
        ("x-mint-user-id", "1"),
        ("x-mint-username", "admin"),
        ("x-mint-user-role", "admin"),
        ("x-mint-user-permissions", "[\"platform.configure\"]"),
        ("x-mint-anything-new", "x"),
        ("x-mint-internal-token", "x"),
        ("x-forwarded-prefix", "/api/other"),
        ("x-forwarded-for", "10.0.0.1"),
        ("forwarded", "for=10.0.0.1"),
        ("cookie", "mint_access_token=x"),
    ];
    let names: Vec<&str> = forged.iter().map(|(name, _)| *name).chain(["authorization"]).collect();
    let (_, plain) = heard(&viewer, &names, &[]).await;
    let (_, forged) = heard(&viewer, &names, &forged).await;
    assert_eq!(forged, plain);
    assert_eq!(plain["x-mint-username"], "viewer");
    for silent in ["x-mint-anything-new", "x-mint-internal-token", "x-forwarded-for", "forwarded", "cookie", "authorization"] {
        assert_eq!(plain[silent], Value::Null, "{silent}");
    }
    server.admin.installed(&bundle("hello"), json!({})).await;
    let request =
        viewer.request(Method::GET, "/api/hello/whoami").header("x-mint-user-role", "admin").header("x-mint-username", "admin");
    assert_eq!(viewer.send(request).await.json()["role"], "viewer");
}

#[tokio::test]
async fn a_plugin_does_not_speak_for_the_site() {
    let server = hostile().await;
    let reply = server.admin.get("/api/hostile/speak").await;
    assert_eq!((reply.status, reply.text().as_str()), (StatusCode::OK, "done"));
    let cookies: Vec<_> = reply.headers.get_all("set-cookie").iter().collect();
    assert_eq!(cookies, ["harmless=1; Path=/api/hostile"]);
    for silent in ["service-worker-allowed", "clear-site-data"] {
        assert!(!reply.headers.contains_key(silent), "{silent}");
    }
    assert_ne!(reply.headers["x-request-id"], "of-my-own-choice");
    // Policies add up: its own cannot undo the platform's.
    let policies: Vec<_> = reply.headers.get_all("content-security-policy").iter().map(|value| value.to_str().unwrap()).collect();
    assert!(policies.iter().any(|policy| policy.starts_with("sandbox")), "{policies:?}");
    assert_eq!(reply.headers["x-content-type-options"], "nosniff");
}

#[tokio::test]
async fn paths_that_can_be_read_in_two_ways_are_refused() {
    let server = hostile().await;
    for path in ["/api/hostile/a%2Fb", "/api/hostile//sleep", "/api/hostile/a%5Cb", "/api/hostile/%00"] {
        let reply = server.admin.get(path).await;
        assert_eq!((reply.status, reply.code().as_str()), (StatusCode::BAD_REQUEST, "VALIDATION_ERROR"), "{path}: {reply:?}");
    }
    assert_eq!(server.admin.get("/api/hostilexyz").await.code(), "resource.not_found");
    assert_eq!(server.admin.get("/api/hostile/no-such-route").await.status, StatusCode::NOT_FOUND);
    assert_eq!(Client::anonymous(&server.url).get("/api/hostile/").await.code(), "auth.required");
}

/// A body of so many chunks, which nobody knows the length of.
fn chunks(count: usize, bytes: usize) -> Body {
    let chunk = move |index: usize| Ok::<_, std::io::Error>(Bytes::from(vec![(index % 251) as u8; bytes]));
    Body::wrap_stream(stream::iter((0..count).map(chunk)))
}

async fn echoes(guest: &str, mib: usize) {
    let server = TestServer::start().await;
    server.admin.installed(&bundle(guest), json!({ "cpu_ms_max": 60_000 })).await;
    let request = server.admin.request(Method::POST, &format!("/api/{guest}/echo")).header("content-type", "application/x-test");
    let response = request.body(chunks(mib * 4, MIB / 4)).send().await.unwrap();
    assert_eq!((response.status(), response.headers()["content-type"].to_str().unwrap()), (StatusCode::OK, "application/x-test"));
    let Ok(body) = response.bytes().await else { panic!("the echo broke off: {:#}", server.admin.plugin(guest).await["log"]) };
    assert_eq!(body.len(), mib * MIB);
    let whole = body.chunks(MIB / 4).enumerate().all(|(index, chunk)| chunk.iter().all(|byte| *byte == (index % 251) as u8));
    assert!(whole, "the body came back changed");
}

#[tokio::test]
async fn a_large_body_streams_through_rust() {
    echoes("hello", 64).await;
}

#[tokio::test]
async fn a_large_body_streams_through_javascript() {
    echoes("hello-js", 16).await;
}

#[tokio::test]
async fn a_large_body_streams_through_python() {
    echoes("hello-python", 16).await;
}
