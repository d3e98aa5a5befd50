//! Passkeys in a browser, with its virtual authenticator.

use http::{Method, StatusCode};
use mint_tests::{Client, PASSWORD, TestServer};
use serde_json::{Value, json};

use super::{
    chromium::devtools::Chromium,
    pages::{fill, go},
};

/// Keeps what a page posts, so that others can try it again.
const LISTEN: &str = "(() => { const whole = fetch; window.fetch = (path, options) => {
    if (path === '/api/passkey/sign-in') sessionStorage.setItem('posted', options.body);
    return whole(path, options);
}; return ''; })()";

/// Asks the authenticator for what the sign-in page would ask for.
const SHOW: &str = "(async (asked) => {
    const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(asked.options);
    try {
        const credential = await navigator.credentials.get({ publicKey });
        return JSON.stringify({ ceremony: asked.ceremony, credential: credential.toJSON() });
    } catch (error) { return error.name; }
})";

async fn authenticator(chromium: &mut Chromium) {
    chromium.ask("WebAuthn.enable", json!({})).await;
    let options = json!({
        "protocol": "ctap2", "transport": "internal", "hasResidentKey": true, "hasUserVerification": true, "isUserVerified": true,
        "automaticPresenceSimulation": true,
    });
    chromium.ask("WebAuthn.addVirtualAuthenticator", json!({ "options": options })).await;
}

/// At the name by which browsers give passkeys.
pub(super) fn at_localhost(server: &TestServer) -> String {
    server.url.replace("127.0.0.1", "localhost")
}

async fn shown(chromium: &mut Chromium, nobody: &Client) -> Value {
    let asked = nobody.post("/api/passkey/sign-in/options", &Value::Null).await.json();
    let text = chromium.evaluate(&format!("{SHOW}({asked})")).await;
    serde_json::from_str(&text).unwrap_or(Value::String(text))
}

#[tokio::test]
async fn a_person_adds_a_passkey_and_signs_in_with_it() {
    for server in TestServer::on_every_database(&[("MINT_AUTH__REQUIRE_SECOND_FACTOR", "true")]).await {
        let Some(mut chromium) = Chromium::start().await else { return };
        authenticator(&mut chromium).await;
        let url = at_localhost(&server);
        let (member, nobody) = (server.client("member").await, Client::anonymous(&url));
        // Who is not signed in does that first, and comes back.
        chromium.open(&format!("{url}/auth/account")).await;
        let right = json!({ "username": "member", "password": PASSWORD });
        go(&mut chromium, "sign-in", right, "button").await;
        let said = fill(&mut chromium, "add", json!({ "name": "Laptop" }), "button", "said").await;
        assert_eq!(said, "The passkey Laptop is added. You can sign in with it. []");
        let again = fill(&mut chromium, "add", json!({ "name": "Again" }), "button", "said").await;
        assert!(again.contains("credentials already registered") || again.contains("not allowed"), "{again}");
        // The password alone is not enough any more.
        let body = json!({ "username": "member", "password": PASSWORD });
        let refused = nobody.post("/api/auth/login", &body).await;
        assert_eq!((refused.status, refused.code().as_str()), (StatusCode::FORBIDDEN, "auth.passkey_required"), "{refused:?}");
        assert!(refused.json()["message"].as_str().unwrap().contains("mint auth login --device"));
        let wrong = nobody.post("/api/auth/login", &json!({ "username": "member", "password": "wrong password" })).await;
        assert_eq!(wrong.status, StatusCode::UNAUTHORIZED, "whoever does not know it learns nothing of passkeys");

        chromium.ask("Network.clearBrowserCookies", json!({})).await;
        chromium.open(&format!("{url}/auth/sign-in?next=/api/users/me")).await;
        chromium.evaluate(LISTEN).await;
        go(&mut chromium, "passkey", json!({}), "button").await;
        let me = chromium.appears("document.body.innerText.includes('username') && document.body.innerText").await;
        assert!(me.contains("\"member\""), "{me}");
        let audit = server.admin.get("/api/admin/audit?action=session.begin&limit=1").await.json();
        assert_eq!(audit[0]["details"]["by"], "passkey", "{audit}");
        let listed = member.get("/api/passkey").await.json();
        assert_eq!((&listed[0]["name"], listed[0]["last_used_at"].is_string()), (&json!("Laptop"), true), "{listed}");

        // What was posted is good once.
        let posted = chromium.evaluate("sessionStorage.getItem('posted')").await;
        let replayed = nobody.post("/api/passkey/sign-in", &serde_json::from_str(&posted).unwrap()).await;
        assert_eq!(replayed.code(), "auth.ceremony_ended", "{replayed:?}");
        attacks(&mut chromium, &server, &nobody).await;

        // It is removed by its person, and counts for nothing then; nobody else may.
        let path = format!("/api/passkey/{}", listed[0]["id"]);
        assert_eq!(server.client("viewer").await.delete(&path).await.status, StatusCode::NOT_FOUND);
        chromium.open(&format!("{url}/auth/account")).await;
        chromium.appears("document.querySelector('#passkeys button') && 'there'").await;
        go(&mut chromium, "passkeys", json!({}), "button").await;
        chromium.appears("!document.querySelector('#passkeys button') && 'gone'").await;
        let body = shown(&mut chromium, &nobody).await;
        assert_eq!(nobody.post("/api/passkey/sign-in", &body).await.code(), "auth.passkey");
        assert_eq!(
            nobody.post("/api/auth/login", &json!({ "username": "member", "password": PASSWORD })).await.status,
            StatusCode::OK
        );
    }
}

/// What an authenticator says right is not enough where anything else is wrong.
async fn attacks(chromium: &mut Chromium, server: &TestServer, nobody: &Client) {
    let good = shown(chromium, nobody).await;
    let sign_in = async |body: &Value| nobody.post("/api/passkey/sign-in", body).await;
    // For another challenge than its own.
    let mut other = shown(chromium, nobody).await;
    other["ceremony"] = good["ceremony"].clone();
    assert_eq!(sign_in(&other).await.code(), "auth.passkey");
    assert_eq!(sign_in(&good).await.code(), "auth.ceremony_ended", "a wrong answer uses it up too");
    // Changed on its way, or garbage.
    for field in ["signature", "authenticatorData", "clientDataJSON", "userHandle"] {
        for text in ["AAAA", "", "%"] {
            let mut changed = shown(chromium, nobody).await;
            changed["credential"]["response"][field] = json!(text);
            let reply = sign_in(&changed).await;
            assert_eq!((reply.status, reply.code().as_str()), (StatusCode::UNAUTHORIZED, "auth.passkey"), "{field}: {reply:?}");
        }
    }
    for credential in [json!({}), json!({ "id": "x" }), json!({ "response": { "clientDataJSON": "e30" } })] {
        let ceremony = good["ceremony"].clone();
        assert!(sign_in(&json!({ "ceremony": ceremony, "credential": credential })).await.status.is_client_error());
    }
    // A page of a plugin asks for it, below the same name.
    let plugins = server.url.replace("127.0.0.1", "eve--default.localhost");
    chromium.open(&format!("{plugins}/")).await;
    let asked = shown(chromium, nobody).await;
    if asked.is_object() {
        let reply = sign_in(&asked).await;
        assert_eq!((reply.status, reply.code().as_str()), (StatusCode::UNAUTHORIZED, "auth.passkey"), "{reply:?}");
    } else {
        assert_eq!(asked, "SecurityError", "the browser does not even ask");
    }
    // What was begun to add one is not good to sign in.
    let member = nobody.request(Method::POST, "/api/passkey/options");
    assert_eq!(nobody.send(member).await.status, StatusCode::UNAUTHORIZED);
}
