//! Users, and signing in and out.

use std::os::unix::fs::PermissionsExt as _;

use mint_tests::PASSWORD;
use rustix::process::Signal;
use serde_json::Value;

use super::{Mint, binary::assert_session};

#[tokio::test]
async fn a_first_user_is_made_and_signs_in_and_out() {
    let mut mint = Mint::new();
    let mut session = String::new();
    let mut shown = |mint: &Mint, arguments: &[&str], input: &str| {
        let ran = mint.run_with(arguments, input);
        session.push_str(&ran.shown(mint));
        session.push('\n');
    };
    shown(&mint, &["user", "create", "ada", "--role", "admin"], "short");
    shown(&mint, &["user", "create", "ada", "--role", "king"], PASSWORD);
    shown(&mint, &["user", "create", "ada", "--role", "admin"], PASSWORD);
    shown(&mint, &["user", "create", "ada"], PASSWORD);
    shown(&mint, &["--json", "user", "create", "bob", "--tenant", "other-lab"], &format!("{PASSWORD}\n"));
    mint.serve().await;
    shown(&mint, &["auth", "status"], "");
    shown(&mint, &["auth", "login", "ada"], "wrong password");
    shown(&mint, &["auth", "login", "ada", "--tenant", "other-lab"], PASSWORD);
    shown(&mint, &["auth", "login", "ada"], &format!("{PASSWORD}\n"));
    shown(&mint, &["auth", "status"], "");
    let credentials = mint.home().join(".config/mint/credentials.json");
    assert_eq!(std::fs::metadata(&credentials).unwrap().permissions().mode() & 0o777, 0o600);
    let status: Value = serde_json::from_str(&mint.run(&["--json", "auth", "status"]).stdout).unwrap();
    assert_eq!((&status["username"], &status["role"]), (&Value::from("ada"), &Value::from("admin")));
    shown(&mint, &["auth", "logout"], "");
    assert!(!std::fs::read_to_string(&credentials).unwrap().contains("token\": \""));
    shown(&mint, &["auth", "status"], "");
    assert_eq!(mint.end(Signal::TERM), Some(0), "{}", mint.log());
    shown(&mint, &["auth", "status"], "");
    assert_session!(session);
}

#[tokio::test]
async fn a_server_without_users_says_how_to_make_one() {
    let mut mint = Mint::new();
    mint.serve().await;
    mint_tests::eventually("the hint", || async { mint.log().contains("mint user create --role admin").then_some(()) }).await;
    assert_eq!(mint.end(Signal::INT), Some(0));
}
