//! `mint auth login --device`, and the pages of the platform.

use std::{
    io::{BufRead as _, BufReader},
    process::{Child, Stdio},
};

use http::StatusCode;
use mint_tests::Client;
use rustix::process::Signal;
use serde_json::json;

use super::Mint;

/// A login that waits, and the code that it shows.
fn begin(mint: &Mint, further: &[&str]) -> (Child, String) {
    let mut command = mint.command(&[&["auth", "login", "--device"], further].concat());
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stderr.as_mut().unwrap()).read_line(&mut line).unwrap();
    let (page, code) = line.trim().strip_prefix("Open ").and_then(|rest| rest.split_once(" and type the code ")).unwrap();
    assert_eq!(page, format!("{}/auth/device", mint.url));
    (child, code.to_owned())
}

#[tokio::test]
async fn a_shell_without_a_browser_is_let_in() {
    let mut mint = Mint::serving().await;
    let admin = Client::sign_in(&mint.url, "default", "admin").await;
    let decide = async |code: &str, allow: bool| {
        let reply = admin.post(&format!("/api/oauth/device/{code}"), &json!({ "allow": allow })).await;
        assert_eq!(reply.status, StatusCode::NO_CONTENT, "{reply:?}");
    };
    let (refused, code) = begin(&mint, &[]);
    decide(&code, false).await;
    let refused = refused.wait_with_output().unwrap();
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("it was refused"), "{refused:?}");
    assert_eq!(mint.run(&["auth", "status"]).code, Some(1));

    let (allowed, code) = begin(&mint, &["--read-only"]);
    decide(&code, true).await;
    let allowed = allowed.wait_with_output().unwrap();
    assert_eq!(allowed.status.code(), Some(0), "{allowed:?}");
    let said = String::from_utf8(allowed.stdout).unwrap();
    assert_eq!(said, format!("signed in to {} as admin (profile default)\n", mint.url));
    assert!(mint.run(&["auth", "status"]).stdout.starts_with("admin (viewer)"));
    let change = mint.run(&["token", "create", "x"]);
    assert!(change.code == Some(1) && change.stderr.contains("only reads"), "{}", change.stderr);
    assert_eq!(mint.run(&["auth", "logout"]).code, Some(0));
    assert_eq!(mint.run(&["auth", "status"]).code, Some(1));
    assert_eq!(mint.end(Signal::TERM), Some(0), "{}", mint.log());
}

#[tokio::test]
async fn a_new_server_is_set_up_by_the_link_in_its_data_directory() {
    use std::os::unix::fs::PermissionsExt as _;
    for database in mint_store::testing::databases().await {
        let mut mint = Mint::new();
        mint.set("MINT_DATABASE__URL", database.url.clone());
        mint.serve().await;
        let file = mint.home().join("data/setup-link");
        mint_tests::eventually("the hint", || async { mint.log().contains("setup-link").then_some(()) }).await;
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        let link = std::fs::read_to_string(&file).unwrap();
        let token = link.trim().strip_prefix(&format!("{}/auth/setup#", mint.url)).unwrap().to_owned();
        assert_eq!(token.len(), 64);
        assert!(!mint.log().contains(&token), "the log tells the token");

        let nobody = Client::anonymous(&mint.url);
        let first =
            |token: &str| json!({ "token": token, "laboratory": "Lab", "username": "ada", "password": "a good password" });
        let told = |reply: &mint_tests::Reply| (reply.status.as_u16(), reply.code());
        let wrong = nobody.post("/api/setup", &first(&"0".repeat(64))).await;
        assert_eq!(told(&wrong), (403, "setup.token".to_owned()), "{wrong:?}");
        // What is mistyped does not use it up.
        for (field, value) in [("password", "short"), ("username", "a b"), ("tenant", "No Slug"), ("laboratory", "")] {
            let mut bad = first(&token);
            bad[field] = value.into();
            let reply = nobody.post("/api/setup", &bad).await;
            assert_eq!(told(&reply), (400, "VALIDATION_ERROR".to_owned()), "{field}: {reply:?}");
        }
        // Of many who open it at once, one is the administrator.
        let racers = ["a", "b", "c", "d"].map(|name| {
            let mut racer = first(&token);
            racer["username"] = name.into();
            let nobody = nobody.clone();
            async move { nobody.post("/api/setup", &racer).await }
        });
        let replies = futures_util::future::join_all(racers).await;
        let made: Vec<_> = replies.iter().filter(|reply| reply.status == StatusCode::CREATED).collect();
        assert_eq!(made.len(), 1, "{replies:?}");
        for other in replies.iter().filter(|reply| reply.status != StatusCode::CREATED) {
            assert!(matches!(told(other), (409, _) | (403, _)), "{other:?}");
        }
        assert_eq!(told(&nobody.post("/api/setup", &first(&token)).await), (409, "setup.done".to_owned()));
        assert!(!file.exists(), "the link outlives its use");
        let login = json!({ "username": made[0].json()["username"], "password": "a good password" });
        let signed = nobody.post("/api/auth/login", &login).await.json();
        assert_eq!(signed["user"]["role"], "admin", "{signed}");
        assert_eq!(mint.end(Signal::TERM), Some(0), "{}", mint.log());
        mint.serve().await;
        assert!(!file.exists() && !mint.log().contains("setup-link"));
        assert_eq!(mint.end(Signal::TERM), Some(0), "{}", mint.log());
    }
}

#[tokio::test]
async fn a_link_is_worth_nothing_once_there_is_somebody_or_a_day_is_over() {
    let mut mint = Mint::new();
    mint.serve().await;
    let file = mint.home().join("data/setup-link");
    let token = async || {
        let link = mint_tests::eventually("the link", || async {
            std::fs::read_to_string(&file).ok().filter(|text| text.ends_with('\n'))
        })
        .await;
        link.trim().split_once('#').unwrap().1.to_owned()
    };
    let first = |token: String| json!({ "token": token, "username": "ada", "password": "a good password" });
    let nobody = Client::anonymous(&mint.url);
    let old = token().await;
    let db = mint_store::Db::open(&format!("sqlite:{}", mint.home().join("data/mint.sqlite").display())).await.unwrap();
    mint_store::testing::age_credentials(&db, time::Duration::days(1)).await;
    db.close().await;
    assert_eq!(nobody.post("/api/setup", &first(old)).await.code(), "setup.token");
    assert_eq!(mint.end(Signal::TERM), Some(0), "{}", mint.log());
    mint.serve().await;
    mint_tests::eventually("the hint", || async { mint.log().contains("setup-link").then_some(()) }).await;
    let (nobody, new) = (Client::anonymous(&mint.url), token().await);
    mint.make_admin();
    assert!(!file.exists(), "the link outlives the first user");
    assert_eq!(nobody.post("/api/setup", &first(new)).await.code(), "setup.done");
    // Whoever tries tokens is stopped.
    let mut mint = Mint::new();
    mint.serve().await;
    let nobody = Client::anonymous(&mint.url);
    for _ in 0..5 {
        assert_eq!(nobody.post("/api/setup", &first("0".repeat(64))).await.code(), "setup.token");
    }
    assert_eq!(nobody.post("/api/setup", &first("0".repeat(64))).await.code(), "auth.locked");
    assert_eq!(mint.end(Signal::TERM), Some(0), "{}", mint.log());
}

#[tokio::test]
async fn the_pages_run_nothing_else_and_stand_in_no_frame() {
    let server = mint_tests::TestServer::start().await;
    let nobody = Client::anonymous(&server.url);
    for page in ["device", "setup", "device.js", "setup.js", "page.js", "page.css"] {
        let reply = nobody.get(&format!("/auth/{page}")).await;
        assert_eq!(reply.status, StatusCode::OK, "{page}");
        let policy = reply.header("content-security-policy");
        assert!(policy.starts_with("default-src 'none'; script-src 'self';") && policy.contains("frame-ancestors 'none'"));
        assert_eq!(reply.header("x-content-type-options"), "nosniff");
        assert!(!reply.text().contains("<script>") && !reply.text().contains("style="), "{page} has code in its text");
    }
    assert_eq!(nobody.get("/auth/absent").await.status, StatusCode::NOT_FOUND);
}
