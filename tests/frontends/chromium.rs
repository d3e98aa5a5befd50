//! A real browser, which keeps origins apart as no client of a test does.

pub(super) mod devtools;

use mint_tests::{TestServer, bundle};
use serde_json::json;

use self::devtools::Chromium;
use super::with_frontend;
use crate::subprocess::Program;

/// Waits for what the page's own script shows.
const GREETING: &str = "(async () => {
    const greeting = document.querySelector('#greeting');
    while (greeting.textContent === '…') await new Promise(requestAnimationFrame);
    return `${greeting.textContent} ${document.querySelector('#role').textContent} ${location.host} [${document.cookie}]`;
})()";

#[tokio::test]
async fn a_signed_in_person_sees_the_page_and_what_its_script_was_told() {
    let server = TestServer::start().await;
    server.admin.installed(&bundle("hello"), json!({})).await;
    let Some(mut chromium) = Chromium::start().await else { return };
    chromium.sign_in(&server.client("member").await).await;
    chromium.open(&format!("{}/hello/", server.url)).await;
    let port = server.url.rsplit(':').next().unwrap();
    assert_eq!(chromium.evaluate(GREETING).await, format!("Hello, member! member hello--default.localhost:{port} []"));
}

/// Tries what a page could try against the platform, in the browser of somebody who is signed in there.
const ATTACK: &str = "(async (platform) => {
    const tried = {};
    const attempt = async (name, url, options) => {
        try {
            const response = await fetch(url, options);
            tried[name] = response.type === 'opaque' ? 'opaque' : `${response.status}`;
        } catch { tried[name] = 'refused'; }
    };
    await attempt('read', `${platform}/api/users/me`, { credentials: 'include' });
    await attempt('send', `${platform}/api/projects`, { method: 'POST', mode: 'no-cors', credentials: 'include', body: '{\"name\":\"stolen\"}' });
    await attempt('own', '/api/users/me');
    await attempt('neighbour', `${location.origin.replace('attacker', 'hello')}/api/hello/`, { credentials: 'include' });
    await new Promise((done) => {
        const frame = document.createElement('iframe');
        frame.src = `${platform}/api/users/me`;
        frame.onload = done;
        document.body.append(frame);
    });
    try { tried.frame = document.querySelector('iframe').contentDocument ? 'readable' : 'closed'; } catch { tried.frame = 'closed'; }
    return JSON.stringify(tried);
})";

#[tokio::test]
async fn a_pages_script_cannot_use_the_visitors_session_at_the_platform() {
    let server = TestServer::start().await;
    server.admin.installed(&bundle("hello"), json!({})).await;
    let page: &[(&str, &[u8])] = &[("index.html", b"<!doctype html><body>attacker")];
    server.admin.installed(&with_frontend(&Program::MORTAL, "attacker", "1.0.0", page), json!({})).await;
    let Some(mut chromium) = Chromium::start().await else { return };
    chromium.sign_in(&server.admin).await;
    chromium.open(&format!("{}/hello/", server.url)).await;
    chromium.evaluate(GREETING).await;
    chromium.open(&format!("{}/attacker/", server.url)).await;
    let tried: serde_json::Value =
        serde_json::from_str(&chromium.evaluate(&format!("{ATTACK}('{}')", server.url)).await).unwrap();
    let expected = json!({ "read": "refused", "send": "refused", "own": "404", "neighbour": "refused", "frame": "closed" });
    assert_eq!(tried, expected);
    assert_eq!(server.admin.get("/api/projects").await.json()["total"], 0);
}
