//! The platform's own pages, in a browser.

use http::{Method, StatusCode};
use mint_tests::{Client, PASSWORD, TestServer};
use serde_json::{Value, json};

use super::chromium::devtools::Chromium;
use crate::cli::Mint;

/// Fills in the fields of a form that is to appear, sends it by a button, and waits for what comes of it.
const FILL: &str = "(async (form, fields, button, outcome) => {
    const frame = () => new Promise(requestAnimationFrame);
    const shown = (id) => { const found = document.getElementById(id); return found && !found.closest('[hidden]') && found; };
    for (const [name, value] of Object.entries(fields)) shown(form).elements[name].value = value;
    const sender = shown(form).querySelector(button);
    sender.form.requestSubmit(sender);
    if (outcome === 'sent') return '';
    const come = () => outcome === 'said' ? document.getElementById('said').textContent : shown(outcome)?.textContent;
    while (!come()) await frame();
    return `${come().replace(/\\s+/g, ' ').trim()} [${location.hash}]`;
})";

pub(super) async fn fill(chromium: &mut Chromium, form: &str, fields: Value, button: &str, outcome: &str) -> String {
    let is_shown =
        format!("(() => {{ const it = document.getElementById('{form}'); return it && !it.closest('[hidden]') && 'shown'; }})()");
    chromium.appears(&is_shown).await;
    let arguments = [json!(form), fields, json!(button), json!(outcome)].map(|argument| argument.to_string()).join(",");
    chromium.evaluate(&format!("{FILL}({arguments})")).await
}

/// The same, where the page may be another one then.
pub(super) async fn go(chromium: &mut Chromium, form: &str, fields: Value, button: &str) {
    fill(chromium, form, fields, button, "sent").await;
}

#[tokio::test]
async fn a_person_lets_a_program_in_or_refuses_it() {
    let server = TestServer::start().await;
    let Some(mut chromium) = Chromium::start().await else { return };
    let nobody = Client::anonymous(&server.url);
    let begin = async || {
        let request = nobody.request(Method::POST, "/api/oauth/device_authorization").header("user-agent", "<b>freezer</b>");
        nobody.send(request.form(&[("scope", "read_only")])).await.json()
    };
    let poll = async |begun: &Value| {
        let code = begun["device_code"].as_str().unwrap();
        let fields = [("grant_type", "urn:ietf:params:oauth:grant-type:device_code"), ("device_code", code)];
        nobody.send(nobody.request(Method::POST, "/api/oauth/token").form(&fields)).await
    };
    let first = begin().await;
    chromium.open(first["verification_uri_complete"].as_str().unwrap()).await;
    // Nobody is signed in in this browser yet.
    let wrong = json!({ "username": "member", "password": "wrong password" });
    assert!(fill(&mut chromium, "sign-in", wrong, "button", "said").await.starts_with("The user name or the password is wrong."));
    let right = json!({ "username": "member", "password": PASSWORD });
    go(&mut chromium, "sign-in", right, "button").await;
    chromium.appears("document.querySelector('#decide:not([hidden])') && 'there'").await;
    let shown = chromium.evaluate("document.getElementById('decide').textContent").await;
    for expected in ["act as member", first["user_code"].as_str().unwrap(), "<b>freezer</b>", "127.0.0.1", "change nothing"] {
        assert!(shown.contains(expected), "{expected}: {shown}");
    }
    let said = fill(&mut chromium, "decide", json!({}), "[value=allow]", "said").await;
    assert!(said.starts_with("The program is let in."), "{said}");
    let granted = poll(&first).await;
    assert_eq!((granted.status, &granted.json()["username"]), (StatusCode::OK, &json!("member")), "{granted:?}");
    // The browser is signed in now; a code can be typed as well.
    let second = begin().await;
    chromium.open(second["verification_uri"].as_str().unwrap()).await;
    let missing = json!({ "user_code": "BBBB-BBBB" });
    assert!(fill(&mut chromium, "type", missing, "button", "said").await.starts_with("No program waits under this code."));
    let typed = second["user_code"].as_str().unwrap().to_lowercase().replace('-', " ");
    fill(&mut chromium, "type", json!({ "user_code": typed }), "button", "decide").await;
    assert!(fill(&mut chromium, "decide", json!({}), "[value=deny]", "said").await.starts_with("The program is refused."));
    assert_eq!(poll(&second).await.json()["error"], "access_denied");
}

#[tokio::test]
async fn the_first_administrator_is_made_by_the_link() {
    let Some(mut chromium) = Chromium::start().await else { return };
    let mut mint = Mint::new();
    mint.serve().await;
    let file = mint.home().join("data/setup-link");
    let link =
        mint_tests::eventually("the link", || async { std::fs::read_to_string(&file).ok().filter(|text| text.ends_with('\n')) })
            .await;
    chromium.open(link.trim()).await;
    let fields = json!({ "laboratory": "Lab", "username": "ada", "password": PASSWORD });
    let said = fill(&mut chromium, "setup", fields, "button", "said").await;
    // The token does not stay where people look over one's shoulder.
    assert_eq!(said, "ada is the administrator. Sign in with: mint auth login ada []");
    let ada = Client::sign_in(&mint.url, "default", "ada").await;
    assert_eq!(ada.get("/api/users/me").await.json()["role"], "admin");
}

#[tokio::test]
async fn no_form_is_seen_before_its_script_can_answer() {
    let server = TestServer::start().await;
    for page in ["sign-in", "device", "setup", "account"] {
        let html = Client::anonymous(&server.url).get(&format!("/auth/{page}")).await.text();
        let forms: Vec<&str> = html.lines().filter(|line| line.contains("<form")).collect();
        assert!(!forms.is_empty(), "{html}");
        // The browser itself would send what is typed, a password among it, as a part of the address.
        let early = forms.iter().find(|form| !form.contains(" hidden") && !form.ends_with("></form>"));
        assert_eq!(early, None, "{page}");
    }
}

#[tokio::test]
async fn whoever_wants_to_see_a_page_signs_in_first() {
    let server = TestServer::start().await;
    let nobody = Client::anonymous(&server.url);
    let visit = nobody.request(Method::GET, "/hello/?a=1&b=%2F").header("sec-fetch-mode", "navigate");
    let sent = nobody.send(visit).await;
    assert_eq!(
        (sent.status, sent.header("location")),
        (StatusCode::SEE_OTHER, "/auth/sign-in?next=%2Fhello%2F%3Fa%3D1%26b%3D%252F")
    );
    assert_eq!(nobody.get("/hello/").await.status, StatusCode::UNAUTHORIZED, "a program is told");
}
