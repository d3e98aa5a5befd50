//! Users, and signing in and out.

use std::os::unix::fs::PermissionsExt as _;

use mint_tests::{Client, PASSWORD};
use rustix::process::Signal;
use serde_json::{Value, json};

use super::{Mint, binary::assert_session};
use crate::subprocess::Program;

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

#[tokio::test]
async fn people_roles_and_credentials_at_a_shell() {
    let mut mint = Mint::serving().await;
    let ran = |arguments: &[&str], input: &str| -> String {
        let ran = mint.run_with(arguments, input);
        assert_eq!(ran.code, Some(0), "{arguments:?}: {}{}", ran.stdout, ran.stderr);
        ran.stdout
    };
    let json = |arguments: &[&str]| -> Value { serde_json::from_str(&ran(&[&["--json"], arguments].concat(), "")).unwrap() };
    ran(&["auth", "login", "admin"], PASSWORD);
    ran(&["role", "create", "guest", "--permissions", "users.view,plugins.view", "--plugins", "hello"], "");
    assert!(ran(&["role", "list"], "").contains("guest   0      all       hello    plugins.view,users.view"));
    ran(&["role", "change", "guest", "--all-plugins"], "");
    ran(&["user", "add", "ada", "--role", "guest", "--email", "ada@example.org"], PASSWORD);
    assert_eq!(json(&["role", "list"])[3]["users"], 1);
    ran(&["user", "change", "ada", "--first-name", "Ada", "--email", ""], "");
    assert_eq!(ran(&["user", "show", "ada"], ""), "ada (guest) Ada\n");
    ran(&["role", "change", "guest", "--project-scope", "assigned"], "");
    assert_eq!(json(&["role", "list"])[3]["project_scope"], "assigned");
    let project = json(&["project", "create", "P", "-d", "Fluxes."])["id"].to_string();
    assert_eq!(ran(&["project", "update", &project, "--status", "completed"], ""), format!("{project} P (completed)\n"));
    assert_eq!(ran(&["project", "share", &project, "ada", "editor"], ""), "ada is editor\n");
    let members = ran(&["project", "members", &project], "");
    assert!(members.contains("ada    editor") && members.contains("admin  owner"), "{members}");
    assert!(ran(&["project", "list"], "").contains("completed"));
    assert_eq!(json(&["project", "experiments", &project])["total"], 0);
    ran(&["project", "unshare", &project, "ada"], "");
    let refused = mint.run(&["experiment", "share", "99", "ada", "viewer"]);
    assert!(refused.code == Some(1) && refused.stderr.contains("no experiment 99"), "{}", refused.stderr);
    ran(&["project", "delete", &project], "");
    ran(&["user", "password", "--of", "ada"], "another password");
    ran(&["user", "change", "ada", "--active", "false"], "");
    assert!(ran(&["user", "list"], "").contains("ada    guest  false"));

    let token = ran(&["token", "create", "pipeline", "--days", "30", "--read-only"], "");
    assert!(token.starts_with("mint_pat_") && token.trim().len() == 9 + 64, "{token}");
    let with_token = ["--token", token.trim()];
    assert!(ran(&[&["user", "list"], &with_token[..]].concat(), "").contains("ada"));
    let refused = mint.run(&[&["user", "delete", "ada"], &with_token[..]].concat());
    assert!(refused.code == Some(1) && refused.stderr.contains("only reads"), "{}", refused.stderr);
    let id = json(&["token", "list"])[0]["id"].to_string();
    ran(&["token", "revoke", &id], "");
    assert_eq!(mint.run(&[&["user", "list"], &with_token[..]].concat()).code, Some(1));
    assert_eq!(json(&["session", "list"]).as_array().unwrap().len(), 1);
    assert_eq!(json(&["session", "revoke"])["ended"], 0);
    ran(&["user", "password"], &format!("{PASSWORD}\nanother password"));
    ran(&["user", "delete", "ada"], "");
    ran(&["role", "delete", "guest"], "");
    assert!(ran(&["audit", "list", "--entity-type", "role"], "").contains("role.delete"));
    assert!(ran(&["audit", "export"], "").lines().count() >= 12);
    assert_eq!(json(&["audit", "verify"])["whole"], true);
    assert_eq!(mint.end(Signal::TERM), Some(0), "{}", mint.log());
}

#[tokio::test]
async fn a_program_beside_an_instrument_gets_a_token_at_a_shell() {
    let mut mint = Mint::serving().await;
    let ran = |arguments: &[&str], input: &str| -> String {
        let ran = mint.run_with(arguments, input);
        assert_eq!(ran.code, Some(0), "{arguments:?}: {}{}", ran.stdout, ran.stderr);
        ran.stdout
    };
    ran(&["auth", "login", "admin"], PASSWORD);
    let nosy = Program::NOSY.bundle_with("nosy", json!({ "capabilities": [{ "name": "instruments:write" }] }));
    ran(&["plugin", "install", nosy.path.to_str().unwrap(), "--yes"], "");
    let admin = Client::sign_in(&mint.url, "default", "admin").await;
    let call = json!({ "method": "POST", "path": "/instruments", "body": { "name": "Exploris" } });
    let instrument = admin.post("/api/nosy/call", &call).await.json()["body"]["id"].as_str().unwrap().to_owned();

    let create = ["token", "service", "create", "acquisition", "--plugin", "nosy", "--instruments"];
    let missing = mint.run(&[&create[..], &["Astral"]].concat());
    let told = "there is no instrument `Astral`; there are: Exploris";
    assert!(missing.code == Some(1) && missing.stderr.contains(told), "{}", missing.stderr);
    let token = ran(&[&create[..], &["Exploris", "--never-ends"]].concat(), "");
    let nobody = Client::anonymous(&mint.url);
    let echo = || nobody.send(nobody.request(http::Method::GET, "/api/nosy/echo").bearer_auth(token.trim()));
    assert!(echo().await.text().contains(&instrument));
    let refused = mint.run(&["user", "list", "--token", token.trim()]);
    assert!(refused.code == Some(1) && refused.stderr.contains("reaches the routes of its plugin"), "{}", refused.stderr);
    let listed = ran(&["token", "service", "list"], "");
    assert!(listed.contains("acquisition") && listed.contains(&instrument) && listed.contains("never"), "{listed}");
    let listed: Value = serde_json::from_str(&ran(&["--json", "token", "service", "list"], "")).unwrap();
    ran(&["token", "service", "revoke", &listed[0]["id"].to_string()], "");
    assert_eq!(echo().await.status, http::StatusCode::UNAUTHORIZED);
    assert_eq!(mint.end(Signal::TERM), Some(0), "{}", mint.log());
}
