//! Accounts under names of their own: `mint auth login --profile`, `mint profile`.

use std::{fs, os::unix::fs::PermissionsExt as _, path::PathBuf, process::Stdio};

use mint_tests::PASSWORD;
use rustix::process::Signal;
use serde_json::{Value, json};

use super::{Mint, binary::Ran};

/// A command as somebody runs it who has these variables and no others of MINT's.
fn run(mint: &Mint, variables: &[(&str, &str)], arguments: &[&str], input: &str) -> Ran {
    let mut command = mint.command(arguments);
    command.env_remove("MINT_URL").envs(variables.iter().copied());
    mint.ran(command, arguments, input)
}

fn file(mint: &Mint) -> PathBuf {
    mint.home().join(".config/mint/credentials.json")
}

fn kept(mint: &Mint) -> Value {
    serde_json::from_slice(&fs::read(file(mint)).unwrap()).unwrap()
}

/// A server with people of two laboratories, of whom nobody is signed in.
async fn with_people() -> Mint {
    let mint = Mint::serving().await;
    for (name, tenant) in [("ada", "default"), ("grace", "north")] {
        let made = mint.run_with(&["user", "create", name, "--tenant", tenant, "--role", "admin"], PASSWORD);
        assert_eq!(made.code, Some(0), "{}", made.stderr);
    }
    mint
}

#[tokio::test]
async fn two_accounts_on_one_server_have_names() {
    let mut mint = with_people().await;
    let mut session = String::new();
    let mut shown = |arguments: &[&str], input: &str| {
        session.push_str(&run(&mint, &[], arguments, input).shown(&mint));
        session.push('\n');
    };
    shown(&["profile", "list"], "");
    shown(&["profile", "use", "north"], "");
    shown(&["auth", "status", "--profile", "north"], "");
    shown(&["auth", "login", "ada", "--profile", "No Name"], PASSWORD);
    shown(&["auth", "login", "ada", "--url", &mint.url], PASSWORD);
    // At the server that is in use.
    shown(&["auth", "login", "grace", "--tenant", "north", "--profile", "north"], PASSWORD);
    shown(&["profile", "list"], "");
    shown(&["auth", "status"], "");
    shown(&["profile", "use", "default"], "");
    shown(&["auth", "status"], "");
    shown(&["auth", "status", "--profile", "north"], "");
    shown(&["auth", "status", "--profile", "nort"], "");
    shown(&["profile", "use", "nort"], "");
    shown(&["profile", "remove", "nort"], "");
    shown(&["auth", "logout", "--profile", "north"], "");
    shown(&["auth", "status", "--profile", "north"], "");
    shown(&["profile", "list"], "");
    shown(&["auth", "login", "grace", "--tenant", "north", "--profile", "north"], PASSWORD);
    shown(&["profile", "remove", "default"], "");
    shown(&["profile", "remove", "north"], "");
    shown(&["profile", "list"], "");
    super::binary::assert_session!(session);
    assert_eq!(fs::metadata(file(&mint)).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(kept(&mint), json!({ "version": 2, "in_use": null, "profiles": {} }));
    assert_eq!(mint.end(Signal::TERM), Some(0), "{}", mint.log());
}

#[tokio::test]
async fn what_is_typed_goes_before_variables_and_these_before_what_is_in_use() {
    let mut mint = with_people().await;
    let url = mint.url.clone();
    let ran = |variables: &[(&str, &str)], arguments: &[&str], input: &str| -> String {
        let ran = run(&mint, variables, arguments, input);
        assert_eq!(ran.code, Some(0), "{arguments:?}: {}{}", ran.stdout, ran.stderr);
        ran.stdout
    };
    let refused = |variables: &[(&str, &str)], arguments: &[&str]| -> String {
        let ran = run(&mint, variables, arguments, "");
        assert_eq!(ran.code, Some(1), "{arguments:?}: {}{}", ran.stdout, ran.stderr);
        ran.stderr
    };
    let status = ["auth", "status"];
    ran(&[], &["auth", "login", "ada", "--url", &url, "--profile", "south"], PASSWORD);
    ran(&[], &["auth", "login", "grace", "--tenant", "north", "--profile", "north"], PASSWORD);
    let pat = ran(&[], &["token", "create", "program", "--profile", "south"], "");
    let ada = format!("ada (admin) at {url}");
    let grace = format!("grace (admin) at {url} (profile north)\n");

    assert_eq!(ran(&[], &status, ""), grace);
    assert_eq!(ran(&[("MINT_PROFILE", "south")], &status, ""), format!("{ada} (profile south)\n"));
    assert_eq!(ran(&[("MINT_PROFILE", "south")], &["auth", "status", "--profile", "north"], ""), grace);
    // A token that is given is used, unless a profile is typed.
    assert_eq!(ran(&[("MINT_TOKEN", pat.trim())], &status, ""), format!("{ada}\n"));
    assert_eq!(ran(&[("MINT_TOKEN", pat.trim())], &["auth", "status", "--profile", "north"], ""), grace);
    assert_eq!(ran(&[], &["auth", "status", "--profile", "north", "--token", pat.trim()], ""), format!("{ada}\n"));
    // A token goes to no other server than that which gave it, whoever names that one.
    let elsewhere = "http://127.0.0.1:9";
    let told = refused(&[], &["auth", "status", "--profile", "north", "--url", elsewhere]);
    assert!(told.contains(&format!("the profile `north` is of {url}, and --url (MINT_URL) says {elsewhere}")), "{told}");
    assert!(refused(&[("MINT_PROFILE", "north"), ("MINT_URL", elsewhere)], &status).contains("the profile `north` is of"));
    assert!(refused(&[("MINT_URL", elsewhere)], &status).contains("no server answers at http://127.0.0.1:9"));
    assert_eq!(ran(&[("MINT_URL", elsewhere)], &["auth", "status", "--profile", "north"], ""), grace);
    assert_eq!(ran(&[("MINT_URL", elsewhere)], &["auth", "status", "--url", &format!("{url}/")], ""), grace);

    // Where nothing is in use, an address says which profile, as long as there is one.
    ran(&[], &["auth", "login", "ada", "--profile", "third"], PASSWORD);
    ran(&[], &["profile", "remove", "third"], "");
    let several = refused(&[], &["auth", "status", "--url", &url]);
    assert!(several.contains("there are several profiles of") && several.contains("--profile: north, south"), "{several}");
    ran(&[], &["profile", "remove", "south"], "");
    assert_eq!(ran(&[], &["auth", "status", "--url", &url], ""), grace);
    // A second server gets a name of its own.
    ran(&[], &["profile", "use", "north"], "");
    assert!(refused(&[("MINT_URL", elsewhere)], &["auth", "login", "ada"]).contains("no server answers"));
    let localhost = url.replace("127.0.0.1", "localhost");
    let signed = ran(&[("MINT_URL", &localhost)], &["--json", "auth", "login", "ada"], PASSWORD);
    assert_eq!(serde_json::from_str::<Value>(&signed).unwrap()["profile"], "default");
    ran(&[], &["profile", "use", "north"], "");
    let again = ran(&[("MINT_URL", &localhost)], &["auth", "login", "ada"], PASSWORD);
    assert!(again.ends_with("as ada (profile default)\n"), "{again}");
    let listed: Value = serde_json::from_str(&ran(&[], &["--json", "profile", "list"], "")).unwrap();
    let row = |name: &str, url: &str, who: &str, tenant: Value, in_use: bool, ends: &Value| {
        json!({ "name": name, "url": url, "username": who, "tenant": tenant, "in_use": in_use, "is_signed_in": true,
            "expires_at": ends })
    };
    let ends = |at: usize| &listed[at]["expires_at"];
    assert!(ends(0).is_string() && ends(1).is_string(), "{listed}");
    let north = row("north", &url, "grace", json!("north"), false, ends(1));
    assert_eq!(listed, json!([row("default", &localhost, "ada", Value::Null, true, ends(0)), north]));
    assert_eq!(mint.end(Signal::TERM), Some(0), "{}", mint.log());
}

#[tokio::test]
async fn a_file_without_profiles_is_read_and_becomes_one_with_them() {
    let mut mint = with_people().await;
    let token = run(&mint, &[], &["--json", "auth", "login", "ada", "--url", &mint.url], PASSWORD);
    assert_eq!(token.code, Some(0), "{}", token.stderr);
    let token = kept(&mint)["profiles"]["default"]["token"].clone();
    let host = |token: &str| json!({ "token": token });
    let hosts =
        json!({ &mint.url: { "token": token }, "https://mint.example.org": host("a"), "http://mint.example.org": host("b") });
    let first = json!({ "version": 1, "default_host": mint.url, "hosts": hosts });
    fs::write(file(&mint), first.to_string()).unwrap();
    let status = run(&mint, &[], &["auth", "status"], "");
    assert_eq!(status.stdout, format!("ada (admin) at {} (profile default)\n", mint.url), "{}", status.stderr);
    assert_eq!(kept(&mint), first, "reading changes nothing");
    let login = run(&mint, &[], &["auth", "login", "grace", "--tenant", "north", "--profile", "north"], PASSWORD);
    assert_eq!(login.code, Some(0), "{}", login.stderr);
    let moved = kept(&mint);
    assert_eq!(moved["version"], 2);
    assert_eq!(moved["profiles"]["default"], json!({ "url": mint.url, "token": token }));
    assert_eq!(moved["profiles"]["at-mint-example-org"], json!({ "url": "http://mint.example.org", "token": "b" }));
    assert_eq!(moved["profiles"]["at-mint-example-org-2"], json!({ "url": "https://mint.example.org", "token": "a" }));
    assert_eq!(moved["in_use"], "north");

    for (text, told) in [("{\"version\": 3}", "a later version of mint wrote it (form 3)"), ("{", "cannot be read: EOF")] {
        fs::write(file(&mint), text).unwrap();
        for arguments in [&["auth", "status"][..], &["profile", "list"], &["profile", "use", "north"]] {
            let refused = run(&mint, &[], arguments, "");
            assert!(refused.code == Some(1) && refused.stderr.contains(told), "{arguments:?}: {}", refused.stderr);
        }
        assert_eq!(fs::read_to_string(file(&mint)).unwrap(), text, "what cannot be read is left alone");
    }
    assert_eq!(mint.end(Signal::TERM), Some(0), "{}", mint.log());
}

#[tokio::test]
async fn of_many_who_sign_in_at_once_none_is_lost() {
    let mut mint = with_people().await;
    fs::create_dir_all(mint.home().join(".config/mint")).unwrap();
    // What a process left that died while it wrote is in nobody's way, whoever could read it.
    fs::write(mint.home().join(".config/mint/credentials.json.new"), "{").unwrap();
    let password = mint.home().join("password");
    fs::write(&password, PASSWORD).unwrap();
    let names: Vec<String> = (1..=8).map(|number| format!("account-{number}")).collect();
    let children: Vec<_> = names
        .iter()
        .map(|name| {
            let mut command = mint.command(&["auth", "login", "ada", "--profile", name]);
            command.stdin(fs::File::open(&password).unwrap()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
        })
        .collect();
    for child in children {
        let ended = child.wait_with_output().unwrap();
        assert!(ended.status.success(), "{ended:?}");
    }
    let profiles = kept(&mint)["profiles"].clone();
    assert_eq!(profiles.as_object().unwrap().keys().collect::<Vec<_>>(), names.iter().collect::<Vec<_>>());
    assert_eq!(fs::metadata(file(&mint)).unwrap().permissions().mode() & 0o777, 0o600);
    for name in &names {
        assert_eq!(run(&mint, &[], &["auth", "status", "--profile", name], "").code, Some(0));
    }
    // Those who sign out forget their own token and no other.
    assert_eq!(run(&mint, &[], &["auth", "logout", "--profile", "account-3"], "").code, Some(0));
    let left = kept(&mint);
    let signed_in = names.iter().filter(|name| left["profiles"][name.as_str()]["token"].is_string());
    assert_eq!(signed_in.count(), 7, "{left}");
    assert_eq!(mint.end(Signal::TERM), Some(0), "{}", mint.log());
}
