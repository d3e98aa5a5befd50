//! The way to another server and back, in a browser.

use mint_tests::{PASSWORD, TestServer};
use serde_json::json;

use super::{chromium::devtools::Chromium, pages::go, passkeys::at_localhost};
use crate::people::{external::configured, issuer::Issuer};

#[tokio::test]
async fn a_person_signs_in_at_another_server_and_links_it() {
    let issuer = Issuer::start().await;
    let server = TestServer::with(&[("MINT_AUTH__OIDC", &configured(&issuer))]).await;
    let Some(mut chromium) = Chromium::start().await else { return };
    let url = at_localhost(&server);
    let knows = |subject: &str| issuer.knows(json!({ "sub": subject, "preferred_username": subject, "tells_at_once": true }));
    knows("nanook");
    chromium.open(&format!("{url}/auth/sign-in?next=/api/users/me")).await;
    choose(&mut chromium, "open").await;
    let me = chromium.appears("document.body.innerText.includes('username') && document.body.innerText").await;
    assert!(me.contains("\"nanook\""), "{me}");

    chromium.ask("Network.clearBrowserCookies", json!({})).await;
    chromium.open(&format!("{url}/auth/account")).await;
    go(&mut chromium, "sign-in", json!({ "username": "member", "password": PASSWORD }), "button").await;
    chromium.appears("document.getElementById('who')?.textContent").await;
    knows("sedna");
    choose(&mut chromium, "closed").await;
    let linked =
        chromium.appears("document.querySelector('#identities p') && document.getElementById('identities').innerText").await;
    assert!(linked.contains("sedna at closed"), "{linked}");

    // Whom nobody knows here is told so, and what they came back with is not in the address any more.
    chromium.ask("Network.clearBrowserCookies", json!({})).await;
    knows("qalupalik");
    chromium.open(&format!("{url}/auth/sign-in?next=https://elsewhere.example")).await;
    choose(&mut chromium, "closed").await;
    let said = chromium.appears("document.getElementById('again') && document.getElementById('said').textContent").await;
    assert!(said.starts_with("Closed University knows you, but nobody here is linked to you."), "{said}");
    assert_eq!(chromium.evaluate("location.pathname + location.search").await, "/auth/external/closed");
    knows("sedna");
    chromium.open(&format!("{url}/auth/sign-in?next=https://elsewhere.example")).await;
    choose(&mut chromium, "closed").await;
    // Nobody is sent elsewhere by a link.
    chromium.appears("location.pathname.startsWith('/api/docs') && 'here'").await;
}

/// Chooses another server, once it is offered.
async fn choose(chromium: &mut Chromium, provider: &str) {
    chromium.appears(&format!("document.querySelector('#providers [value={provider}]') && 'offered'")).await;
    go(chromium, "providers", json!({}), &format!("[value={provider}]")).await;
}
