//! The OpenAPI document, tried by schemathesis as four kinds of people: whatever is sent, an operation answers as the document says,
//! takes nothing that the document forbids, and never fails.

use std::process::{Command, Output};

use mint_tests::TestServer;

/// The release that is tried; uv fetches it.
const SCHEMATHESIS: &str = "schemathesis==4.32.5";
/// Inputs made up for each operation, beside those that go through the bounds of each parameter.
const EXAMPLES: &str = "5";
/// What would end the session that asks, never ends by itself, or takes what schemathesis cannot make: whole bundles and archives.
const LEFT_OUT: &str = "logout|sessions|password|plugins/dev|snapshots/upload|/events|setup|/export$";
/// That whatever the document allows is taken: which names are free, or which roles there are, no schema says.
const UNCHECKED: &str = "positive_data_acceptance";

#[expect(clippy::disallowed_methods, reason = "another program tries the server under test")]
fn tried_at(url: &str, token: Option<&str>, home: &std::path::Path) -> Output {
    let mut command = Command::new(mint_tests::uv());
    command.args(["tool", "run", "--quiet", "--no-config"]);
    if let Some(python) = mint_tests::python() {
        command.args(["--python", &python]);
    }
    command.args(["--from", SCHEMATHESIS, "schemathesis", "run", &format!("{url}/api/openapi.json")]);
    command.args(["--phases", "coverage,fuzzing", "--max-examples", EXAMPLES, "--generation-deterministic", "--no-color"]);
    command.args(["--exclude-checks", UNCHECKED, "--exclude-path-regex", LEFT_OUT]);
    if let Some(token) = token {
        command.args(["--header", &format!("Authorization: Bearer {token}")]);
    }
    // It keeps what it found beside where it runs.
    command.current_dir(home).env("NO_PROXY", "127.0.0.1").output().unwrap()
}

async fn keeps_its_word_to(username: Option<&str>) {
    let server = TestServer::start().await;
    let token = match username {
        Some(username) => Some(server.client(username).await.token().to_owned()),
        None => None,
    };
    let (url, home) = (server.url.clone(), tempfile::tempdir().unwrap());
    let place = home.path().to_owned();
    let output = tokio::task::spawn_blocking(move || tried_at(&url, token.as_deref(), &place)).await.unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    let cases = said.lines().find(|line| line.contains("generated")).unwrap_or_default().trim();
    println!("as {}: {cases}", username.unwrap_or("nobody"));
    assert!(!cases.is_empty(), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn to_nobody() {
    keeps_its_word_to(None).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn to_a_viewer() {
    keeps_its_word_to(Some("viewer")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn to_a_member() {
    keeps_its_word_to(Some("member")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn to_an_administrator() {
    keeps_its_word_to(Some("admin")).await;
}
