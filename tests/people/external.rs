//! Signing in at another server, by OpenID Connect.

use http::{Method, StatusCode, header};
use mint_tests::{Client, Reply, TestServer};
use serde_json::{Value, json};
use url::Url;

use super::issuer::{CLIENT, Issuer, LIES, Lie, SECRET};

/// Servers of which `open` takes in strangers and `closed` does not; the same issuer is behind both.
pub(crate) fn configured(issuer: &Issuer) -> String {
    let of = |name: &str, laboratory: &str, newcomers: Value| {
        json!({
            "name": name, "issuer": issuer.url, "clientId": CLIENT, "clientSecret": SECRET, "laboratory": laboratory,
            "newcomers": newcomers,
        })
    };
    json!({
        "open": of("Open University", "default", json!("viewer")),
        "closed": of("Closed University", "default", Value::Null),
        "north": of("North University", "north", json!("viewer")),
    })
    .to_string()
}

/// A browser that is on its way back.
struct Traveller {
    cookie: String,
    back: Value,
}

/// Sends a browser to the issuer, which sends it back at once.
async fn travel(client: &Client, provider: &str, how: &str) -> Traveller {
    let going = client.post(&format!("/api/auth/external/{provider}{how}"), &Value::Null).await;
    assert_eq!(going.status, StatusCode::OK, "{going:?}");
    let cookie = going.header("set-cookie").to_owned();
    assert!(cookie.contains("HttpOnly; SameSite=Lax"), "{cookie}");
    let url: Url = going.json()["url"].as_str().unwrap().parse().unwrap();
    let there = Client::anonymous(&url.origin().ascii_serialization());
    let sent_back = there.get(&format!("{}?{}", url.path(), url.query().unwrap())).await;
    let back: Url = sent_back.header("location").parse().unwrap();
    assert_eq!(back.path(), format!("/auth/external/{provider}"));
    let back = back.query_pairs().map(|(name, value)| (name.into_owned(), json!(value))).collect();
    Traveller { cookie: cookie.split(';').next().unwrap().to_owned(), back: Value::Object(back) }
}

async fn hand_over(client: &Client, provider: &str, what: &str, traveller: &Traveller) -> Reply {
    let path = format!("/api/auth/external/{provider}/{what}");
    client.send(client.request(Method::POST, &path).header(header::COOKIE, &traveller.cookie).json(&traveller.back)).await
}

async fn sign_in(server: &TestServer, provider: &str) -> Reply {
    let nobody = Client::anonymous(&server.url);
    let traveller = travel(&nobody, provider, "").await;
    hand_over(&nobody, provider, "session", &traveller).await
}

async fn users(server: &TestServer) -> usize {
    server.admin.get("/api/users").await.json().as_array().unwrap().len()
}

#[tokio::test]
async fn a_stranger_becomes_somebody_new_where_the_laboratory_wants_that() {
    let issuer = Issuer::start().await;
    for server in TestServer::on_every_database(&[("MINT_AUTH__OIDC", &configured(&issuer))]).await {
        let methods = Client::anonymous(&server.url).get("/api/auth/methods").await.json();
        let names: Vec<&str> = methods["providers"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect();
        assert_eq!(names, ["Closed University", "Open University"]);
        issuer.knows(json!({ "sub": "17", "preferred_username": "member", "email": "m@example.org", "email_verified": false,
            "given_name": "Mary", "family_name": "Shelley" }));
        let first = sign_in(&server, "open").await;
        assert_eq!(first.status, StatusCode::OK, "{first:?}");
        // Who is called like somebody here is not them.
        assert_eq!((&first.json()["user"]["username"], &first.json()["user"]["role"]), (&json!("member-2"), &json!("viewer")));
        assert!(first.header("set-cookie").starts_with("mint_access_token="));
        let id = first.json()["user"]["id"].clone();
        let user = server.admin.get(&format!("/api/users/{id}")).await.json();
        assert_eq!((&user["first_name"], &user["last_name"]), (&json!("Mary"), &json!("Shelley")));
        assert_eq!(user["email"], Value::Null, "nobody has made sure of that address");
        assert_eq!(sign_in(&server, "open").await.json()["user"]["id"], id, "the same person again");
        let audit = server.admin.get("/api/admin/audit?action=session.begin&limit=1").await.json();
        assert_eq!(audit[0]["details"]["by"], "external:open", "{audit}");
        // Without a password it is the only way in.
        let nobody = Client::anonymous(&server.url);
        let token = first.json()["access_token"].as_str().unwrap().to_owned();
        let as_them = |method, path: &str| nobody.request(method, path).bearer_auth(&token);
        let own = nobody.send(as_them(Method::GET, "/api/auth/identities")).await.json();
        let identity = format!("/api/auth/identities/{}", own["linked"][0]["id"]);
        assert_eq!(nobody.send(as_them(Method::DELETE, &identity)).await.code(), "auth.last_way_in");
        server.admin.patch(&format!("/api/users/{id}"), &json!({ "is_active": false })).await;
        assert_eq!(sign_in(&server, "open").await.code(), "auth.not_linked");
        server.admin.patch(&format!("/api/users/{id}"), &json!({ "is_active": true })).await;
        issuer.changes_its_key();
        // It is asked for its new key, though not by everybody at once.
        mint_tests::eventually("a sign-in with the new key", || async {
            Some(sign_in(&server, "open").await).filter(|reply| reply.status == StatusCode::OK)
        })
        .await;
    }
}

#[tokio::test]
async fn a_person_links_whom_the_other_server_knows() {
    let issuer = Issuer::start().await;
    for server in TestServer::on_every_database(&[("MINT_AUTH__OIDC", &configured(&issuer))]).await {
        issuer.knows(json!({ "sub": "ada@edu", "preferred_username": "ada", "tells_at_once": true, "email": "admin@example.org",
            "email_verified": true }));
        let before = users(&server).await;
        let refused = sign_in(&server, "closed").await;
        assert_eq!((refused.status, refused.code().as_str()), (StatusCode::FORBIDDEN, "auth.not_linked"));
        assert!(refused.json()["message"].as_str().unwrap().contains("Closed University knows you"), "{refused:?}");
        let (member, viewer) = (server.client("member").await, server.client("viewer").await);
        let traveller = travel(&member, "closed", "/link").await;
        // What somebody else has begun is theirs to end.
        assert_eq!(hand_over(&viewer, "closed", "identity", &traveller).await.code(), "auth.ceremony_ended");
        let traveller = travel(&member, "closed", "/link").await;
        let linked = hand_over(&member, "closed", "identity", &traveller).await;
        assert_eq!((linked.status, &linked.json()["subject"]), (StatusCode::CREATED, &json!("ada@edu")), "{linked:?}");
        let signed = sign_in(&server, "closed").await.json();
        assert_eq!(signed["user"]["username"], "member");
        // The same issuer by another name knows the same people.
        assert_eq!(sign_in(&server, "open").await.json()["user"]["username"], "member");
        let traveller = travel(&viewer, "closed", "/link").await;
        assert_eq!(hand_over(&viewer, "closed", "identity", &traveller).await.status, StatusCode::CONFLICT);
        assert_eq!(users(&server).await, before);
        // An administrator sees it and takes it away; others do not.
        let of = format!("user={}", signed["user"]["id"]);
        let list = format!("/api/auth/identities?{of}");
        assert_eq!(viewer.get(&list).await.status, StatusCode::FORBIDDEN);
        let seen = server.admin.get(&list).await.json();
        let one = format!("/api/auth/identities/{}?{of}", seen["linked"][0]["id"]);
        assert_eq!(viewer.delete(&one).await.status, StatusCode::FORBIDDEN);
        assert_eq!(server.admin.delete(&one).await.status, StatusCode::NO_CONTENT);
        assert_eq!(sign_in(&server, "closed").await.code(), "auth.not_linked");
        let audit = server.admin.get("/api/admin/audit?entity_type=user&limit=50").await.text();
        for action in ["identity.link", "identity.unlink"] {
            assert!(audit.contains(action), "{action}: {audit}");
        }
        // A token is not enough to link by.
        let made = member.post("/api/tokens", &json!({ "name": "t", "days": 1 })).await.json();
        let request = Client::anonymous(&server.url).request(Method::POST, "/api/auth/external/closed/link");
        let reply = member.send(request.bearer_auth(made["token"].as_str().unwrap())).await;
        assert_eq!(reply.code(), "auth.session_required");
    }
}

#[tokio::test]
async fn whoever_lies_is_not_believed() {
    let issuer = Issuer::start().await;
    let server = TestServer::with(&[("MINT_AUTH__OIDC", &configured(&issuer))]).await;
    issuer.knows(json!({ "sub": "1", "preferred_username": "eve", "tells_at_once": true }));
    let before = users(&server).await;
    for lie in LIES {
        issuer.lies(Some(lie));
        let reply = sign_in(&server, "open").await;
        let expected = match lie {
            Lie::Endless => (StatusCode::SERVICE_UNAVAILABLE, "auth.provider_unreachable"),
            _ => (StatusCode::UNAUTHORIZED, "auth.external"),
        };
        assert_eq!((reply.status, reply.code().as_str()), expected, "{lie:?}: {reply:?}");
        assert!(reply.headers.get("set-cookie").is_none(), "{lie:?}");
    }
    assert_eq!(users(&server).await, before, "nobody has come of it");
    issuer.lies(None);
    assert_eq!(sign_in(&server, "open").await.status, StatusCode::OK);
    // It is asked for so long, and nobody else waits.
    let nobody = Client::anonymous(&server.url);
    let traveller = travel(&nobody, "open", "").await;
    issuer.lies(Some(Lie::Silent));
    let waits = hand_over(&nobody, "open", "session", &traveller);
    let meanwhile = async {
        assert_eq!(server.admin.get("/api/projects").await.status, StatusCode::OK);
    };
    let (late, ()) = tokio::join!(waits, meanwhile);
    let expected = (StatusCode::SERVICE_UNAVAILABLE, "auth.provider_unreachable");
    assert_eq!((late.status, late.code().as_str()), expected, "{late:?}");
}

#[tokio::test]
async fn only_the_browser_that_left_comes_back_and_once() {
    let issuer = Issuer::start().await;
    let server = TestServer::with(&[("MINT_AUTH__OIDC", &configured(&issuer))]).await;
    issuer.knows(json!({ "sub": "1", "preferred_username": "eve", "tells_at_once": true }));
    let nobody = Client::anonymous(&server.url);
    // Somebody is made to come back as somebody else.
    let (victim, attacker) = (travel(&nobody, "open", "").await, travel(&nobody, "open", "").await);
    for cookie in [victim.cookie.clone(), String::new(), "mint_departed=".to_owned()] {
        let mixed = Traveller { cookie, back: attacker.back.clone() };
        let reply = hand_over(&nobody, "open", "session", &mixed).await;
        assert_eq!((reply.status, reply.code().as_str()), (StatusCode::FORBIDDEN, "auth.another_browser"), "{reply:?}");
    }
    assert_eq!(hand_over(&nobody, "open", "session", &victim).await.status, StatusCode::OK);
    assert_eq!(hand_over(&nobody, "open", "session", &victim).await.code(), "auth.ceremony_ended", "it is good once");
    // What was begun for one server or one purpose is not good for another.
    let traveller = travel(&nobody, "open", "").await;
    assert_eq!(hand_over(&nobody, "closed", "session", &traveller).await.code(), "auth.external");
    let member = server.client("member").await;
    let traveller = travel(&member, "open", "/link").await;
    assert_eq!(hand_over(&nobody, "open", "session", &traveller).await.code(), "auth.ceremony_ended");
    // The other server says that it is another one.
    let mut traveller = travel(&nobody, "open", "").await;
    traveller.back["iss"] = json!("https://elsewhere.example");
    assert_eq!(hand_over(&nobody, "open", "session", &traveller).await.code(), "auth.external");
    let unknown = nobody.post("/api/auth/external/nowhere", &Value::Null).await;
    assert_eq!(unknown.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_server_is_one_laboratorys() {
    let issuer = Issuer::start().await;
    let variables = [("MINT_AUTH__OIDC", configured(&issuer)), ("MINT_SERVER__TENANT_DOMAIN", "mint.example.org".to_owned())];
    let server = TestServer::with(&variables.each_ref().map(|(name, value)| (*name, value.as_str()))).await;
    server.other_tenant("north").await;
    issuer.knows(json!({ "sub": "1", "preferred_username": "nanook", "tells_at_once": true }));
    let nobody = Client::anonymous(&server.url);
    let at = |host: &str, method, path: &str| nobody.request(method, path).header(header::HOST, host);
    let going = nobody.send(at("north.mint.example.org", Method::POST, "/api/auth/external/north")).await;
    let url: Url = going.json()["url"].as_str().unwrap().parse().unwrap();
    let registered = url.query_pairs().find(|(name, _)| name == "redirect_uri").unwrap().1.into_owned();
    assert_eq!(registered, "https://north.mint.example.org/auth/external/north");
    for (host, provider) in
        [("default.mint.example.org", "north"), ("north.mint.example.org", "open"), ("x.y.mint.example.org", "open")]
    {
        let reply = nobody.send(at(host, Method::POST, &format!("/api/auth/external/{provider}"))).await;
        assert_eq!(reply.status, StatusCode::NOT_FOUND, "{host}");
    }
    let offered = nobody.send(at("north.mint.example.org", Method::GET, "/api/auth/methods?tenant=default")).await.json();
    assert_eq!(offered["providers"], json!([]), "{offered}");
    let offered = nobody.send(at("north.mint.example.org", Method::GET, "/api/auth/methods")).await.json();
    assert_eq!(offered["providers"], json!([{ "id": "north", "name": "North University" }]));
}

#[tokio::test]
async fn a_server_that_is_away_is_said_to_be() {
    let oidc = json!({ "edu": { "name": "Edu", "issuer": "http://127.0.0.1:9", "clientId": "x", "laboratory": "default" } });
    let server = TestServer::with(&[("MINT_AUTH__OIDC", &oidc.to_string())]).await;
    let reply = Client::anonymous(&server.url).post("/api/auth/external/edu", &Value::Null).await;
    assert_eq!((reply.status, reply.code().as_str()), (StatusCode::SERVICE_UNAVAILABLE, "auth.provider_unreachable"));
    assert_eq!(reply.json()["message"], "Edu does not answer as it should. Try again later, or sign in another way.");
    // Everybody else comes in as before.
    server.client("member").await;
}
